"""Gitignore patterns: which paths they select, and at what cost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from detpyc.limits import MAX_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pathspec import GitIgnoreSpec

__all__ = ["gitignore_spec", "select", "select_bounded"]

# The work that matching may take, in steps of about two nanoseconds; real patterns need a hundredth.
_MAX_STEPS = 1 << 29
_STEPS_PER_PATH = 128  # that any pattern takes for any path
_STEPS_PER_CHARACTER = 1024  # that compiling a pattern takes
_STEPS_PER_GROUP = 8  # that trying the optional group for an inner "**" takes


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


def select_bounded(names: Collection[str], include: Collection[str], exclude: Collection[str]) -> list[str]:
    """Narrow names as `select` does, but refuse patterns that take long, as they may come from an untrusted wheel.

    Args:
        names: as for `select`.
        include: as for `select`.
        exclude: as for `select`.

    Raises:
        ValueError: if a pattern is invalid, or the patterns could take too long to match.

    """
    patterns = (*include, *exclude)
    steps = len(patterns) * len(names) * _STEPS_PER_PATH + sum(map(len, patterns)) * _STEPS_PER_CHARACTER
    if max(map(len, patterns), default=0) > MAX_PATTERN or steps > _MAX_STEPS:
        raise ValueError("to match them takes too long")
    for pattern in patterns:
        bound = _bound(pattern)
        for name in names:
            steps += bound(name)
            if steps > _MAX_STEPS:
                raise ValueError("to match them takes too long")
    return list(select(names, include, exclude))


def _bound(pattern: str) -> Callable[[str], int]:
    """Return an upper bound to the steps that the regular expression of a pattern takes to match a path.

    Backtracking tries every combination of the places where the wildcards can end: for directories, any slash; before
    a plain character, its occurrences; at the end of a part, one; otherwise, any place.
    """
    parts = pattern.removeprefix("!").strip("/").split("/")
    leading = parts[0] == "**" or len(parts) == 1  # a lone name matches in any directory
    inner = parts[1:-1].count("**")
    following = "".join(
        f"{part}/"[index + 1]
        for part in parts
        for index, character in enumerate(part)
        if character == "*" and part != "**"
    ).replace("/", "")

    def bound(path: str) -> int:
        directories = path.count("/") + 1
        steps: int = len(path) * (directories if leading else 1) * (directories + _STEPS_PER_GROUP) ** inner
        for character in following:
            steps *= len(path) if character in "*?[\\" else path.count(character) or 1
        return steps

    return bound
