"""Explain the differences between two payloads, in a reader's words. Never loaded by the worker."""
