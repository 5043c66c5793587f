"""Phrases that several reports use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED = 3  # of many names, how many are listed


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, e.g. ``1 source`` or ``2 sources``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def date(seconds: int) -> str:
    """Return a time in seconds since 1970 as a date, e.g. ``2021-04-05 06:07:08 UTC``."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # beyond what the system can say
        return f"{seconds} seconds after 1970-01-01"


def listed(names: Sequence[str]) -> str:
    """Return the first of some names, and the number of the others."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def shortened(text: str, limit: int) -> str:
    """Return a string with what exceeds a number of characters left out."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
