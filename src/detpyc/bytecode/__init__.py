"""Pyc files as bytes: their header, their payload, and its canonical form. No I/O and no dependency.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""
