"""Archives and images: nested, truncated, bombs, and such as programs read differently."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import images
from hostile.cases import FAILED, FOUND, PASSED, Case
from images import Content, header, tar
from pycs import HERE, PYC, SOURCE, forged, pyc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERIFY = ("verify", "-i", HERE.path)
SOUND = {"core.py": SOURCE, PYC: pyc()}
TAMPERED = {"core.py": SOURCE, PYC: forged()}


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def file(name: str, make: Callable[[], bytes], directory: Path) -> Path:
    path = directory / name
    path.write_bytes(make())
    return path


def case(name: str, make: Callable[[], bytes], status: int, *words: str, suffix: str = ".tar") -> Case:
    return Case(partial(file, f"x{suffix}", make), status, words, VERIFY, name=name)


def many(number: int) -> bytes:
    """Return a gzip-compressed tar archive of empty modules."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as output:
        template = tarfile.TarInfo("m").tobuf(tarfile.USTAR_FORMAT)
        checksum = sum(template[:148]) + 8 * 32 + sum(template[156:]) - ord("m")
        for index in range(number):
            name = f"pkg/{index:06}.txt".encode()
            digits = b"%06o\0 " % (checksum + sum(name))
            output.write(name + template[len(name) : 148] + digits + template[156:])
        output.write(bytes(1024))
    return stream.getvalue()


def image(*layers: dict[str, Content]) -> bytes:
    return tar(images.layout([tar(layer) for layer in layers]))


def encrypted() -> bytes:
    data = bytearray(zipped(TAMPERED))
    data[6] |= 1
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    return bytes(data)


def overwritten_directory() -> bytes:
    """An archive whose pycs are hidden behind a second directory in the program before it."""
    inner = zipped(SOUND)
    return b"#!/bin/sh\n" + inner + zipped(TAMPERED)


def bomb() -> bytes:
    return gzip.compress(tar({"core.py": bytes(80 << 20)}), 9, mtime=0)


def layer_bomb() -> bytes:
    """It is compressed twice."""
    return gzip.compress(tar(images.layout([bomb()])), 9, mtime=0)


def unpacked(name: str, source: str = "") -> bytes:
    """Have bytecode by a name that unpackers change, and a source beside it that says the same."""
    return zipped(
        {"core.py": SOURCE, name: forged(EVIL_SOURCE, EVIL_SOURCE), **({source: EVIL_SOURCE} if source else {})}
    )


def long_name(name: str) -> bytes:
    info = tarfile.TarInfo("././@LongLink")
    return extended(info, tarfile.GNUTYPE_LONGNAME, name.encode() + b"\0")


def pax_name(name: str) -> bytes:
    record = f" path={name}\n"
    return extended(tarfile.TarInfo("pax"), tarfile.XHDTYPE, f"{len(record) + 2}{record}".encode())


def extended(info: tarfile.TarInfo, kind: bytes, content: bytes) -> bytes:
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content.ljust(512, b"\0")


def renamed(*headers: bytes) -> bytes:
    """Have headers before that of the bytecode: programs take the first, or the last, or that of pax."""
    data = tar({"core.py": SOURCE, "x": forged()})
    return data[:1024] + b"".join(headers) + data[1024:]


def prefixed() -> bytes:
    """Have the first part of a path where only some programs look for it, unless the header is of POSIX's format."""
    evil = tar({"sub/core.py": EVIL_SOURCE, PYC: forged(EVIL_SOURCE, EVIL_SOURCE, "sub/core.py")})
    header = bytearray(evil[1024:1536])
    header[257:265], header[345:348], header[148:156] = b"ustar  \0", b"sub", b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return tar({"core.py": SOURCE})[:1024] + evil[:1024] + bytes(header) + evil[1536:]


EVIL_SOURCE = b"print('evil')\n"
EVIL: dict[str, Content] = {"core.py": SOURCE, PYC: forged()}
GOOD: dict[str, Content] = {"core.py": SOURCE, PYC: pyc()}
THROUGH: dict[str, Content] = {"pkg": ".", "pkg/core.pyc": forged()}
LINKED: dict[str, Content] = {"a/core.py": SOURCE, "a/__pycache__": "../__pycache__", **EVIL}
HARD_LINKED: dict[str, Content] = {"a.py": SOURCE, "core.py": header(tarfile.LNKTYPE, "a.py"), PYC: forged()}

CASES = (
    # ---- what is sound, and what is not, in every format
    case("zip", lambda: zipped(SOUND), PASSED, "1 equivalent", suffix=".zip"),
    case("zip tampered", lambda: zipped(TAMPERED), FOUND, "1 differs", suffix=".zip"),
    case("tar", lambda: tar(GOOD), PASSED, "1 equivalent"),
    case("tar tampered", lambda: tar(EVIL, "gz"), FOUND, "1 differs", suffix=".tar.gz"),
    case("image", lambda: image({"core.py": SOURCE}, {PYC: pyc()}), PASSED, "1 equivalent"),
    case("image tampered", lambda: image({"core.py": SOURCE}, {PYC: forged()}), FOUND, "(layer sha256:"),
    case("image source replaced", lambda: image(GOOD, {"core.py": b"x = 1\n"}), FOUND, "1 stale"),
    case("image hidden", lambda: image(EVIL, {"__pycache__/.wh..wh..opq": b""}), PASSED, "no pycs"),
    case("image source hidden", lambda: image(GOOD, {".wh.core.py": b""}), FOUND, "1 orphan"),
    # ---- nested
    case(
        "egg in a zip",
        lambda: zipped({"x.egg": zipped(TAMPERED)}),
        FOUND,
        "x.egg: is an archive with pycs",
        suffix=".zip",
    ),
    case(
        "zipapp in a tar",
        lambda: tar({"run": b"#!/x\n" + zipped(TAMPERED)}, "gz"),
        FOUND,
        "run: is an archive with pycs",
    ),
    case(
        "large zip in a tar",
        lambda: tar({"x.pyz": zipped({**TAMPERED, "x": bytes(range(256)) * 9999})}, "xz"),
        FOUND,
        "x.pyz: is an archive",
    ),
    case(
        "zip in an image", lambda: image({"app/x.pex": zipped(TAMPERED)}), FOUND, "app/x.pex: is an archive with pycs"
    ),
    case("bytecode in a source", lambda: tar({"core.py": forged()}, "gz"), FOUND, "core.py: contains bytecode"),
    case("tar and zip", lambda: tar({"core.py": SOURCE}) + zipped(TAMPERED), FOUND, "the file is an archive with pycs"),
    case("pyc beside an image", lambda: tar({**images.layout([tar(GOOD)]), **EVIL}), FOUND, "1 differs"),
    case(
        "pth in a tar",
        lambda: tar({"site/x.pth": b"../lib/x.bin", "lib/x.bin": zipped(TAMPERED)}, "gz"),
        FOUND,
        "lib/x.bin: is an archive with pycs",
    ),
    case(
        "pth in an image",
        lambda: image({"site/x.pth": b"/lib/x.bin"}, {"lib/x.bin": zipped(TAMPERED)}),
        FOUND,
        "lib/x.bin: is an archive with pycs",
    ),
    # ---- damaged
    case("truncated zip", lambda: zipped(SOUND)[:-9], FAILED, "is truncated", suffix=".zip"),
    case("truncated tar", lambda: tar({"core.py": bytes(9999)})[:5000], FAILED, "core.py is truncated"),
    case("truncated gzip", lambda: tar(GOOD, "gz")[:-30], FAILED, "cannot be decompressed (gzip)"),
    case("encrypted", encrypted, FAILED, "is encrypted", suffix=".zip"),
    case("unknown compression", lambda: b"\x04\x22\x4d\x18" + bytes(999), FAILED, "is compressed with LZ4"),
    case("no archive", lambda: b"words\n", FAILED, "not a wheel, directory, archive, container image or .pyc file"),
    case(
        "archive before an archive",
        overwritten_directory,
        FAILED,
        "has parts of another archive before it",
        suffix=".pyz",
    ),
    # ---- names and links
    case("link out of a tar", lambda: tar({**GOOD, "pkg": "/opt/pkg"}), FOUND, "pkg: is a link that leads out"),
    case("link up out of a tar", lambda: tar({**GOOD, "a/pkg": "../../pkg"}), FOUND, "a/pkg: is a link that leads out"),
    case("links out of a tar", lambda: tar({**GOOD, "a": ".", "b": "a/.."}), FOUND, "b: is a link that leads out"),
    case("circle of links", lambda: tar({**GOOD, "a": "b", "b": "a", "c": "."}), PASSED, "1 equivalent"),
    case(
        "linked cache",
        lambda: tar(LINKED),
        FOUND,
        "2 differs",
    ),
    case(
        "through a link",
        lambda: tar(THROUGH),
        FOUND,
        "pkg/core.pyc: is below a file or a link",
    ),
    case(
        "image through a link",
        lambda: image({"pkg": "."}, {"pkg/core.pyc": forged()}),
        FOUND,
        "is below a file or a link",
    ),
    case("parent in a tar", lambda: tar({"../core.pyc": b""}), FAILED, "has the unsafe path"),
    case("duplicate in a tar", lambda: tar([*GOOD.items(), ("core.py", SOURCE)]), FOUND, "core.py: occurs twice"),
    case(
        "directory in place of a pyc",
        lambda: tar([*EVIL.items(), (PYC, header(tarfile.DIRTYPE))]),
        FOUND,
        f"{PYC}: occurs twice",
    ),
    case(
        "file in place of a cache",
        lambda: tar([*EVIL.items(), ("__pycache__", b"")]),
        FOUND,
        "__pycache__: occurs twice",
    ),
    case(
        "link in place of a cache",
        lambda: tar([*EVIL.items(), (PYC.replace("__pycache__", "a"), pyc()), ("__pycache__", "a")]),
        FOUND,
        "__pycache__: occurs twice",
    ),
    case("devices", lambda: tar({**GOOD, "x.pyc": header(tarfile.CHRTYPE)}), FOUND, "x.pyc", "not a regular file"),
    case("hard link", lambda: tar(HARD_LINKED), FOUND, "1 differs"),
    case(
        "hard link to nothing",
        lambda: tar({"core.pyc": header(tarfile.LNKTYPE, "x")}),
        FOUND,
        "which is not a file before it",
    ),
    case("case", lambda: tar({**GOOD, "Core.py": b""}), FOUND, "some systems or unpackers read it as"),
    # ---- headers of tar files that programs read differently
    case(
        "two names",
        lambda: renamed(long_name(PYC), long_name("x.txt")),
        FAILED,
        "two extended headers that set the path",
    ),
    case("names of two formats", lambda: renamed(pax_name(PYC), long_name("x.txt")), FAILED, "two extended headers"),
    case("prefix without a format", prefixed, FAILED, "whose path programs read differently"),
    # ---- names that unpackers change: unzip, on every system, and on Windows others too
    case("version in a name", lambda: unpacked(f"{PYC};1"), FAILED, "which unpackers remove", suffix=".zip"),
    case("control in a name", lambda: unpacked(f"{PYC[:-1]}\x01c"), FAILED, "which unpackers remove", suffix=".zip"),
    case(
        "control in a cache",
        lambda: unpacked(f"\x01{PYC}", f"\x01{PYC[:-1]}"),
        FAILED,
        "which unpackers remove",
        suffix=".zip",
    ),
    case(
        "cache for Windows",
        lambda: unpacked(f"?{PYC[1:]}", f"?{PYC[1:-1]}"),
        FOUND,
        "read it as __pycache__",
        suffix=".zip",
    ),
    case(
        "version in a source",
        lambda: zipped({**SOUND, "core.py;1": EVIL_SOURCE}),
        FAILED,
        "occurs twice",
        suffix=".zip",
    ),
    case(
        "source for Windows",
        lambda: zipped({"a_b.py": SOURCE, "a?b.py": EVIL_SOURCE}),
        FAILED,
        "occurs twice",
        suffix=".zip",
    ),
    # ---- images
    case("whiteout of nothing", lambda: image(GOOD, {".wh.x": b""}), FOUND, ".wh.x: is a whiteout of nothing"),
    case(
        "whiteout of the parent",
        lambda: image({"a/core.pyc": b""}, {"a/.wh...": b""}),
        FAILED,
        "has the unsafe whiteout",
    ),
    case(
        "missing layer",
        lambda: tar({name: content for name, content in images.layout([tar(GOOD)]).items() if content != tar(GOOD)}),
        FAILED,
        "not a regular file",
    ),
    case("wrong digest", lambda: tar({**images.docker([tar(GOOD)]), "0/layer.tar": tar(EVIL)}), FAILED, "the digest"),
    # ---- bombs
    case("bomb", bomb, PASSED, "no pycs", suffix=".tar.gz"),
    case("layer that is a bomb", layer_bomb, PASSED, "no pycs", suffix=".tar.gz"),
    case("many members", lambda: many(30_000), PASSED, "no pycs", suffix=".tar.gz"),
)
