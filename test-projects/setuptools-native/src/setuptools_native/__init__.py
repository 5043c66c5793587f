"""Calls an extension module."""

from setuptools_native._native import tripled

ANSWER = 42


def answer() -> int:
    return tripled(ANSWER // 3)
