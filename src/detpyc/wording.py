"""Phrases that several reports use."""

from __future__ import annotations

import time


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 source`` or ``2 sources``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def date(seconds: int) -> str:
    """Return a time in seconds since 1970 as a date, e.g. ``2021-04-05 06:07:08 UTC``."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # beyond what the system can say
        return f"{seconds} seconds after 1970-01-01"


def shortened(text: str, limit: int) -> str:
    """Return a string with what exceeds a number of characters left out."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
