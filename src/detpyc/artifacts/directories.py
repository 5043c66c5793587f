"""A directory as an artifact."""

from __future__ import annotations

import os
import stat
import sys
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from detpyc.artifacts.entries import Artifact, Entry, Format, Kind
from detpyc.errors import DetpycError
from detpyc.files import open_regular, read_chunks, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["IMAGE_LAYOUT", "Directory", "is_image_layout"]

IMAGE_LAYOUT = ("oci-layout", "index.json")  # the files that show that a directory or an archive is one

_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT, which `stat` has on Windows only


class Directory(Artifact):
    """A directory and what is below it. Links are followed as the system follows them, also out of the directory."""

    format = Format.DIRECTORY

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.path = path
        self.problems = []
        self.root = "" if not path.parts else path.as_posix()

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """All entries by their paths, without those below links."""
        found: dict[str, Entry] = {}
        pending = [self.root]
        while pending:
            entries = self.listing(pending.pop())
            found |= {entry.path: entry for entry in entries}
            pending += [entry.path for entry in reversed(entries) if entry.kind is Kind.DIRECTORY]
        return found

    def listing(self, directory: str) -> list[Entry]:
        """Return what is in a directory."""
        prefix = f"{directory.rstrip('/')}/" if directory else ""
        try:
            with os.scandir(directory or os.curdir) as entries:
                found = [_entry(f"{prefix}{entry.name}", entry) for entry in entries]
        except OSError as error:
            raise DetpycError(f"cannot be read: {error.strerror}", path=directory or os.curdir) from error
        return sorted((entry for entry in found if entry.path not in self.ignored), key=lambda entry: entry.path)

    def real(self, path: str) -> str:
        """Return a path that leads to the same place without links."""
        return os.path.realpath(path).replace(os.sep, "/")

    def find(self, path: str) -> Entry | None:
        """Return what a path leads to; what cannot be examined is neither a file nor a directory."""
        try:
            return _described(path, os.stat(path or os.curdir))  # noqa: PTH116 - a string
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            return Entry(path, Kind.OTHER)

    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a file."""
        return read_file(path, limit)

    def open_ends(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Open a file."""
        return open_regular(path)

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        with open_regular(path) as stream:
            yield from read_chunks(stream)

    def shown(self, path: str) -> str:
        """Return a path as the system writes it."""
        return path.replace("/", os.sep)


def is_image_layout(path: Path) -> bool:
    """Return whether a directory is an OCI image layout."""
    # `Path.is_file` raises an error if the directory cannot be searched; listing it will say so.
    return all(os.path.isfile(path / name) for name in IMAGE_LAYOUT)  # noqa: PTH113


def _entry(path: str, entry: os.DirEntry[str]) -> Entry:
    try:
        status = entry.stat(follow_symlinks=False)
        if entry.is_symlink() or _reparse_tag(entry) == _JUNCTION:
            return Entry(path, Kind.LINK, mode=stat.S_IMODE(status.st_mode), target=_target(path))
    except OSError:  # it is gone by now, or its path is too long; reading it will say so
        return Entry(path, Kind.DIRECTORY if _is_directory(entry) else Kind.OTHER)
    return _described(path, status)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - a string
    except OSError:
        return ""


def _described(path: str, status: os.stat_result) -> Entry:
    kind = Kind.OTHER
    if stat.S_ISDIR(status.st_mode):
        kind = Kind.DIRECTORY
    elif stat.S_ISREG(status.st_mode):
        kind = Kind.FILE
    return Entry(path, kind, status.st_size, int(status.st_mtime), stat.S_IMODE(status.st_mode))


def _reparse_tag(entry: os.DirEntry[str]) -> int:
    """Return the tag that Windows has for what leads elsewhere; there, this costs no system call."""
    tag = 0
    if sys.platform == "win32":
        tag = entry.stat(follow_symlinks=False).st_reparse_tag
    return tag
