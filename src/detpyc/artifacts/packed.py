"""The paths of an artifact that is stored in an archive: directories without entries, and links."""

from __future__ import annotations

import io
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from detpyc.artifacts.entries import Artifact, Entry, Kind
from detpyc.errors import DetpycError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["END", "START", "Packed"]

START = 4  # bytes at the beginning of a file: a magic number
END = 1 << 20  # bytes at its end, where the directory of an archive is

_ROOT = Entry("", Kind.DIRECTORY)


class Packed(Artifact):
    """An artifact whose files are in an archive, and all of whose entries are known once it is open."""

    def __init__(self, path: Path, entries: Iterable[Entry], problems: Iterable[str] = (), *, rooted: bool) -> None:
        """Arrange entries.

        Args:
            path: of the artifact.
            entries: with distinct paths, none of them below a file or a link.
            problems: what could be loaded from it as bytecode, and cannot be judged.
            rooted: whether the artifact is a whole file system, in which absolute links begin at its root.

        """
        self.path = path
        self.problems = [*problems]
        self._rooted = rooted
        self._entries = {entry.path: entry for entry in entries}
        self._children: dict[str, list[Entry]] = {"": []}
        for entry in [*self._entries.values()]:
            self._add(entry)
        for children in self._children.values():
            children.sort(key=lambda child: child.path)
        self._followed: dict[str, str | None] = {}
        self._outward: set[str] = set()
        if not rooted:
            links = [
                entry.path for entry in self._entries.values() if entry.kind is Kind.LINK and not self.find(entry.path)
            ]
            self.problems += (
                f"{link}: is a link that leads out of the archive" for link in links if link in self._outward
            )

    def _add(self, entry: Entry) -> None:
        """Add an entry to its directory, and the directories above it that have no entries."""
        while True:
            parent = entry.path.rpartition("/")[0]
            siblings = self._children.get(parent)
            if siblings is not None:
                siblings.append(entry)
                return
            self._children[parent] = [entry]
            if parent in self._entries:
                return
            entry = self._entries[parent] = Entry(parent, Kind.DIRECTORY)

    @property
    def entries(self) -> Mapping[str, Entry]:
        """All entries by their paths."""
        return self._entries

    def listing(self, directory: str) -> list[Entry]:
        """Return what is in a directory."""
        real = self._resolve(directory)
        if real is None:
            raise DetpycError(f"has no directory {directory}", path=self.path)
        children = [child for child in self._children.get(real, ()) if child.path not in self.ignored]
        if real == directory:
            return children
        return [child._replace(path=f"{directory}/{child.name}".lstrip("/")) for child in children]

    def real(self, path: str) -> str:
        """Return a path that leads to the same place without links."""
        real = self._resolve(path)
        return path if real is None else real

    def find(self, path: str) -> Entry | None:
        """Return what a path leads to."""
        real = self._resolve(path)
        if real is None:
            return None
        entry = self._entries[real] if real else _ROOT
        return entry if real == path else entry._replace(path=path)

    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a file."""
        entry = self._file(path)
        if entry.size > limit:
            raise TooLargeError(f"{path}: has {entry.size} bytes; the limit is {limit}", path=self.path)
        return b"".join(self._chunks(entry))

    @contextmanager
    def open_ends(self, path: str) -> Iterator[BinaryIO]:
        """Open a file for its first and last bytes."""
        yield io.BytesIO(self._ends(self._file(path)))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file."""
        return self._chunks(self._file(path))

    def _file(self, path: str) -> Entry:
        real = self._resolve(path)
        entry = self._entries.get(real or "")
        if entry is None or entry.kind is not Kind.FILE:
            raise DetpycError(f"{path}: not a regular file", path=self.path)
        return entry

    @abstractmethod
    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        """Yield the content of a file."""

    def _ends(self, entry: Entry) -> bytes:
        """Return the first and the last bytes of a file."""
        start = end = b""
        for chunk in self._chunks(entry):
            start = start if len(start) >= START else start + chunk[:START]
            end = (end + chunk)[-END:]
        return end if entry.size <= END else start + end

    def _resolve(self, path: str) -> str | None:
        """Return a path that leads to the same place without links; None if it leads nowhere, out or in a circle."""
        if path in self._entries and self._entries[path].kind is not Kind.LINK:
            return path  # as most do
        current = ""
        pending = _parts(path)
        following: dict[str, None] = {}  # the links whose targets are being resolved
        while pending:
            part = pending.pop()
            if part.startswith(_END):
                link = part[1:]
                del following[link]
                self._followed[link] = current
                continue
            found = self._step(current, part, following, pending)
            if found is None:
                self._followed |= dict.fromkeys(following)
                return None
            current = found
        return current

    def _step(self, current: str, part: str, following: dict[str, None], pending: list[str]) -> str | None:
        """Go from a directory to what a part of a path names; what a link's target consists of is pending then."""
        if part == "..":
            if not current:
                return self._at_root(following)
            return current.rpartition("/")[0] if self._entries[current].kind is Kind.DIRECTORY else None
        path = f"{current}/{part}" if current else part
        entry = self._entries.get(path)
        if entry is None or entry.kind is not Kind.LINK:
            return None if entry is None else path
        if path in self._followed:
            if path in self._outward:
                self._outward.update(following)
            return self._followed[path]
        if path in following or not entry.target:
            return None
        following[path] = None
        pending += (f"{_END}{path}", *_parts(entry.target))
        return self._at_root(following) if entry.target.startswith("/") else current

    def _at_root(self, following: dict[str, None]) -> str | None:
        """Return the root, where absolute links begin, and which is its own parent; None if that leads out."""
        if self._rooted:
            return ""
        self._outward.update(following)
        return None


_END = "/"  # before a link, where its target is resolved; no part of a path begins with it


def _parts(path: str) -> list[str]:
    """Return the parts of a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
