"""Read what nobody vouches for: regular files only, and none as a whole that is larger than any bytecode."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.files import open_regular
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_SIZE = 64 << 20  # bytes of a pyc or a source; the largest real ones have a few megabytes


class TooLargeError(DetpycError):
    """A file or member that is larger than what is read as a whole."""


def is_wheel(path: Path) -> bool:
    """Tell whether a path is to be read as a wheel: by its name, unless it is a directory's."""
    return path.suffix == ".whl" and not path.is_dir()


@contextmanager
def open_wheel(path: Path) -> Iterator[Wheel]:
    """Open a wheel for reading.

    Raises:
        DetpycError: if it is no wheel, is damaged, or cannot be read.

    """
    with open_regular(path) as stream:
        yield Wheel.read(path, stream)


def read_file(path: Path) -> bytes:
    """Read a regular file.

    Raises:
        TooLargeError: if it is larger than `MAX_SIZE`.
        DetpycError: if it cannot be read, or is something else than a regular file.

    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > MAX_SIZE:
            raise _too_large(str(path), size)
        return stream.read(MAX_SIZE)


def read_member(wheel: Wheel, name: str) -> bytes:
    """Read a member of a wheel.

    Raises:
        TooLargeError: if it is larger than `MAX_SIZE`.
        WheelError: if it is damaged.

    """
    size = wheel.archive.members[name].size
    if size > MAX_SIZE:
        raise _too_large(f"{wheel.path}: {name}", size)
    return wheel.read_member(name)


def _too_large(name: str, size: int) -> TooLargeError:
    return TooLargeError(f"{name}: has {size} bytes, and no more than {MAX_SIZE} are read")
