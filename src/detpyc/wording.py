"""Phrases that several reports use."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 source`` or ``2 sources``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shortened(text: str, limit: int) -> str:
    """Return a string with what exceeds a number of characters left out."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
