"""Explain the differences between two payloads. The worker never loads this."""
