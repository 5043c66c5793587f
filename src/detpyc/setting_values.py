"""The values that each setting takes: what they are, and how they are checked.

A check returns the value as `detpyc.settings.Settings` has it, or raises ValueError with the rest of a sentence that
begins with the setting's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from detpyc.gitignore import gitignore_spec
from detpyc.limits import MAX_ITEMS, MAX_PATTERN, MAX_SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = [
    "CHECKS",
    "DEFLATED",
    "FAIL",
    "INSTALL",
    "LAYOUTS",
    "LEVELS",
    "ON_MISSING",
    "OPTIMIZATION_LEVELS",
    "PYCACHE",
    "SOURCELESS",
    "STORED",
    "WHEEL_MODES",
    "OneOf",
    "flag",
    "interpreters",
    "invalidation_mode",
    "levels",
    "patterns",
    "shortened",
    "shown",
]

OPTIMIZATION_LEVELS = (0, 1, 2)
LEVELS = {str(level): level for level in OPTIMIZATION_LEVELS}
PYCACHE, SOURCELESS = LAYOUTS = ("pycache", "sourceless")
DEFLATED, STORED = "deflated", "stored"
FAIL, _, INSTALL = ON_MISSING = ("fail", "skip", "install")
WHEEL_MODES = ("checked-hash", "unchecked-hash")


class OneOf(NamedTuple):
    """The check of a string that is one of some choices."""

    choices: tuple[str, ...]

    def __call__(self, value: object) -> str:
        """Check a value."""
        if not isinstance(value, str) or value not in self.choices:
            expected = " or ".join(f'"{choice}"' for choice in self.choices)
            raise ValueError(f"must be {expected}, not {shown(value)}")
        return value


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


def patterns(value: object) -> tuple[str, ...]:
    """Check a list of gitignore patterns."""
    found = _strings(value)
    longest = max(map(len, found), default=0)
    if longest > MAX_PATTERN:
        raise ValueError(f"has a pattern of {longest} characters; the limit is {MAX_PATTERN}")
    try:
        gitignore_spec(found)
    except ValueError as error:
        raise ValueError(f"must be a list of gitignore patterns: {error}") from error
    return found


def invalidation_mode(modes: Collection[str]) -> Callable[[object], str]:
    """Return the check of an invalidation mode that is one of some modes."""

    def check(value: object) -> str:
        if value == "timestamp" and value not in modes:
            raise ValueError('cannot be "timestamp": installers do not keep mtimes, so the pyc would never load')
        return OneOf(tuple(modes))(value)

    return check


def interpreters(value: object) -> tuple[str, ...]:
    """Check a list of requests for interpreters."""
    requests = _strings(value)
    if not requests:
        raise ValueError("is empty; omit it for the interpreter that runs the build")
    return requests


def levels(value: object) -> tuple[int, ...]:
    """Check a list of optimization levels."""
    found = []
    for item in _list(value):
        if type(item) is not int or item not in OPTIMIZATION_LEVELS:
            raise ValueError(f"must be a list of 0, 1 and 2; found {shown(item)}")
        found.append(item)
    if not found:
        raise ValueError("is empty; omit it for level 0")
    return tuple(sorted(set(found)))


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


CHECKS: dict[str, OneOf | Callable[[object], Any]] = {
    "interpreters": interpreters,
    "optimize": levels,
    "invalidation-mode": OneOf(WHEEL_MODES),
    "include": patterns,
    "exclude": patterns,
    "on-syntax-error": OneOf(("fail", "skip")),
    "layout": OneOf(LAYOUTS),
    "compression": OneOf((DEFLATED, STORED)),
    "provenance": flag,
    "on-missing-interpreter": OneOf(ON_MISSING),
    "cache": flag,
}
