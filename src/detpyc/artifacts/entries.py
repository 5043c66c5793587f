"""What an artifact has in it, whatever its format: entries that can be listed, found and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["EXECUTABLE", "Artifact", "Entry", "Format", "Kind"]

EXECUTABLE = 0o111  # in a mode


class Format(str, Enum):
    """How the files of an artifact are stored."""

    DIRECTORY = "directory"
    ZIP = "zip"
    TAR = "tar"
    IMAGE = "image"


class Kind(Enum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"  # a symbolic link, or on Windows a junction
    OTHER = "other"  # for instance a device


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, a directory or a link in an artifact.

    Attributes:
        path: with ``/`` on every system; see `Artifact.root`.
        kind: what it is.
        size: of a file, in bytes.
        mtime: of a file, in whole seconds since 1970, as the import system compares it with the header of a pyc: in a
            ZIP file, its date as a local time, as `zipimport` reads it. None if it is not known.
        unpacked_mtime: that programs give the file when they unpack it, where it is not `mtime`.
        mode: the permission bits.
        target: of a link, as it is written.
        layer: the digest or the name of the layer of an image that the entry comes from.

    """

    path: str
    kind: Kind
    size: int = 0
    mtime: int | None = None
    mode: int = 0
    target: str = ""
    layer: str | None = None
    unpacked_mtime: int | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


class Artifact(ABC):
    """An artifact that is open for reading. Nothing is unpacked, and nothing is changed.

    Paths may lead through links, which are followed as the system does that the artifact is for: in an image, an
    absolute link begins at the root of the image.

    Attributes:
        path: of the artifact.
        format: how its files are stored.
        problems: what could be loaded from it as bytecode, and cannot be judged.
        root: the path of its root. It is empty, so that paths are those in the artifact, except of a directory, whose
            files have the paths that they have on disk, with ``/`` on every system.
        imported_since: the first version of CPython that imports from it, if it is an archive.
        ignored: the paths of files that are not listed, because they are judged otherwise.

    """

    path: Path
    format: Format
    problems: list[str]
    root = ""
    imported_since: tuple[int, int] = (3, 8)
    ignored: Collection[str] = ()

    @property
    @abstractmethod
    def entries(self) -> Mapping[str, Entry]:
        """All entries by their paths, without those below links."""

    @abstractmethod
    def listing(self, directory: str) -> list[Entry]:
        """Return what is in a directory, in the order of the names; the entries have paths below the one given.

        Raises:
            DetpycError: if it cannot be read.

        """

    @abstractmethod
    def real(self, path: str) -> str:
        """Return a path that leads to the same place without links."""

    @abstractmethod
    def find(self, path: str) -> Entry | None:
        """Return what a path leads to, with the path that is given; None if there is nothing."""

    @abstractmethod
    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a file.

        Args:
            path: of the file.
            limit: its largest size, in bytes.

        Raises:
            TooLargeError: if it is larger.
            DetpycError: if the file does not exist, or it cannot be read.

        """

    @abstractmethod
    def open_ends(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for its first and last bytes, which show whether Python runs it; what is between may be missing.

        Raises:
            DetpycError: if the file does not exist, or it cannot be read.

        """

    @abstractmethod
    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file, of any size.

        Raises:
            DetpycError: if the file does not exist, or it cannot be read.

        """

    def is_file(self, path: str) -> bool:
        """Return whether a path leads to a file."""
        entry = self.find(path)
        return entry is not None and entry.kind is Kind.FILE

    def shown(self, path: str) -> str:
        """Return a path as it is reported."""
        return path
