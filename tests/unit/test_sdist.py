"""Source distributions: what is read and unpacked, and which archives are refused."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from bounds import bounded
from detpyc import sdist
from detpyc.errors import DetpycError, TooLargeError
from detpyc.sdist import open_sdist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

REAL = tarfile.REGTYPE


def member(name: str, content: bytes = b"", *, mode: int = 0o644, mtime: int = 0) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, mtime
    return info, content


def special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return special(name, tarfile.SYMTYPE, target)


def archive(
    path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT, **headers: str
) -> Path:
    with tarfile.open(path, "w:gz", format=form, pax_headers=headers) as stream:
        for info, content in members:
            stream.addfile(info, io.BytesIO(content))
    return path


def raw(path: Path, *blocks: bytes) -> Path:
    """Write headers as they are, each with its content, padded."""
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for block in blocks:
            stream.write(block + bytes(-len(block) % tarfile.BLOCKSIZE))
        stream.write(bytes(2 * tarfile.BLOCKSIZE))
    return path


def header(name: str, kind: bytes, size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def with_fields(block: bytes, fields: dict[int, bytes]) -> bytes:
    """Change a header at some offsets, and its checksum."""
    changed = bytearray(block)
    for at, value in {**fields, 148: b" " * 8}.items():
        changed[at : at + len(value)] = value
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def pax(*records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    content = b"".join(records)
    return header("pax", kind, len(content)) + content


def unpacked(path: Path) -> dict[str, str | bytes]:
    """Unpack an archive; return its files' contents and its links' targets."""
    with open_sdist(path) as opened:
        top = opened.unpack(path.parent / "out")
    return {
        found.relative_to(top.parent).as_posix(): str(found.readlink()) if found.is_symlink() else found.read_bytes()
        for found in top.rglob("*")
        if found.is_symlink() or found.is_file()
    }


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_formats(form: int, tmp_path: Path) -> None:
    """The same files as `tarfile` extracts; in two of the formats, a name may be long."""
    long = "d" * 90 if form == tarfile.USTAR_FORMAT else "d" * 200
    files = {f"p-1/{long}/é.py": b"x" * 700, "p-1/b.py": b"", "p-1/c": bytes(512), "p-1/d": b"end"}
    path = archive(tmp_path / "p-1.tar.gz", [member(name, content) for name, content in files.items()], form)
    with tarfile.open(path) as stream:
        foreign = {info.name: stream.extractfile(info).read() for info in stream}  # type: ignore[union-attr]
    assert foreign == files
    assert unpacked(path) == files
    with open_sdist(path) as opened:
        assert {name: opened.read(name, 700) for name in reversed(opened.files)} == files
        with pytest.raises(TooLargeError, match=r"p-1\.tar\.gz: .* has 700 bytes; the limit is 699"):
            opened.read(f"p-1/{long}/é.py", 699)


def test_global_header_with_a_comment(tmp_path: Path) -> None:
    """As ``git archive`` writes it."""
    assert unpacked(archive(tmp_path / "p.tar.gz", [member("p/x", b"x")], comment="1a2b")) == {"p/x": b"x"}


def test_large_pax_size(tmp_path: Path) -> None:
    size = b"13 size=1000\n"
    path = raw(tmp_path / "p.tar.gz", pax(size), header("p/a", REAL), b"a" * 1000, header("p/b", REAL, 1), b"b")
    assert unpacked(path) == {"p/a": b"a" * 1000, "p/b": b"b"}


def test_modes_and_times(tmp_path: Path) -> None:
    """The modes as git has them, whatever the umask; the times of the files, as far as a file system can store them."""
    cases = {0o600: 0o644, 0o6755: 0o755, 0o777: 0o755, 0: 0o644, 0o700: 0o755}
    times = {0: 0, 1_600_000_000: 1_600_000_000, 1 << 62: 0xFFFFFFFF}
    members = [member(f"p/{mode}", mode=mode) for mode in cases]
    members += [member(f"p/t{mtime}", mtime=mtime) for mtime in times]
    unpacked(archive(tmp_path / "p.tar.gz", members, tarfile.GNU_FORMAT))
    top = tmp_path / "out" / "p"
    assert {mode: stat.S_IMODE((top / f"{mode}").stat().st_mode) for mode in cases} == cases
    assert {mtime: int((top / f"t{mtime}").stat().st_mtime) for mtime in times} == times


def test_paths_are_shortened(tmp_path: Path) -> None:
    names = ["./", "./p/", "./p/x", "p//y/", "p/./z"]
    members = [special(name, tarfile.DIRTYPE) if name.endswith("/") else member(name) for name in names]
    assert unpacked(archive(tmp_path / "p.tar.gz", members)) == {"p/x": b"", "p/z": b""}
    assert (tmp_path / "out" / "p" / "y").is_dir()


def test_last_of_two_members_counts(tmp_path: Path) -> None:
    assert unpacked(archive(tmp_path / "p.tar.gz", [member("p/x", b"old"), member("p/x", b"new")])) == {"p/x": b"new"}


def test_links_that_stay_inside(tmp_path: Path) -> None:
    members = [
        link("p/docs/up", "../x"),
        link("p/docs/here", "./a"),
        link("p/gone", "missing"),
        link("p/top", "."),
        link("p/twice", "gone"),
        member("p/x", b"x"),
        special("p/hard", tarfile.LNKTYPE, "p/x"),
    ]
    assert unpacked(archive(tmp_path / "p.tar.gz", members)) == {
        "p/docs/up": "../x",
        "p/docs/here": "a",
        "p/gone": "missing",
        "p/top": ".",
        "p/twice": "gone",
        "p/x": b"x",
        "p/hard": b"x",
    }
    (tmp_path / "out" / "p" / "hard").write_bytes(b"changed")
    assert (tmp_path / "out" / "p" / "x").read_bytes() == b"x"


UNSAFE = "has the unsafe path "
UNSAFE_LINK = "has the unsafe symbolic link "
MALFORMED = r"not a source distribution \(\.tar\.gz\): "

REFUSED: dict[str, tuple[Callable[[], list[tuple[tarfile.TarInfo, bytes]]], str]] = {
    "absolute": (lambda: [member("/p/x")], UNSAFE),
    "parent": (lambda: [member("p/../x")], UNSAFE),
    "backslash": (lambda: [member("p\\x")], UNSAFE),
    "drive": (lambda: [member("C:x")], UNSAFE),
    "deep": (
        lambda: [member("p/" * 100 + "x")],
        "has a path of 201 characters and 101 parts; the limits are 4096 and 100",
    ),
    "long": (lambda: [member("p/" + "x" * 4096)], "has a path of 4098 characters"),
    "device": (lambda: [special("p/x", tarfile.CHRTYPE)], "has 'p/x', which is not a file, directory or link"),
    "fifo": (lambda: [special("p/x", tarfile.FIFOTYPE)], "is not a file, directory or link"),
    "sparse": (lambda: [special("p/x", tarfile.GNUTYPE_SPARSE)], "is not a file, directory or link"),
    "absolute link": (lambda: [link("p/x", "/etc/passwd")], UNSAFE_LINK),
    "link outside": (lambda: [link("p/x", "../../x")], UNSAFE_LINK),
    "link outside, later": (lambda: [link("p/x", "a/../../../x")], UNSAFE_LINK),
    "empty link": (lambda: [link("p/x", "")], UNSAFE_LINK),
    "link with a backslash": (lambda: [link("p/x", "a\\b")], UNSAFE_LINK),
    "link by drive": (lambda: [link("p/x", "C:x")], UNSAFE_LINK),
    "link through a link": (lambda: [link("p/a/b/dir", "../.."), link("p/x", "a/b/dir/y")], UNSAFE_LINK),
    "below a link": (lambda: [link("p/x", "y"), member("p/x/z")], "has 'p/x/z', which is below a file or a link"),
    "link that comes later": (lambda: [member("p/x/z"), link("p/x", "y")], "has 'p/x/z', which is below"),
    "below a file": (lambda: [member("p/x"), member("p/x/y")], "has 'p/x/y', which is below a file or a link"),
    "hard link outside": (lambda: [special("p/x", tarfile.LNKTYPE, "../x")], UNSAFE),
    "hard link to nothing": (
        lambda: [special("p/x", tarfile.LNKTYPE, "p/y"), member("p/y")],
        "has the hard link 'p/x' to 'p/y', which is not a file before it",
    ),
    "hard link to a link": (lambda: [link("p/y", "z"), special("p/x", tarfile.LNKTYPE, "p/y")], "is not a file before"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_members(case: str, tmp_path: Path) -> None:
    make, fault = REFUSED[case]
    path = archive(tmp_path / "p.tar.gz", [member("p/first"), *make()])
    with pytest.raises(DetpycError, match=fault) as caught, open_sdist(path):
        pass
    assert caught.value.path == str(path)


RECORD = b"10 path=p\n"
REFUSED_HEADERS: dict[str, tuple[Callable[[], list[bytes]], str]] = {
    "global path": (
        lambda: [pax(RECORD, kind=tarfile.XGLTYPE), header("p/x", REAL)],
        "has a global header that names a member",
    ),
    "sparse": (lambda: [pax(b"22 GNU.sparse.major=1\n"), header("p/x", REAL)], "has a sparse file"),
    "no number": (lambda: [pax(b"path=p\n"), header("p/x", REAL)], f"{MALFORMED}malformed pax header"),
    "length of zero": (lambda: [pax(b"0 path=p\n"), header("p/x", REAL)], f"{MALFORMED}malformed pax header"),
    "too long": (lambda: [pax(b"99 path=p\n"), header("p/x", REAL)], f"{MALFORMED}malformed pax header"),
    "too short": (lambda: [pax(b"3 path=p\n"), header("p/x", REAL)], f"{MALFORMED}malformed pax header"),
    "negative size in pax": (lambda: [pax(b"11 size=-1\n"), header("p/x", REAL)], f"{MALFORMED}malformed pax header"),
    "null in a path": (lambda: [pax(b"12 path=p\0x\n"), header("p/x", REAL)], UNSAFE),
    "negative size": (
        lambda: [header("p/x", REAL, -512), header("p/y", REAL)],
        f"{MALFORMED}'p/x' has a negative size",
    ),
    "truncated": (lambda: [header("p/x", REAL, 1 << 20)], f"{MALFORMED}p/x is truncated"),
    "no member after pax": (lambda: [pax(RECORD)], f"{MALFORMED}the last member is missing"),
    "two pax headers": (
        lambda: [pax(RECORD), pax(RECORD), header("p/x", REAL)],
        "has two extended headers that set the path of one member",
    ),
    "pax and GNU headers": (
        lambda: [header("long", tarfile.GNUTYPE_LONGNAME, 3) + b"p/y", pax(RECORD), header("p/x", REAL)],
        "has two extended headers that set the path of one member",
    ),
    "two records": (lambda: [pax(RECORD, RECORD), header("p/x", REAL)], f"{MALFORMED}malformed pax header"),
    "real size": (lambda: [pax(b"21 SCHILY.realsize=3\n"), header("p/x", REAL)], "has a sparse file"),
    "attribute of overlayfs": (
        lambda: [pax(b"46 SCHILY.xattr.trusted.overlay.redirect=/app\n"), header("p/x", REAL)],
        "has a file whose content is elsewhere",
    ),
    "prefix of GNU": (lambda: [with_fields(header("x", REAL), {345: b"p"})], "has 'p/x', whose path programs read"),
    "prefix of V7": (
        lambda: [with_fields(header("x", REAL), {257: bytes(8), 345: b"p"})],
        "has 'p/x', whose path programs read",
    ),
    "size with a sign": (
        lambda: [with_fields(header("p/x", REAL), {124: b"+0000000017\0"})],
        "'p/x' has a malformed size",
    ),
    "size with an underscore": (
        lambda: [with_fields(header("p/x", REAL), {124: b"0000000_017\0"})],
        "'p/x' has a malformed size",
    ),
    "link with content": (
        lambda: [header("p/x", REAL), header("p/y", tarfile.LNKTYPE, 512)],
        f"{MALFORMED}'p/y' is not a file, and has 512 bytes",
    ),
    "file with a slash": (lambda: [header("p/x/", REAL)], "which is a directory by its name and not by its type"),
    "wrong checksum": (lambda: [header("p/x", REAL).replace(b"p/x", b"p/y")], f"{MALFORMED}bad checksum"),
    "text": (lambda: [b"text"], f"{MALFORMED}"),
}


@pytest.mark.parametrize("case", REFUSED_HEADERS)
def test_refused_headers(case: str, tmp_path: Path) -> None:
    make, fault = REFUSED_HEADERS[case]
    with pytest.raises(DetpycError, match=fault), open_sdist(raw(tmp_path / "p.tar.gz", *make())):
        pass


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the archive is empty"),
        (gzip.compress(b"", mtime=0), "the archive is empty"),
        (b"\x1f\x8b\x08\x00truncated", "Compressed file ended"),
        (b"BZh91AY&SY", "Not a gzipped file"),
    ],
)
def test_not_gzip(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "p.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DetpycError, match=MALFORMED + fault), open_sdist(path):
        pass


@bounded()
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_huge_header(kind: bytes, tmp_path: Path) -> None:
    """2 GiB of it, which `tarfile` would read into memory; whether they are there or not."""
    path = raw(tmp_path / "p.tar.gz", header("pax", kind, 2 << 30) + bytes(64 << 20))
    with pytest.raises(TooLargeError, match=r"has more than 16777216 bytes of extended headers"), open_sdist(path):
        pass


@bounded()
def test_many_headers(tmp_path: Path) -> None:
    path = raw(tmp_path / "p.tar.gz", *[header("pax", tarfile.XHDTYPE, 1 << 20) + bytes(1 << 20)] * 17)
    with pytest.raises(TooLargeError, match=r"has more than 16777216 bytes of extended headers"), open_sdist(path):
        pass


@bounded()
def test_many_members(tmp_path: Path) -> None:
    path = raw(tmp_path / "p.tar.gz", header("p/x", REAL) * 100_001)
    with pytest.raises(TooLargeError, match="has more than 100000 members, which is the limit"), open_sdist(path):
        pass


def test_too_much_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is compressed well, or linked to many times."""
    monkeypatch.setattr(sdist, "MAX_SDIST", 1 << 20)
    bomb = archive(tmp_path / "bomb.tar.gz", [member("p/x", bytes(1 << 20))])
    assert bomb.stat().st_size < 1 << 12
    with pytest.raises(TooLargeError, match="has more than 1048576 bytes when decompressed"), open_sdist(bomb):
        pass
    links = [special(f"p/{number}", tarfile.LNKTYPE, "p/x") for number in range(1024)]
    links = [member("p/x", bytes(1024)), *links]
    with pytest.raises(TooLargeError, match="has more than 1048576 bytes when unpacked"):
        unpacked(archive(tmp_path / "links.tar.gz", links, tarfile.USTAR_FORMAT))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file system may map two names to one."""
    path = archive(tmp_path / "p.tar.gz", [member("p/x", b"x")])
    with open_sdist(path) as opened:
        opened.unpack(tmp_path / "out")
        with pytest.raises(DetpycError, match="cannot be unpacked: File exists: "):
            opened.unpack(tmp_path / "out")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DetpycError, match="cannot be read: No such file"), open_sdist(tmp_path / "p.tar.gz"):
        pass
