"""Sources that are not beside their pycs: those of a sourceless wheel, in a source distribution or another wheel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from detpyc.limits import MAX_FILE
from detpyc.sdist import open_sdist
from detpyc.wheel.distribution import is_wheel, open_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from detpyc.sdist import Sdist
    from detpyc.wheel.distribution import Wheel

__all__ = ["open_sources"]

# The directories of a project that packages are in, in the order of precedence. All other directories come after them.
_ROOTS = ("", "src/", "lib/")
_MAX_ROOT = 10  # parts of the path of any other directory


def open_sources(path: Path, stack: ExitStack) -> dict[str, Callable[[], bytes]]:
    """Open a source distribution or a wheel for the sources in it.

    Args:
        path: of a ``.tar.gz`` or a ``.whl``.
        stack: closes it.

    Returns:
        For the path that each source has when it is installed, e.g. ``package/module.py``, a function that reads it.

    Raises:
        DetpycError: if it is neither, breaks a rule of `detpyc.sdist`, or cannot be read.

    """
    if is_wheel(path):
        return _in_wheel(stack.enter_context(open_wheel(path)))
    return _in_sdist(stack.enter_context(open_sdist(path)))


def _in_wheel(wheel: Wheel) -> dict[str, Callable[[], bytes]]:
    return {path: partial(wheel.read_member, name, MAX_FILE) for name, path in wheel.importable_sources().items()}


def _in_sdist(sdist: Sdist) -> dict[str, Callable[[], bytes]]:
    names = [name for name in sdist.files if name.endswith(".py")]
    found: dict[str, str] = {}
    for root in _ROOTS:
        for name in names:
            inside = name.partition("/")[2]
            if inside.startswith(root):
                found.setdefault(inside.removeprefix(root), name)
    for installed, candidates in _anywhere(names).items():
        if len(candidates) == 1:
            found.setdefault(installed, candidates[0])
    return {installed: partial(sdist.read, name, MAX_FILE) for installed, name in found.items()}


def _anywhere(names: list[str]) -> dict[str, list[str]]:
    """Return the sources by each path that they could have when installed, whichever directory is the root."""
    found: dict[str, list[str]] = {}
    for name in names:
        parts = name.split("/")
        for depth in range(2, min(len(parts), _MAX_ROOT)):
            found.setdefault("/".join(parts[depth:]), []).append(name)
    return found
