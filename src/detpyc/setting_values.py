"""The values that each setting takes: what they are, and how they are checked.

A check returns the value as `detpyc.settings.Settings` has it, or raises ValueError with the rest of a sentence that
begins with the setting's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detpyc.gitignore import gitignore_spec
from detpyc.limits import MAX_ITEMS, MAX_PATTERN, MAX_SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = [
    "CHECKS",
    "DEFLATED",
    "LAYOUTS",
    "LEVELS",
    "OPTIMIZATION_LEVELS",
    "PYCACHE",
    "SOURCELESS",
    "STORED",
    "WHEEL_MODES",
    "flag",
    "invalidation_mode",
    "shortened",
    "shown",
]

OPTIMIZATION_LEVELS = (0, 1, 2)
LEVELS = {str(level): level for level in OPTIMIZATION_LEVELS}
PYCACHE, SOURCELESS = LAYOUTS = ("pycache", "sourceless")
DEFLATED, STORED = "deflated", "stored"
WHEEL_MODES = ("checked-hash", "unchecked-hash")


def _one_of(*choices: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            expected = " or ".join(f'"{choice}"' for choice in choices)
            raise ValueError(f"must be {expected}, not {shown(value)}")
        return value

    return check


def _list(value: object) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list, not {shown(value)}")  # noqa: TRY004 - one kind of error for every mistake
    if len(value) > MAX_ITEMS:
        raise ValueError(f"has {len(value)} items; the limit is {MAX_ITEMS}")
    return list(value)


def _strings(value: object) -> tuple[str, ...]:
    items = _list(value)
    for item in items:
        if not isinstance(item, str) or not item:
            raise ValueError(f"must be a list of non-empty strings; found {shown(item)}")
        if not _is_unicode(item):
            raise ValueError(f"must be a list of Unicode strings; found {shortened(ascii(item))}")
    return tuple(str(item) for item in items)


def _is_unicode(text: str) -> bool:
    """Return whether a string can be encoded; arguments of the command line may contain undecodable bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _patterns(value: object) -> tuple[str, ...]:
    patterns = _strings(value)
    longest = max(map(len, patterns), default=0)
    if longest > MAX_PATTERN:
        raise ValueError(f"has a pattern of {longest} characters; the limit is {MAX_PATTERN}")
    try:
        gitignore_spec(patterns)
    except ValueError as error:
        raise ValueError(f"must be a list of gitignore patterns: {error}") from error
    return patterns


def invalidation_mode(modes: Collection[str]) -> Callable[[object], str]:
    """Return the check of an invalidation mode that is one of some modes."""

    def check(value: object) -> str:
        if value == "timestamp" and value not in modes:
            raise ValueError('cannot be "timestamp": installers do not keep mtimes, so the pyc would never load')
        return _one_of(*modes)(value)

    return check


def _interpreters(value: object) -> tuple[str, ...]:
    requests = _strings(value)
    if not requests:
        raise ValueError("is empty; omit it for the interpreter that runs the build")
    return requests


def _levels(value: object) -> tuple[int, ...]:
    levels = []
    for item in _list(value):
        if type(item) is not int or item not in OPTIMIZATION_LEVELS:
            raise ValueError(f"must be a list of 0, 1 and 2; found {shown(item)}")
        levels.append(item)
    if not levels:
        raise ValueError("is empty; omit it for level 0")
    return tuple(sorted(set(levels)))


def flag(value: object) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {shown(value)}")  # noqa: TRY004 - as above
    return value


def shown(value: object) -> str:
    """Format a value for a message, like TOML if it is a scalar."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{shortened(value)}"'
    return shortened(repr(value))


def shortened(text: str) -> str:
    """Shorten a string for a message."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


CHECKS: dict[str, Callable[[object], Any]] = {
    "interpreters": _interpreters,
    "optimize": _levels,
    "invalidation-mode": _one_of(*WHEEL_MODES),
    "include": _patterns,
    "exclude": _patterns,
    "on-syntax-error": _one_of("fail", "skip"),
    "layout": _one_of(*LAYOUTS),
    "compression": _one_of(DEFLATED, STORED),
    "provenance": flag,
}
