"""Wording that several reports share."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Say how many of a thing there are."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shortened(text: str, limit: int) -> str:
    """Return a string with what exceeds a number of characters left out."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
