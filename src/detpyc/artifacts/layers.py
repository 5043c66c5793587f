"""Read tar archives, and lay them over each other as the layers of an image.

The rules are those of the OCI's image specification, "Image Layer Filesystem Changeset"; a tar file is a single layer
without whiteouts.
"""

from __future__ import annotations

import tarfile
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from detpyc.artifacts.compression import Budget, Decompressed, Section, decompressed
from detpyc.artifacts.entries import Entry, Kind
from detpyc.artifacts.packed import END, START
from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_CONTENTS, MAX_ENTRIES, MAX_FILE, MAX_TAR_HEADERS
from detpyc.replacement import temporary_directory
from detpyc.tar_headers import FILE_TYPES, MalformedTarError, member_path, read_headers
from detpyc.wheel.zip_format import END as END_RECORD
from detpyc.wheel.zip_format import END_SIGNATURE, MAX_COMMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    from detpyc.tar_headers import Seekable

__all__ = ["FileSystem", "Place", "Store"]

_CHUNK = 1 << 20  # bytes
_IN_MEMORY = 32 << 20  # bytes; more are written to a temporary file
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_OF_AUFS = ".wh..wh."  # its own files, which no runtime unpacks
# What is read in any order.
_NEEDED = (".py", ".pyc", ".pth", "._pth", ".dist-info/RECORD", ".dist-info/METADATA", "detpyc.json")
_KINDS = {
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.CHRTYPE: Kind.OTHER,
    tarfile.BLKTYPE: Kind.OTHER,
    tarfile.FIFOTYPE: Kind.OTHER,
    **dict.fromkeys((*FILE_TYPES, tarfile.LNKTYPE), Kind.FILE),
}


class Place(NamedTuple):
    """Where the content of a file is.

    Attributes:
        stream: that it is in.
        offset: in the stream.
        size: in bytes.
        ends: where its first and last bytes are, if they are elsewhere.

    """

    stream: Seekable
    offset: int
    size: int
    ends: Place | None = None

    def first_and_last(self) -> bytes:
        """Return the first and the last bytes of the content, joined, or all of it."""
        if self.ends is not None:
            return b"".join(self.ends.chunks())
        if self.size <= END:
            return b"".join(self.chunks())
        return b"".join(
            [
                *self._replace(size=START).chunks(),
                *self._replace(offset=self.offset + self.size - END, size=END).chunks(),
            ]
        )

    def chunks(self) -> Iterator[bytes]:
        """Yield the content."""
        position = self.offset
        end = self.offset + self.size
        while position < end:
            self.stream.seek(position)
            chunk = self.stream.read(min(_CHUNK, end - position))
            if not chunk:
                raise MalformedTarError("is truncated")
            position += len(chunk)
            yield chunk


class Store:
    """What is read of one artifact: a temporary file without a name.

    Attributes:
        budget: how much may still be decompressed.
        members: how many headers of tar archives were read.
        whole: whether compressed archives are decompressed as a whole, since all files in them are read in any order.

    """

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self.budget = Budget()
        self.members = 0
        directory = str(temporary_directory())
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=directory)  # noqa: SIM115 - see `close`
        self._size = 0

    def keep(self, name: str, place: Place) -> Place:
        """Copy what may be needed of a file.

        Raises:
            TooLargeError: if all of it is too large.

        """
        if name.endswith(_NEEDED) and place.size <= MAX_FILE:
            return self._copy(place.size, place.chunks())
        ends = place.first_and_last()
        # What Python could run begins with a magic number, or ends with the end record of an archive.
        may_be_run = ends[2:START] == b"\r\n" or END_SIGNATURE in ends[-MAX_COMMENT - END_RECORD.size :]
        return place._replace(ends=self._copy(len(ends), [ends]) if may_be_run else Place(self._file, 0, 0))

    def _copy(self, size: int, chunks: Iterable[bytes]) -> Place:
        kept = Place(self._file, self._size, size)
        self._size += size
        if self._size > MAX_CONTENTS:
            raise TooLargeError(
                f"has more than {MAX_CONTENTS} bytes that have to be decompressed first, which is the limit"
            )
        self._file.seek(kept.offset)
        for chunk in chunks:
            self._file.write(chunk)
        return kept

    def copy(self, stream: Seekable) -> tuple[Seekable, int]:
        """Copy a whole stream; return the copy, and its size.

        Raises:
            TooLargeError: if it is too large.

        """
        start = self._size
        stream.seek(0)
        while chunk := stream.read(_CHUNK):
            self._copy(len(chunk), [chunk])
        return Section(self._file, start, self._size - start), self._size - start

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class _Member(NamedTuple):
    """A member of an archive.

    Attributes:
        entry: what it is.
        place: of a file's content.
        original: of a hard link, the path of the file that it is a link to.

    """

    entry: Entry
    place: Place | None = None
    original: str | None = None


class _Node:
    """A file or a directory in a file system."""

    __slots__ = ("children", "entry", "place")

    def __init__(self, entry: Entry, place: Place | None = None) -> None:
        self.entry = entry
        self.place = place
        self.children: dict[str, _Node] = {}


class FileSystem:
    """The files of layers that were laid over each other.

    Attributes:
        problems: what programs would unpack differently.

    """

    def __init__(self, store: Store) -> None:
        self.problems: list[str] = []
        self._store = store
        self._root = _Node(Entry("", Kind.DIRECTORY))

    def add_tar(self, stream: Seekable, size: int) -> None:
        """Lay the members of a tar archive over what is there; it may be compressed.

        Args:
            stream: the archive; it must stay open while files are read.
            size: of the stream, in bytes.

        Raises:
            DetpycError: if it is malformed, or exceeds a limit.

        """
        self._add(self._read(stream, size))

    def add_layer(self, stream: Seekable, size: int, layer: str) -> None:
        """Lay a layer over those before it.

        Args:
            stream: its archive; it must stay open while files are read.
            size: of the stream, in bytes.
            layer: its name, for the entries.

        Raises:
            DetpycError: if it is malformed, or exceeds a limit.

        """
        members: list[_Member] = []
        for member in self._read(stream, size):
            name = member.entry.name
            if not name.startswith(_WHITEOUT):
                members.append(member._replace(entry=member.entry._replace(layer=layer)))
            # Of what the layer itself has, nothing is hidden, wherever the whiteout is.
            elif not self._hide(member.entry.path):
                self.problems.append(f"{member.entry.path}: is a whiteout of nothing, in layer {layer}")
        self._add(members)

    def entries(self) -> Iterator[tuple[Entry, Place | None]]:
        """Yield all entries, with the places of the files' contents."""
        pending = [*self._root.children.values()]
        while pending:
            node = pending.pop()
            yield node.entry, node.place
            pending += node.children.values()

    def _read(self, stream: Seekable, size: int) -> Iterator[_Member]:
        """Yield the members of an archive, in its order; keep the contents of those that are needed."""
        archive = decompressed(stream, self._store.budget)
        compressed = isinstance(archive, Decompressed)
        if compressed and self._store.whole:
            (archive, size), compressed = self._store.copy(archive), False
        for info in read_headers(archive, max_members=MAX_ENTRIES, max_extended=MAX_TAR_HEADERS):
            self._store.members += 1
            if self._store.members > MAX_ENTRIES:
                raise TooLargeError(f"has more than {MAX_ENTRIES} members, which is the limit")
            member = _member(info, archive)
            if member is None:
                continue
            place = member.place
            if place is not None and compressed:
                member = member._replace(place=self._store.keep(member.entry.path, place))
            elif place is not None and place.offset + place.size > size:
                raise MalformedTarError(f"{member.entry.path} is truncated")
            yield member

    def _hide(self, whiteout: str) -> bool:
        """Remove what a whiteout hides; return whether there was something."""
        directory, _, name = whiteout.rpartition("/")
        node = self._find(directory)
        if name == _OPAQUE:
            found = node is not None
            if node is not None:
                node.children.clear()
            return found
        if name.startswith(_OF_AUFS):
            return True
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in {"", ".", ".."}:
            raise DetpycError(f"has the unsafe whiteout {whiteout!r}")
        return node is not None and node.children.pop(hidden, None) is not None

    def _find(self, path: str) -> _Node | None:
        node: _Node | None = self._root
        for part in path.split("/") if path else ():
            node = None if node is None else node.children.get(part)
        return node

    def _add(self, members: Iterator[_Member] | list[_Member]) -> None:
        added: dict[str, Kind] = {}
        for member in members:
            path = member.entry.path
            directory, _, name = path.rpartition("/")
            parent = self._directory(directory)
            if parent is None:
                self.problems.append(f"{path}: is below a file or a link, which programs unpack differently")
                continue
            kind = member.entry.kind
            # Where a file is before a directory of its path, some programs leave it.
            if path in added and not added[path] is kind is Kind.DIRECTORY:
                self.problems.append(f"{path}: occurs twice")
            added[path] = kind
            while directory and directory not in added:  # those that need no members of their own
                added[directory] = Kind.DIRECTORY
                directory = directory.rpartition("/")[0]
            self._put(parent, name, member)

    def _put(self, parent: _Node, name: str, member: _Member) -> None:
        entry, place = member.entry, member.place
        if member.original is not None:
            original = self._find(member.original)
            if original is None or original.entry.kind is not Kind.FILE:
                self.problems.append(
                    f"{entry.path}: is a hard link to {member.original}, which is not a file before it"
                )
                return
            entry = original.entry._replace(path=entry.path, layer=entry.layer)
            place = original.place
        node = _Node(entry, place)
        before = parent.children.get(name)
        if before is not None and entry.kind is before.entry.kind is Kind.DIRECTORY:
            node.children = before.children
        parent.children[name] = node

    def _directory(self, path: str) -> _Node | None:
        """Return a directory, which is made if it does not exist; None if a part of its path is something else."""
        node = self._root
        for part in path.split("/") if path else ():
            child = node.children.get(part)
            if child is None:
                child_path = f"{node.entry.path}/{part}" if node.entry.path else part
                child = node.children[part] = _Node(Entry(child_path, Kind.DIRECTORY))
            if child.entry.kind is not Kind.DIRECTORY:
                return None
            node = child
        return node


def _member(info: tarfile.TarInfo, archive: Seekable) -> _Member | None:
    """Return what a header describes; None for the root.

    Raises:
        DetpycError: if its path is unsafe, or it is something that is not known.

    """
    path = member_path(info.name)
    if not path:
        return None
    kind = _KINDS.get(info.type)
    if kind is None:
        raise DetpycError(f"has {path!r}, which is of the unknown type {info.type!r}")
    if info.type == tarfile.LNKTYPE:
        return _Member(Entry(path, kind), original=member_path(info.linkname))
    if kind is Kind.LINK:
        target = info.linkname if "\0" not in info.linkname else ""
        return _Member(Entry(path, kind, mode=info.mode, target=target))
    if kind is Kind.FILE:
        entry = Entry(path, kind, info.size, int(info.mtime), info.mode & 0o7777)
        return _Member(entry, Place(archive, info.offset_data, info.size))
    return _Member(Entry(path, kind, mode=info.mode))
