"""Compare two pycs, wheels, directories, archives or images, and explain the differences."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.artifacts.entries import Kind
from detpyc.artifacts.opening import open_artifacts
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.bytecode.reader import read_payload
from detpyc.compilation import interpreters
from detpyc.errors import BytecodeError, DetpycError, InterpreterError
from detpyc.explain.difference import HEADER, Difference
from detpyc.explain.payloads import compare_payloads
from detpyc.files import open_regular, read_chunks, read_file
from detpyc.limits import MAX_FILE, MAX_TEXT
from detpyc.text_diff import TextDiffs
from detpyc.wheel.distribution import is_wheel, open_wheel
from detpyc.wheel.zip_format import STORED
from detpyc.wording import date

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from detpyc.artifacts.entries import Artifact, Entry
    from detpyc.explain.instructions import Opcodes
    from detpyc.wheel.archive import Archive
    from detpyc.wheel.distribution import Wheel
    from detpyc.wheel.zip_format import Member

__all__ = ["ARCHIVE", "CONTENT", "MEMBER", "Comparison", "compare_artifacts", "compare_pycs", "compare_wheels"]

# Further kinds of differences, between artifacts.
MEMBER = "member"
CONTENT = "content"
ARCHIVE = "archive"

_SHOWN = 16  # bytes of a file's content


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between two artifacts.

    Attributes:
        only_a: the files that only the first has.
        only_b: the files that only the second has.
        changed: by name, the differences between the files that both have. For two pycs, and for two archives as a
            whole, the name is the path of the first.

    """

    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    changed: dict[str, tuple[Difference, ...]]

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not (self.only_a or self.only_b or self.changed)


def compare_artifacts(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> Comparison:
    """Compare two pycs, two wheels, or two of directories, archives and images.

    Args:
        a: the path of the first.
        b: the path of the second.

    Returns:
        The differences. Two wheels are equal only if all their bytes are; of all else, only the contents of the files
        in them count.

    Raises:
        DetpycError: if one cannot be read or has several images, or if one is a pyc and the other is not, or not
            understood.

    """
    a, b = Path(a), Path(b)
    for path in (a, b):
        if not path.exists():
            raise DetpycError("no such file or directory", path=path)
    pycs = [path for path in (a, b) if path.suffix == ".pyc" and not path.is_dir()]
    if len(pycs) == 1:
        raise DetpycError(f"{a} and {b} are not two pycs, nor two wheels, directories, archives or images")
    if is_wheel(a) and is_wheel(b):
        return _compare_wheels(a, b)
    if not pycs:
        return _compare_opened(a, b)
    contents = {path: read_file(path) for path in (a, b)}
    try:
        found = compare_pycs(contents[a], contents[b])
    except BytecodeError:
        for path, content in contents.items():
            error = _read_error(content)
            if error is not None:
                error.path = str(path)
                raise error from None
        raise
    return Comparison((), (), {str(a): tuple(found)} if found else {})


def compare_pycs(a: bytes, b: bytes) -> list[Difference]:
    """Compare two pycs.

    Args:
        a: the first file's bytes.
        b: the second file's bytes.

    Returns:
        The differences, first those of the header. Empty only if the files are equal.

    Raises:
        BytecodeError: if one of them is not understood.

    """
    if a == b:
        return []
    first, second = PycHeader.parse(a), PycHeader.parse(b)
    found = [
        Difference(HEADER, aspect, "", "", shown_a, shown_b)
        for (aspect, shown_a), (_, shown_b) in zip(_header(first), _header(second), strict=True)
        if shown_a != shown_b
    ]
    if first.version == second.version:
        try:
            found += compare_payloads(a[HEADER_SIZE:], b[HEADER_SIZE:], first.version, _opcodes(first.version))
        except BytecodeError as error:
            raise error.shifted(HEADER_SIZE) from error
    return found


def _header(header: PycHeader) -> tuple[tuple[str, str], ...]:
    return (
        ("magic number", f"{header.magic_number} (CPython {_dotted(header.version)})"),
        ("invalidation mode", header.mode),
        ("source hash", "none" if header.source_hash is None else header.source_hash.hex()),
        ("mtime", "none" if header.mtime is None else f"{header.mtime} ({date(header.mtime)})"),
        ("source size", "none" if header.source_size is None else str(header.source_size)),
    )


@cache
def _opcodes(version: tuple[int, int]) -> Opcodes:
    """Return the opcodes of a version by number; empty if no interpreter of it is found."""
    try:
        return interpreters.opcodes(interpreters.find_interpreter(_dotted(version)))
    except InterpreterError:
        return {}


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _read_error(data: bytes) -> BytecodeError | None:
    """Return the error that reading a pyc raises; None if there is none."""
    try:
        version = PycHeader.parse(data).version
    except BytecodeError as error:
        return error
    try:
        read_payload(data[HEADER_SIZE:], version)
    except BytecodeError as error:
        return error.shifted(HEADER_SIZE)
    return None


def _compare_bytecode(a: bytes, b: bytes) -> Iterator[Difference]:
    try:
        yield from compare_pycs(a, b)
    except BytecodeError:
        errors = _read_error(a), _read_error(b)
        shown_a, shown_b = ("readable" if error is None else f"not readable: {error}" for error in errors)
        yield Difference(CONTENT, "bytecode", "", "", shown_a, shown_b)


def _compare_chunks(a: Iterable[bytes], b: Iterable[bytes]) -> Iterator[Difference]:
    """Find the first difference between two contents, each given in chunks of any size."""
    pieces_a, pieces_b = filter(None, a), filter(None, b)
    offset, left_a, left_b = 0, b"", b""
    while True:
        left_a, left_b = left_a or next(pieces_a, b""), left_b or next(pieces_b, b"")
        size = min(len(left_a), len(left_b))
        if left_a[:size] != left_b[:size]:
            size = next(at for at in range(size) if left_a[at] != left_b[at])
        offset, left_a, left_b = offset + size, left_a[size:], left_b[size:]
        if (left_a and left_b) or not size:
            break
    if left_a or left_b:
        shown_a, shown_b = (repr(left[:_SHOWN]) if left else "the end" for left in (left_a, left_b))
        yield Difference(CONTENT, "content", "", f"from byte {offset} on", shown_a, shown_b)


def _with_diff(found: Iterable[Difference], diff: tuple[str, ...]) -> list[Difference]:
    """Add a unified diff to what differs between two contents."""
    return [replace(difference, diff=diff) for difference in found]


def _compare_named(
    a: Iterable[str], b: Iterable[str], differences: Callable[[str], Iterable[Difference]]
) -> Comparison:
    in_a, in_b = dict.fromkeys(a), dict.fromkeys(b)
    changed = {name: tuple(differences(name)) for name in in_a if name in in_b}
    return Comparison(
        tuple(name for name in in_a if name not in in_b),
        tuple(name for name in in_b if name not in in_a),
        {name: found for name, found in changed.items() if found},
    )


def _compare_opened(a: Path, b: Path) -> Comparison:
    """Compare the files in directories, archives and images."""
    with open_artifacts(a, whole=True) as in_a, open_artifacts(b, whole=True) as in_b:
        first, second = _only(a, in_a), _only(b, in_b)
        files_a, files_b = _files(first), _files(second)
        texts = TextDiffs()

        def differences(name: str) -> Iterator[Difference]:
            return _compare_entries(name, (first, files_a[name]), (second, files_b[name]), texts)

        return _compare_named(files_a, files_b, differences)


def _only(path: Path, artifacts: Sequence[Artifact]) -> Artifact:
    """Return the only image of a layout, or what is not one."""
    images = artifacts[:-1]
    if len(images) > 1:
        raise DetpycError(f"has {len(images)} images, and only one can be compared", path=path)
    return artifacts[0]


def _files(artifact: Artifact) -> dict[str, Entry]:
    """Return what is not a directory, by its path below the root."""
    start = len(f"{artifact.root.rstrip('/')}/") if artifact.root else 0
    return {path[start:]: entry for path, entry in artifact.entries.items() if entry.kind is not Kind.DIRECTORY}


def _compare_entries(
    name: str, first: tuple[Artifact, Entry], second: tuple[Artifact, Entry], texts: TextDiffs
) -> Iterator[Difference]:
    """Compare two files; symbolic links by their targets, which are not followed."""
    (a, file_a), (b, file_b) = first, second
    kind_a, kind_b = _kind(file_a), _kind(file_b)
    if kind_a != kind_b:
        yield Difference(CONTENT, "kind", "", "", kind_a, kind_b)
    elif file_a.kind is Kind.FILE:
        if file_a.name.endswith(".pyc") and max(file_a.size, file_b.size) <= MAX_FILE:
            yield from _compare_bytecode(a.read(file_a.path, MAX_FILE), b.read(file_b.path, MAX_FILE))
        else:
            found = list(_compare_chunks(a.chunks(file_a.path), b.chunks(file_b.path)))
            if found and max(file_a.size, file_b.size) <= MAX_TEXT:
                contents = a.read(file_a.path, MAX_TEXT), b.read(file_b.path, MAX_TEXT)
                found = _with_diff(found, texts.diff(name, *contents))
            yield from found


def _kind(entry: Entry) -> str:
    if entry.kind is Kind.LINK:
        return f"a symbolic link to {entry.target}"
    return "a file" if entry.kind is Kind.FILE else "neither a file nor a link"


def _compare_wheels(a: Path, b: Path) -> Comparison:
    with open_regular(a) as stream_a, open_regular(b) as stream_b:
        (*as_files,) = _compare_chunks(read_chunks(stream_a), read_chunks(stream_b))
    if not as_files:
        return Comparison((), (), {})
    with open_wheel(a) as first, open_wheel(b) as second:
        found = compare_wheels(first, second)
    if found.same:  # the members are equal, with everything that is read of them
        (as_file,) = as_files
        return Comparison((), (), {str(a): (replace(as_file, kind=ARCHIVE, aspect="headers"),)})
    return found


def compare_wheels(first: Wheel, second: Wheel) -> Comparison:
    """Compare the members of two open wheels; what is around them is not compared."""
    order_a, order_b = _order(first.archive, second.archive), _order(second.archive, first.archive)
    texts = TextDiffs()

    def differences(name: str) -> Iterator[Difference]:
        yield from _compare_metadata(first.archive.members[name], second.archive.members[name])
        if order_a[name] != order_b[name]:
            yield Difference(MEMBER, "place", "", "", f"after {order_a[name]}", f"after {order_b[name]}")
        yield from _compare_members(name, first, second, texts)

    return _compare_named(first.archive.members, second.archive.members, differences)


def _order(archive: Archive, other: Archive) -> dict[str, str]:
    """Return for each member that another archive has too the one before it."""
    names = ["nothing", *(name for name in archive.members if name in other.members)]
    return dict(zip(names[1:], names, strict=False))


def _compare_metadata(a: Member, b: Member) -> Iterator[Difference]:
    for (aspect, shown_a), (_, shown_b) in zip(_metadata(a), _metadata(b), strict=True):
        if shown_a != shown_b:
            yield Difference(MEMBER, aspect, "", "", shown_a, shown_b)


def _metadata(member: Member) -> tuple[tuple[str, str], ...]:
    return (
        ("date", "{}-{:02}-{:02} {:02}:{:02}:{:02}".format(*member.date_time)),
        ("mode", stat.filemode(member.external_attributes >> 16)),
        ("attributes", f"{member.external_attributes & 0xFFFF:#x}, {member.internal_attributes:#x}"),
        ("system", str(member.create_system)),
        ("compression", "stored" if member.method == STORED else "deflated"),
    )


def _compare_members(name: str, first: Wheel, second: Wheel, texts: TextDiffs) -> Iterator[Difference]:
    """Compare the contents of two members, and if they are equal the compressed bytes."""
    a, b = first.archive.members[name], second.archive.members[name]
    raw = list(_compare_chunks(first.archive.raw_chunks(name), second.archive.raw_chunks(name)))
    if a.method == b.method and not raw:
        return
    if name.endswith(".pyc") and max(a.size, b.size) <= MAX_FILE:
        found = list(_compare_bytecode(first.read_member(name, MAX_FILE), second.read_member(name, MAX_FILE)))
    else:
        found = list(_compare_chunks(first.archive.chunks(name), second.archive.chunks(name)))
        if found and max(a.size, b.size) <= MAX_TEXT:
            found = _with_diff(found, texts.diff(name, first.read_member(name), second.read_member(name)))
    yield from found
    if not found and a.method == b.method:
        sizes = f"{a.compressed_size} bytes", f"{b.compressed_size} bytes"
        yield Difference(MEMBER, "compressed data", "", raw[0].what, *sizes)
