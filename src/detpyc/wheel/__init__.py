"""Wheels as files: their RECORD, their archive, and how to rewrite them. Knows nothing of bytecode."""
