"""Gitignore patterns: which paths they select, and at what cost."""

from __future__ import annotations

import re
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pathspec import GitIgnoreSpec

__all__ = ["gitignore_spec", "select", "select_untrusted"]

# In how many ways untrusted patterns may match: about a minute's work. Real ones need a thousandth of that.
_MAX_WAYS = 1 << 30
_MAX_PATTERN = 1000  # characters


def gitignore_spec(patterns: Iterable[str]) -> GitIgnoreSpec:
    """Read gitignore patterns.

    Raises:
        ValueError: if one is invalid.

    """
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - it takes long to import, and most runs have no patterns

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except re.error as error:  # of the regular expression that pathspec makes of a pattern
        raise ValueError(str(error)) from error


def select(names: Iterable[str], include: Collection[str], exclude: Collection[str]) -> Iterator[str]:
    """Narrow names by patterns.

    Args:
        names: paths, with ``/`` on every system.
        include: gitignore patterns, one of which must match; if there is none, everything does.
        exclude: gitignore patterns, none of which may match.

    Returns:
        Those that are left, in their order.

    Raises:
        ValueError: if a pattern is invalid.

    """
    if not include and not exclude:
        yield from names
        return
    included, excluded = gitignore_spec(include), gitignore_spec(exclude)
    for name in names:
        if (not include or included.match_file(name)) and not excluded.match_file(name):
            yield name


def select_untrusted(names: Collection[str], include: Collection[str], exclude: Collection[str]) -> list[str]:
    """Narrow names as `select` does, by patterns that may have been made to take for ever.

    Args:
        names: as for `select`.
        include: as for `select`.
        exclude: as for `select`.

    Raises:
        ValueError: if a pattern is invalid, or the patterns could take too long to match.

    """
    ways = sum(_ways(pattern, name) for pattern in (*include, *exclude) for name in names)
    if ways > _MAX_WAYS:
        raise ValueError("to match them takes too long")
    return list(select(names, include, exclude))


def _ways(pattern: str, path: str) -> int:
    """Return in how many ways a regular expression's backtracking could try to match a path."""
    if len(pattern) > _MAX_PATTERN:
        return _MAX_WAYS + 1
    parts = path.split("/")
    longest = max(map(len, parts))
    # So many characters, or parts, are shared out among so many wildcards and what is around them.
    ways = comb(len(parts) + pattern.count("**"), len(parts))
    for part in pattern.replace("**", "").split("/"):
        ways *= comb(longest + part.count("*"), longest)
    return ways
