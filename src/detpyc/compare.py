"""Compare two pycs, wheels or directory trees, and explain what is different."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from detpyc.bytecode.canonical import canonicalize_pyc
from detpyc.bytecode.explain import HEADER, Difference, explain
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.compilation import interpreters
from detpyc.errors import BytecodeError, DetpycError, InterpreterError
from detpyc.files import open_locked, walk
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from detpyc.wheel.archive import Archive, Member

MEMBER = "member"
CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different between two pycs, wheels or trees.

    Attributes:
        only_a: the files that only the first has.
        only_b: the files that only the second has.
        changed: the files that both have, each with its differences; of two pycs, the first one's path alone.

    """

    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    changed: dict[str, tuple[Difference, ...]]

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not (self.only_a or self.only_b or self.changed)


def compare(a: Path, b: Path) -> Comparison:
    """Compare two pycs, two wheels or two directories.

    Args:
        a: the first.
        b: the second, of the same kind.

    Returns:
        What is different.

    Raises:
        DetpycError: if one cannot be read, or they are not of one kind.

    """
    for path in (a, b):
        if not path.exists():
            raise DetpycError(f"{path}: there is no such file or directory")
    if a.is_dir() and b.is_dir():
        return _compare_trees(a, b)
    suffixes = {a.suffix, b.suffix}
    if a.is_dir() or b.is_dir() or suffixes not in ({".whl"}, {".pyc"}):
        raise DetpycError(f"{a} and {b}: are not two pycs, two wheels or two directories")
    if suffixes == {".whl"}:
        return _compare_wheels(a, b)
    found = _compare_content(str(a), _content(a), _content(b))
    return Comparison((), (), {str(a): found} if found else {})


def compare_pycs(a: bytes, b: bytes) -> list[Difference]:
    """Compare two pycs.

    Args:
        a: the first file's bytes.
        b: the second's.

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
        for aspect, shown_a, shown_b in (
            ("magic number", _magic(first), _magic(second)),
            ("invalidation mode", first.mode, second.mode),
            ("source hash", _hex(first.source_hash), _hex(second.source_hash)),
            ("mtime", str(first.mtime), str(second.mtime)),
            ("source size", str(first.source_size), str(second.source_size)),
        )
        if shown_a != shown_b
    ]
    if first.version == second.version:
        found += explain(a[HEADER_SIZE:], b[HEADER_SIZE:], first.version, _opcodes(first.version))
    return found


def _magic(header: PycHeader) -> str:
    return "{} (CPython {}.{})".format(header.magic_number, *header.version)


def _hex(source_hash: bytes | None) -> str:
    return "none" if source_hash is None else source_hash.hex()


@cache
def _opcodes(version: tuple[int, int]) -> dict[int, str]:
    """Return the opcodes of a version by number; none where no interpreter of it is at hand."""
    try:
        return interpreters.opcodes(interpreters.find("{}.{}".format(*version)))
    except InterpreterError:
        return {}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DetpycError(f"{path}: cannot be read: {error.strerror}") from error


def _compare_content(name: str, a: bytes, b: bytes) -> tuple[Difference, ...]:
    if a == b:
        return ()
    if name.endswith(".pyc"):
        faults = _fault(a), _fault(b)
        if faults == ("readable", "readable"):
            return tuple(compare_pycs(a, b))
        return (Difference(CONTENT, "bytecode", "", "", *faults),)
    offset = next((at for at, pair in enumerate(zip(a, b, strict=False)) if pair[0] != pair[1]), min(len(a), len(b)))
    shown = f"{a[offset : offset + 16]!r}", f"{b[offset : offset + 16]!r}"
    return (Difference(CONTENT, "content", "", f"from byte {offset} on", *shown),)


def _fault(data: bytes) -> str:
    """Say why a pyc cannot be read."""
    try:
        canonicalize_pyc(data)
    except BytecodeError as error:
        return f"not readable: {error}"
    return "readable"


def _compare_named(
    a: Iterable[str], b: Iterable[str], differences: Callable[[str], tuple[Difference, ...]]
) -> Comparison:
    in_a, in_b = list(a), list(b)
    both = set(in_b)
    changed = {name: differences(name) for name in in_a if name in both}
    return Comparison(
        tuple(name for name in in_a if name not in both),
        tuple(name for name in in_b if name not in set(in_a)),
        {name: found for name, found in changed.items() if found},
    )


def _compare_trees(a: Path, b: Path) -> Comparison:
    def differences(name: str) -> tuple[Difference, ...]:
        return _compare_content(name, _content(a / name), _content(b / name))

    in_a, in_b = ([file.relative_to(top).as_posix() for file in walk(top, "")] for top in (a, b))
    return _compare_named(in_a, in_b, differences)


def _compare_wheels(a: Path, b: Path) -> Comparison:
    with open_locked(a) as stream_a, open_locked(b) as stream_b:
        first, second = Wheel.read(a, stream_a).archive, Wheel.read(b, stream_b).archive
        order_a, order_b = _order(first, second), _order(second, first)

        def differences(name: str) -> tuple[Difference, ...]:
            member_a, member_b = first.members[name], second.members[name]
            found = [
                Difference(MEMBER, aspect, "", "", shown_a, shown_b)
                for (aspect, shown_a), (_, shown_b) in zip(_metadata(member_a), _metadata(member_b), strict=True)
                if shown_a != shown_b
            ]
            if order_a[name] != order_b[name]:
                found.append(Difference(MEMBER, "place", "", "", f"after {order_a[name]}", f"after {order_b[name]}"))
            if (member_a.crc, member_a.size) != (member_b.crc, member_b.size):
                found += _compare_content(name, first.read(name), second.read(name))
            elif member_a.compressed_size != member_b.compressed_size and member_a.method == member_b.method:
                sizes = str(member_a.compressed_size), str(member_b.compressed_size)
                found.append(Difference(MEMBER, "compressed size", "", "", *sizes))
            return tuple(found)

        return _compare_named(first.members, second.members, differences)


def _order(archive: Archive, other: Archive) -> dict[str, str]:
    """Return before each member that another archive has as well the one that stands before it."""
    names = ["nothing", *(name for name in archive.members if name in other.members)]
    return dict(zip(names[1:], names, strict=False))


def _metadata(member: Member) -> tuple[tuple[str, str], ...]:
    return (
        ("date", "{}-{:02}-{:02} {:02}:{:02}:{:02}".format(*member.date_time)),
        ("mode", stat.filemode(member.external_attributes >> 16)),
        ("compression", {0: "stored", 8: "deflated"}[member.method]),
        ("system", str(member.create_system)),
    )
