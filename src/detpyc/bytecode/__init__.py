"""Pycs as bytes: the header, the payload, and its canonical form. No I/O and no dependencies.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""
