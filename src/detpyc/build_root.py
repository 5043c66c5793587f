"""The build root of an RPM package: where it is, and which Python its directories are for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["VARIABLE", "Library", "build_root", "find_libraries", "within"]

VARIABLE = "RPM_BUILD_ROOT"  # which rpm sets for its build root policies

# What brp-python-bytecompile looks for.
_LIBRARY = re.compile(r"/lib(?:64)?/python(?P<version>3\.\d+)\Z")


class Library(NamedTuple):
    """A directory whose modules are for one version of Python.

    Attributes:
        path: of the directory.
        version: e.g. ``3.12``.

    """

    path: Path
    version: str


def build_root() -> Path:
    """Return the build root that the environment names.

    Raises:
        DetpycError: if it names none, or what cannot be one: a policy must never change the system that it runs on.

    """
    value = os.environ.get(VARIABLE, "")
    if not value:
        raise DetpycError(f"{VARIABLE} is not set; this command runs as a build root policy of rpm")
    root = Path(value)
    if not root.is_absolute() or root.resolve() == Path(root.anchor):
        raise DetpycError(f"{VARIABLE} must be an absolute path other than the root of the file system", path=value)
    if not root.is_dir():
        raise DetpycError(f"{VARIABLE} is not a directory", path=value)
    return root


def within(root: Path, paths: Sequence[Path]) -> Sequence[Path]:
    """Return the paths, or the build root if there are none.

    Raises:
        DetpycError: if one is not in the build root, whatever links lead to.

    """
    for path in paths:
        if not path.exists():
            raise DetpycError("no such file or directory", path=path)
        if not path.resolve().is_relative_to(root.resolve()):
            raise DetpycError(f"is not in the build root, {root}; nothing was changed", path=path)
    return paths or [root]


def find_libraries(path: Path) -> Iterator[Library]:
    """Yield the directories ``lib/python3.X`` and ``lib64/python3.X`` in a directory and below."""
    for parent, directories, _ in os.walk(path):
        match = _LIBRARY.search(Path(parent).as_posix())
        if match:
            directories.clear()
            yield Library(Path(parent), match["version"])
        directories.sort()
