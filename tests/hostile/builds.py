"""Records that wheels are built again from, and source distributions: made to hang, to exhaust memory, or to escape."""

from __future__ import annotations

import gzip
import io
import json
import platform
import tarfile
from functools import partial
from typing import TYPE_CHECKING, Any

import wheels
from detpyc.compilation import interpreters
from detpyc.provenance import Bytecode, Provenance
from hostile.cases import FAILED, FOUND, Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIKE = ("wheel", "--like", "like-1.0-py3-none-any.whl")
REPRODUCE = ("reproduce", "like-1.0-py3-none-any.whl", "--from")
VERIFY = ("verify", "--sources", "p-1.tar.gz")
BLOCK = tarfile.BLOCKSIZE


# Wheels that are made like another one, whose record is untrusted.


def recorded(directory: Path, document: bytes, project: str = "like-1.0") -> Path:
    """Write a wheel with a record."""
    return wheels.build(directory, {"demo.py": b"", f"{project}.dist-info/detpyc.json": document}, project=project)


def document(**changes: object) -> dict[str, Any]:
    """Return the record of a run of this detpyc, with other values for its bytecode."""
    python = interpreters.current()
    bytecode = Bytecode(platform.python_version(), python.cache_tag, python.magic_number, 0, "checked-hash")
    found: dict[str, Any] = json.loads(Provenance((bytecode,)).to_json())
    found["bytecode"][0] |= changes
    return found


def like(content: object, directory: Path) -> Path:
    """Write the record of a wheel, and another wheel to byte-compile."""
    recorded(directory, content if isinstance(content, bytes) else json.dumps(content).encode())
    return wheels.build(directory, {"a" * 60 + f"{number}.py": b"" for number in range(20)})


def verified(content: bytes, directory: Path) -> Path:
    """Write the record of a wheel to verify."""
    return recorded(directory, content)


LIKES: dict[str, tuple[object, str]] = {
    "stars": (document(include=["*a" * 20 + "b"]), "takes too long"),
    "directories": (document(exclude=["**/*a*a/" * 20 + "b"]), "takes too long"),
    "negated": (document(include=["x", "!*a*a*a*a*a*a*a*b"]), "takes too long"),
    "questions": (document(include=["*?" * 20 + "b"]), "takes too long"),
    "many patterns": (document(include=["*a*b"] * 1001), "has 1001 items; the limit is 1000"),
    "long pattern": (document(include=["x" * 10**6]), "has a pattern of 1000000 characters; the limit is 1000"),
    "invalid pattern": (document(include=["[z-a]"]), "bad character range"),
    "surrogate in a pattern": (document(include=["\ud800"]), "surrogates not allowed"),
    "surrogate in a path": (document(skipped={"\ud800": "x"}), "surrogates not allowed"),
    "surrogate in a reason": (document(skipped={"x": "\udfff"}), "surrogates not allowed"),
    "surrogate in the version": (document() | {"detpyc": "\ud800"}, "surrogates not allowed"),
    "long release": (document(release="3." + "1" * 10**6), "is not a release of CPython"),
    "number of a million digits": (b'{"format": ' + b"9" * 10**6 + b"}", "detpyc.json"),
    "UTF-16": (json.dumps(document()).encode("utf-16"), "malformed"),
    "deep": (b'{"format":' * 10**5, "malformed"),
    "twice": (document() | {"bytecode": document()["bytecode"] * 2}, "describes the same pycs twice"),
    "large": (b" " * (64 << 20), "8388608"),
    "lists": (b"[" + b"[]," * (2 << 20), "malformed"),
}


# Source distributions.


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "") -> bytes:
    """Return the header of a member."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, target
    return info.tobuf(tarfile.GNU_FORMAT)


def pax_path(path: str) -> bytes:
    """Return an extended header that sets the path of the next member."""
    record = f" path={path}\n"
    length = len(record) + len(str(len(record) + 7))
    return pax(f"{length}{record}".encode())


def pax(content: bytes) -> bytes:
    """Return an extended header."""
    return header("pax", tarfile.XHDTYPE, len(content)) + content + bytes(-len(content) % BLOCK)


def sdist(blocks: Callable[[], list[bytes]], directory: Path) -> Path:
    """Write a source distribution, a wheel to reproduce from it and one to verify with it; return the first."""
    recorded(directory, json.dumps(document()).encode())
    path = directory / "p-1.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for block in blocks():
            stream.write(block)
        stream.write(bytes(2 * BLOCK))
    return path


def for_wheel(blocks: Callable[[], list[bytes]], directory: Path) -> Path:
    """Write the same; return the wheel to verify."""
    sdist(blocks, directory)
    return directory / LIKE[-1]


ZEROS = bytes(1 << 20)
FIRST = header("p-1/a.py")
SDISTS: dict[str, tuple[Callable[[], list[bytes]], str]] = {
    "pax header of 2 GiB": (
        lambda: [header("x", tarfile.XHDTYPE, 2 << 30), *[ZEROS] * 128],
        "16777216 bytes of extended",
    ),
    "long name of 2 GiB": (lambda: [header("x", tarfile.GNUTYPE_LONGNAME, 2 << 30), *[ZEROS] * 128], "16777216 bytes"),
    "many pax headers": (lambda: [header("x", tarfile.XHDTYPE, 1 << 20) + ZEROS] * 17, "16777216 bytes of extended"),
    "small records": (lambda: [pax(b"6 a=b\n" * 100_000)] * 40, "16777216 bytes of extended"),
    "chain of headers": (lambda: [pax(b"6 a=b\n")] * 100_001, "more than 100000 members"),
    "many members": (lambda: [FIRST] * 100_001, "more than 100000 members"),
    "bomb": (lambda: [header("p-1/a.py", size=1 << 29), *[ZEROS] * 513], "more than 536870912 bytes"),
    "bomb of links": (
        lambda: [
            header("p-1/a.py", size=1 << 20),
            ZEROS,
            *(header(f"p-1/{number}.py", tarfile.LNKTYPE, target="p-1/a.py") for number in range(512)),
        ],
        "more than 536870912 bytes when unpacked",
    ),
    "size beyond the end": (lambda: [header("p-1/a.py", size=8 << 30)], "truncated"),
    "size below zero": (lambda: [header("p-1/a.py", size=-BLOCK)], "negative size"),
    "deep": (lambda: [pax_path("x/" * 999 + "x"), FIRST], "the limits are 4096 and 100"),
    "long": (lambda: [pax_path("x" * 10**6), FIRST], "the limits are 4096 and 100"),
    "outside": (lambda: [header("p-1/../../a.py")], "unsafe path"),
    "absolute": (lambda: [header("/tmp/a.py")], "unsafe path"),  # noqa: S108 - that is the trick
    "through a link": (
        lambda: [header("p-1/x", tarfile.SYMTYPE, target="y"), header("p-1/x/a.py")],
        "below a file or a link",
    ),
    "link outside": (lambda: [FIRST, header("p-1/x", tarfile.SYMTYPE, target="../../x")], "unsafe symbolic link"),
    "link through a link": (
        lambda: [
            header("p-1/a/b/up", tarfile.SYMTYPE, target="../.."),
            header("p-1/x", tarfile.SYMTYPE, target="a/b/up/../../x"),
        ],
        "unsafe symbolic link",
    ),
    "hard link outside": (lambda: [header("p-1/x", tarfile.LNKTYPE, target="../../etc/passwd")], "unsafe path"),
    "device": (lambda: [header("p-1/x", tarfile.CHRTYPE)], "not a file, directory or link"),
    "pipe": (lambda: [header("p-1/x", tarfile.FIFOTYPE)], "not a file, directory or link"),
    "sparse": (lambda: [pax(b"22 GNU.sparse.major=1\n"), FIRST], "sparse"),
    "old sparse": (lambda: [header("p-1/x", tarfile.GNUTYPE_SPARSE)], "not a file, directory or link"),
}


def compressed_by_bzip2(directory: Path) -> Path:
    """Compress a source distribution by something else, which may need any amount of memory."""
    recorded(directory, json.dumps(document()).encode())
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:bz2"):
        pass
    path = directory / "p-1.tar.gz"
    path.write_bytes(stream.getvalue())
    return path


CASES = (
    *(
        Case(partial(like, content), FAILED, (words,), LIKE, name=f"like {name}")
        for name, (content, words) in LIKES.items()
    ),
    Case(partial(verified, b" " * (64 << 20)), FOUND, ("detpyc.json", "8388608"), name="verify large"),
    Case(
        partial(verified, json.dumps(document(skipped={"\ud800": ""})).encode()),
        FOUND,
        ("surrogates",),
        name="verify surrogate",
    ),
    *(
        Case(partial(sdist, blocks), FAILED, (words,), REPRODUCE, name=f"reproduce {name}")
        for name, (blocks, words) in SDISTS.items()
    ),
    *(
        Case(partial(for_wheel, SDISTS[name][0]), FAILED, (SDISTS[name][1],), VERIFY, name=f"sources {name}")
        for name in ("pax header of 2 GiB", "outside", "through a link", "size below zero")
    ),
    Case(compressed_by_bzip2, FAILED, ("Not a gzipped file",), REPRODUCE),
)
