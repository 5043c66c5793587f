"""Verify that bytecode is what its source compiles to."""
