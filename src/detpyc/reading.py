"""Read what nobody vouches for: regular files only, and none as a whole that is larger than any bytecode."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import DetpycError
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_SIZE = 64 << 20  # bytes of a pyc or a source; the largest real ones have a few megabytes


class TooLargeError(DetpycError):
    """A file or member that is larger than what is read as a whole."""


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading, whoever else may be reading it: what replaces it does so as a whole.

    Raises:
        DetpycError: if it cannot be opened or read, or is something else than a regular file.

    """
    try:
        # Not to wait for a writer, if it is a pipe.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise DetpycError(f"{path}: cannot be opened: {error.strerror}") from error
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - it is no path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DetpycError(f"{path}: is no regular file")
        try:
            yield stream
        except OSError as error:
            raise DetpycError(f"{path}: cannot be read: {error.strerror}") from error


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
