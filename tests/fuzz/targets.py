"""The parsers of untrusted bytes: how each is called, on what it starts, and what must be true of its results.

A target may raise `DetpycError` and nothing else. Each one also checks a property of what it returns, so that the
fuzzer finds wrong results as well as crashes.
"""

from __future__ import annotations

import io
import json
import marshal
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import images
import payloads
import wheels
from detpyc.artifacts.entries import Kind
from detpyc.artifacts.layers import FileSystem, Store
from detpyc.artifacts.opening import open_artifacts
from detpyc.bytecode.canonical import canonicalize, canonicalize_pyc
from detpyc.bytecode.header import MAGIC_NUMBERS, InvalidationMode, PycHeader
from detpyc.compilation import interpreters
from detpyc.explain.payloads import compare_payloads
from detpyc.inspect import inspect_pyc
from detpyc.provenance import Bytecode, Provenance
from detpyc.settings import Settings
from detpyc.tar_headers import member_path
from detpyc.wheel import record
from detpyc.wheel.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VERSIONS = sorted(MAGIC_NUMBERS.values())
MAGIC_OF = {version: magic for magic, version in MAGIC_NUMBERS.items()}
RUNNING = interpreters.current().version

SOURCES = [
    b"",
    b"x = 1, 2.5, 3j, 'a', b'b', None, ..., 1 << 70, {1, 'two'} & {3}\n",
    b"def f(a, b=1, *c, d, **e):\n    return a in {1, 'two', None} or [lambda: (a, e) for _ in c]\n",
    b"class C:\n  'doc'\n  async def m(self):\n    try:\n      yield 1\n    finally:\n      del self\n",
]


# Small objects, and beginnings of objects, for mutations of payloads.
OBJECTS = (b"N", b"0", b"{", b"<", b">\2\0\0\0", b"i\1\0\0\0", b"r\0\0\0\0", b"\xa9\0", b")\1", b"z\1-", b"f\0031.5")


@dataclass(frozen=True)
class Target:
    """A parser and how to fuzz it.

    Attributes:
        check: calls the parser and checks its result.
        seeds: returns small valid inputs.
        words: the vocabulary of the format, for mutations.

    """

    check: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def compiled() -> list[tuple[tuple[int, int], bytes]]:
    """Return payloads of several versions: some from the running CPython, some written by hand."""
    real = [(RUNNING, marshal.dumps(compile(source, "a.py", "exec", dont_inherit=True))) for source in SOURCES]
    constants = payloads.small_tuple(
        payloads.flagged(payloads.interned("x")),
        payloads.ref(0),
        payloads.long(1, 2, 3, negative=True),
        payloads.binary_float(0.5),
        payloads.frozenset_of(payloads.integer(1), payloads.byte_string(b"b")),
    )
    inner = {version: payloads.code(version, {"name": payloads.text("f")}) for version in VERSIONS}
    made = [
        (version, payloads.code(version, {"consts": payloads.small_tuple(inner[version], constants)}))
        for version in VERSIONS
    ]
    return [*made, *real]


def pycs() -> list[bytes]:
    return [
        PycHeader(MAGIC_OF[version], InvalidationMode.CHECKED_HASH, bytes(8)).to_bytes() + payload
        for version, payload in compiled()
    ]


def check_pyc(data: bytes) -> None:
    canonical = canonicalize_pyc(data)
    assert canonicalize_pyc(canonical) == canonical
    inspection = inspect_pyc(data)
    assert inspection.canonical_size == len(canonical)


BASES = dict(compiled())


def check_explanation(data: bytes) -> None:
    """Compare a payload with another one of its version. The first byte selects the version."""
    version = VERSIONS[data[0] % len(VERSIONS)] if data else RUNNING
    payload, base = data[1:], BASES[version]
    assert bool(compare_payloads(base, payload, version)) == (payload != base)
    assert bool(compare_payloads(payload, base, version)) == (payload != base)
    canonical = canonicalize(payload, version)
    assert all(difference.kind == "encoding" for difference in compare_payloads(payload, canonical, version))


def explanation_seeds() -> list[bytes]:
    return [bytes([VERSIONS.index(version)]) + payload for version, payload in compiled()]


def check_archive(data: bytes) -> None:
    """Read every member. `zipfile` must read the same from whatever is accepted."""
    archive = Archive(io.BytesIO(data))
    contents = {name: archive.read(name) for name in archive.members}
    with zipfile.ZipFile(io.BytesIO(data)) as theirs:
        assert {info.filename: theirs.read(info) for info in theirs.infolist()} == contents


def archive_seeds() -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name, content in wheels.complete().items():
                archive.writestr(zipfile.ZipInfo(name, wheels.DATE), content, method)
            archive.writestr("empty/", b"")
        found.append(stream.getvalue())
    return [*found, wheels.with_zip64({"a.py": b"x = 1\n"})]


def check_record(data: bytes) -> None:
    entries = record.parse(data)
    assert record.parse(record.serialize(entries)) == entries


@contextmanager
def opened(data: bytes) -> Iterator[FileSystem]:
    """Read a tar archive."""
    store = Store()
    try:
        files = FileSystem(store)
        files.add_tar(io.BytesIO(data), len(data))
        yield files
    finally:
        store.close()


def check_tar(data: bytes) -> None:
    """Read every member. `tarfile` must read the same, if it accepts what has no problems."""
    with opened(data) as files:
        contents = {entry.path: b"".join(place.chunks()) for entry, place in files.entries() if place is not None}
        if files.problems:
            return
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as theirs:
                members = [(member_path(info.name), info) for info in theirs if info.isreg() or info.islnk()]
                streams = {name: theirs.extractfile(info) for name, info in members if name}
                read = {name: stream.read() for name, stream in streams.items() if stream is not None}
        except (tarfile.TarError, KeyError):
            return
        assert read == contents


def tar_seeds() -> list[bytes]:
    linked: dict[str, images.Content] = {
        "a/b.py": b"x = 1\n",
        "a/c": "b.py",
        "d": images.header(tarfile.LNKTYPE, "a/b.py"),
    }
    long: dict[str, images.Content] = {"d" * 200: b"", "a.py": "l" * 200}
    return [images.tar(linked), images.tar(long), images.tar(linked, "gz"), images.tar(linked, "bz2")]


def check_image(data: bytes) -> None:
    """Find every file of an image: of a tar archive that is its own layer, too."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "image.tar")
        path.write_bytes(data)
        with open_artifacts(path) as artifacts:
            for artifact in artifacts:
                assert all(
                    artifact.find(path) == entry
                    for path, entry in artifact.entries.items()
                    if entry.kind is not Kind.LINK
                )


def image_seeds() -> list[bytes]:
    layers = images.tar({"a/b.py": b"", "c": b""}), images.tar({"a/.wh.b.py": b"", ".wh.c": b""})
    return [
        images.tar(images.docker(layers)),
        images.tar(images.layout(layers)),
        images.tar(images.layout(layers, layers[:1])),
    ]


def record_seeds() -> list[bytes]:
    rows = wheels.complete()["demo-1.0.dist-info/RECORD"]
    return [rows, rows.replace(b"\n", b"\r\n"), b'"a,""b.py",sha512=' + b"A" * 86 + b",7\n", b"a.py,,\n"]


def check_provenance(data: bytes) -> None:
    written = Provenance.from_json(data).to_json()
    assert Provenance.from_json(written).to_json() == written


def provenance_seeds() -> list[bytes]:
    old = Bytecode("3.12.1", "cpython-312", 3531, 0, "checked-hash", ("*.py",), ("a/*",), {"a.py": "SyntaxError"})
    new = Bytecode("3.13.5", "cpython-313", 3571, 2, "unchecked-hash", layout="sourceless")
    return [Provenance((old, new)).to_json(), Provenance((), "stored", normalized=True).to_json()]


def check_settings(data: bytes) -> None:
    """Check a table, read as JSON. The settings of a valid table must be usable as a key."""
    try:
        table = json.loads(data)
    except (ValueError, RecursionError):
        return
    hash(Settings.from_table(table, "tool.detpyc"))


def settings_seeds() -> list[bytes]:
    table = {
        "interpreters": ["3.12"],
        "optimize": [2],
        "invalidation-mode": "unchecked-hash",
        "include": ["*.py", "!a/**/b[c-e]?.py"],
        "exclude": [],
        "on-syntax-error": "skip",
        "layout": "sourceless",
        "compression": "stored",
        "provenance": False,
    }
    lists = {"interpreters": ["3.12.1", "cpython3.13", "./python"], "optimize": [0, 1, 2]}
    return [
        json.dumps(table).encode(),
        json.dumps(lists).encode(),
        *(json.dumps({key: value}).encode() for key, value in table.items()),
    ]


JSON = (b"null", b"true", b"NaN", b"1e999", b"\\ud800", b"\\u0000", b"{}", b"[]")
TARGETS = {
    "pyc": Target(check_pyc, pycs, OBJECTS),
    "explain": Target(check_explanation, explanation_seeds),
    "zip": Target(check_archive, archive_seeds, (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\1\0\x18\0")),
    "tar": Target(check_tar, tar_seeds, (b"ustar\x0000", b"ustar  \0", b"././@LongLink", b"10 path=p\n", bytes(512))),
    "image": Target(check_image, image_seeds, (b"sha256:", b".wh.", b".wh..wh..opq", b'"layers"', b'"Layers"', *JSON)),
    "record": Target(check_record, record_seeds, (b"sha256=", b"sha384=", b"md5=", b'"', b"\r", b"..")),
    "provenance": Target(check_provenance, provenance_seeds, (b'"format"', b'"bytecode"', *JSON)),
    "settings": Target(check_settings, settings_seeds, (b"cache", b"on-missing-interpreter", *JSON)),
}
