"""Wheels whose members become something else when they are installed, and wheels that do harm to who reads them."""

from __future__ import annotations

import hashlib
import sys
import zlib
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

import wheels
from detpyc import limits
from detpyc.wheel.writing import ArchiveWriter
from detpyc.wheel.zip_format import DEFLATED, STORED, Member
from hostile.cases import FAILED, FOUND, PASSED, Case
from pycs import HERE, SOURCE, TAG, forged, pyc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
INFO, DATA = "demo-1.0.dist-info", "demo-1.0.data"
RECORD = f"{INFO}/RECORD"
EVIL = b"print('evil')\n"
CORE, PYC = "demo/core.py", f"demo/__pycache__/core.{TAG}.pyc"
GOOD = {CORE: SOURCE, PYC: pyc(SOURCE, CORE)}

# A module whose bytecode is that of its source, for as long as nothing overwrites the source.
CONSISTENT = {CORE: EVIL, PYC: pyc(EVIL, CORE)}


def having(files: Mapping[str, bytes]) -> Callable[[Path], Path]:
    return lambda directory: wheels.build(directory, files)


def good_source_at(name: str) -> Callable[[Path], Path]:
    """Have the good source overwrite the evil one when the wheel is installed, and keep the evil bytecode."""
    return having({**CONSISTENT, name: SOURCE})


def in_home_of_scripts(directory: Path) -> Path:
    """With ``--target``, scripts are in a package called ``bin``."""
    cached = f"bin/__pycache__/core.{TAG}.pyc"
    return wheels.build(
        directory, {"bin/core.py": EVIL, cached: pyc(EVIL, "bin/core.py"), f"{DATA}/scripts/core.py": SOURCE}
    )


def record_over_record(directory: Path) -> Path:
    return wheels.build(directory, {**GOOD, f"{DATA}/purelib/{RECORD}": b""})


def same_bin_of_two_schemes(directory: Path) -> Path:
    return wheels.build(directory, {f"{DATA}/data/bin/tool": b"one", f"{DATA}/scripts/tool": b"other"})


def two_data_directories(directory: Path) -> Path:
    return wheels.build(directory, {f"{DATA}/scripts/tool": b"one", "other-2.data/scripts/tool": b"other"})


def file_where_a_directory_goes(directory: Path) -> Path:
    return wheels.build(directory, {**GOOD, f"{DATA}/purelib/demo/__pycache__": b""})


# ---- RECORD


def hash_of(kind: str) -> Callable[[Path], Path]:
    """Let RECORD name a hash that OpenSSL knows, by whatever name."""

    def build(directory: Path) -> Path:
        contents = wheels.complete(GOOD)
        try:
            digest = hashlib.new(kind, SOURCE, usedforsecurity=False).digest()
        except (ValueError, TypeError):
            digest = bytes(20)
        value = f"{kind}={urlsafe_b64encode(digest).rstrip(b'=').decode()}"
        contents[RECORD] = contents[RECORD].replace(wheels.sha256(SOURCE).encode(), value.encode())
        return wheels.write(directory / NAME, contents)

    return build


def rows_of_directories(directory: Path) -> Path:
    """Directories need no rows, and may have some."""
    contents = {"demo/": b"", **wheels.complete(GOOD)}
    contents[RECORD] += b"demo/,,\n"
    return wheels.write(directory / NAME, contents)


def wrong_row_of_a_directory(directory: Path) -> Path:
    contents = {"demo/": b"", **wheels.complete(GOOD)}
    contents[RECORD] += b"demo/,sha256=AAAA,7\n"
    return wheels.write(directory / NAME, contents)


# ---- limits


def large(name: str, size: int) -> Callable[[Path], Path]:
    """Have a member of so many zeros, which take little room, and a RECORD that is right."""

    def build(directory: Path) -> Path:
        compressor = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
        hasher, crc, block, chunks = hashlib.sha256(), 0, bytes(1 << 20), []
        for _ in range(size >> 20):
            hasher.update(block)
            crc = zlib.crc32(block, crc)
            chunks.append(compressor.compress(block))
        chunks.append(compressor.flush())
        contents = {path: content for path, content in wheels.complete(GOOD).items() if path not in {name, RECORD}}
        if name != RECORD:
            digest = urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode()
            record = wheels.record(contents, RECORD) + wheels.rows([(name, f"sha256={digest}", size)])
            contents[RECORD] = record
        member = Member(name, DEFLATED, crc, sum(map(len, chunks)), size, wheels.DATE)
        return assembled(directory, [*packed(contents), (member, chunks)])

    return build


def with_record(record: bytes) -> Callable[[Path], Path]:
    def build(directory: Path) -> Path:
        contents = wheels.complete(GOOD)
        return assembled(directory, [*packed({**contents, RECORD: contents[RECORD] + record})])

    return build


def with_names(count: int, form: str) -> Callable[[Path], Path]:
    """Have members that RECORD does not list."""
    return lambda directory: assembled(directory, [*packed(wheels.complete(GOOD)), *empty(count, form)])


def empty(count: int, form: str) -> Iterable[tuple[Member, list[bytes]]]:
    return ((Member(form.format(number), STORED, 0, 0, 0, wheels.DATE), []) for number in range(count))


def packed(contents: Mapping[str, bytes]) -> Iterable[tuple[Member, list[bytes]]]:
    for name, content in contents.items():
        compressor = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
        data = compressor.compress(content) + compressor.flush()
        yield Member(name, DEFLATED, zlib.crc32(content), len(data), len(content), wheels.DATE), [data]


def assembled(directory: Path, members: Iterable[tuple[Member, Iterable[bytes]]]) -> Path:
    path = directory / NAME
    with wheels.SparseFile(path, "wb") as stream:
        writer = ArchiveWriter(cast("BinaryIO", stream))
        for member, chunks in members:
            writer.add(member, chunks)
        writer.finish()
    return path


def sparse_source(directory: Path) -> Path:
    """Have a source of 4 GiB that takes no room on disk."""
    if sys.platform != "linux":
        pytest.skip("not every file system has sparse files")
    size = 4 << 30
    source = Member("demo/large.py", STORED, 0, size, size, wheels.DATE)
    blocks = [wheels.ZEROS] * (size // len(wheels.ZEROS))
    contents = wheels.complete(GOOD)
    contents[RECORD] += wheels.rows([("demo/large.py", wheels.sha256(b""), size)])
    return assembled(directory, [*packed(contents), (source, blocks)])


VERIFY, WHEEL = ("verify", "-i", HERE.path), ("wheel",)
OVERWRITTEN = ("could be installed over",)
AMONG_MODULES = ("would be installed among the modules",)
NO_MODULES = ("is bytecode where no modules are",)
SYSTEMS = ("some systems or unpackers take for",)
NOT_ALLOWED = ("PEP 427 requires sha256 or better",)

INSTALLED: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "purelib": (good_source_at(f"{DATA}/purelib/{CORE}"), OVERWRITTEN),
    "platlib": (good_source_at(f"{DATA}/platlib/{CORE}"), OVERWRITTEN),
    "another-data-directory": (good_source_at(f"other-2.data/purelib/{CORE}"), OVERWRITTEN),
    "purelib-and-platlib": (
        having(
            {f"{DATA}/purelib/{name}": data for name, data in CONSISTENT.items()} | {f"{DATA}/platlib/{CORE}": SOURCE}
        ),
        OVERWRITTEN,
    ),
    "letter-case": (good_source_at(f"{DATA}/purelib/Demo/CORE.py"), OVERWRITTEN),
    "unicode-form": (
        having(
            {
                "caf\xe9/core.py": EVIL,
                f"caf\xe9/__pycache__/core.{TAG}.pyc": pyc(EVIL, "caf\xe9/core.py"),
                f"{DATA}/purelib/cafe\u0301/core.py": SOURCE,
            }
        ),
        OVERWRITTEN,
    ),
    "ignored-characters": (good_source_at(f"{DATA}/purelib/demo/co\u200cre.py"), OVERWRITTEN),
    "data-stream": (good_source_at(f"{DATA}/purelib/{CORE}::$DATA"), OVERWRITTEN),
    "trailing-dot": (good_source_at(f"{DATA}/purelib/demo./core.py"), OVERWRITTEN),
    "data": (good_source_at(f"{DATA}/data/{CORE}"), OVERWRITTEN),
    "data-lib-python": (good_source_at(f"{DATA}/data/lib/python/{CORE}"), OVERWRITTEN),
    "data-lib64-python": (good_source_at(f"{DATA}/data/lib64/python/{CORE}"), OVERWRITTEN),
    "site-packages": (good_source_at(f"{DATA}/data/lib/python3.12/site-packages/{CORE}"), AMONG_MODULES),
    "Site-Packages": (good_source_at(f"{DATA}/data/Lib/Site-Packages/{CORE}"), AMONG_MODULES),
    "dist-packages": (good_source_at(f"other.data/data/lib/python3/dist-packages/{CORE}"), AMONG_MODULES),
    "bytecode-in-site-packages": (
        having({CORE: SOURCE, f"{DATA}/data/lib/site-packages/{PYC}": forged()}),
        AMONG_MODULES,
    ),
    "extension-in-site-packages": (having({f"{DATA}/data/lib/site-packages/core.so": b""}), AMONG_MODULES),
    "pth-in-site-packages": (having({f"{DATA}/data/lib/site-packages/evil.pth": b"import evil\n"}), AMONG_MODULES),
    "bytecode-in-scripts": (having({f"{DATA}/scripts/core.py": SOURCE, f"{DATA}/scripts/core.pyc": pyc()}), NO_MODULES),
    "bytecode-in-headers": (having({f"{DATA}/headers/core.pyc": pyc()}), NO_MODULES),
    "bytecode-in-bin": (having({f"{DATA}/data/bin/core.py": SOURCE, f"{DATA}/data/bin/core.pyc": pyc()}), NO_MODULES),
    "scripts-in-a-package": (in_home_of_scripts, OVERWRITTEN),
    "record-over-record": (record_over_record, OVERWRITTEN),
    "script-in-data": (same_bin_of_two_schemes, OVERWRITTEN),
    "two-data-directories": (two_data_directories, OVERWRITTEN),
    "file-where-a-directory-goes": (file_where_a_directory_goes, ("needs a directory",)),
    "data-directory-by-case": (good_source_at(f"demo-1.0.DATA/purelib/{CORE}"), ("take for a .data directory",)),
    "dist-info-by-case": (having({**GOOD, "demo-1.0.DIST-INFO/x.txt": b""}), ("take for a .dist-info directory",)),
    "scheme-by-case": (having({**GOOD, f"{DATA}/PURELIB/x.py": SOURCE}), ("take for purelib",)),
    "pyc-by-case": (having({CORE: SOURCE, PYC.replace(".pyc", ".PYC"): forged()}), SYSTEMS),
    "pyc-with-a-dot": (having({CORE: SOURCE, f"{PYC}.": forged()}), SYSTEMS),
    "pyc-with-a-space": (having({CORE: SOURCE, f"{PYC} ": forged()}), SYSTEMS),
    "pyc-with-a-stream": (having({CORE: SOURCE, f"{PYC}::$DATA": forged()}), SYSTEMS),
    "pyc-with-ignored-characters": (having({CORE: SOURCE, PYC.replace(".pyc", ".p\u200dyc"): forged()}), SYSTEMS),
    "cache-with-an-underscore": (having({CORE: SOURCE, PYC.replace("__pycache__", "_?pycache__"): forged()}), SYSTEMS),
    "cache-by-case": (having({CORE: SOURCE, PYC.replace("__pycache__", "__PYCACHE__"): forged()}), SYSTEMS),
    "cache-with-a-dot": (having({CORE: SOURCE, PYC.replace("__pycache__", "__pycache__."): forged()}), SYSTEMS),
    "cache-with-a-stream": (
        having({CORE: SOURCE, PYC.replace("__pycache__", "__pycache__::$INDEX_ALLOCATION"): forged()}),
        SYSTEMS,
    ),
    "short-name": (having({**GOOD, "demo/CORE_L~1.PY": SOURCE}), ("has the form of a short name",)),
    "short-cache": (having({**GOOD, f"demo/__PYCA~1/core.{TAG}.pyc": forged()}), ("has the form of a short name",)),
    **{
        f"record-{kind}": (hash_of(kind), NOT_ALLOWED)
        for kind in ("md5", "sha1", "sha-1", "ssl3-sha1", "md5-sha1", "shake_128")
    },
    "record-oid": (hash_of("1.3.14.3.2.26"), NOT_ALLOWED),
    "wrong-row-of-a-directory": (wrong_row_of_a_directory, ("RECORD's line for demo/",)),
}
LARGE = 256 << 20
TOO_LARGE: dict[str, tuple[Callable[[Path], Path], str, tuple[str, ...]]] = {
    "record-of-zeros": (large(RECORD, LARGE), "verify wheel", ("RECORD has 268435456 bytes; the limit is",)),
    "record-of-lines": (with_record(b"\n" * (15 << 20)), "verify wheel", ("line 6 has 0 fields", "more problems")),
    "record-of-commas": (with_record(b"," * (15 << 20)), "verify wheel", ("line 6 has 15728641 fields",)),
    "record-of-rows": (with_record(b"a,,\n" * (1 << 19)), "verify wheel", ("has more than 262144 rows",)),
    "record-of-digits": (with_record(b"a,," + b"9" * 100_000), "verify wheel", ("malformed size",)),
    "wheel-file": (large(f"{INFO}/WHEEL", LARGE), "wheel", ("WHEEL: has 268435456 bytes; the limit is",)),
    "provenance": (
        large(f"{INFO}/detpyc.json", LARGE),
        "wheel",
        ("detpyc.json: has 268435456 bytes; the limit is",),
    ),
    "source": (large("demo/large.py", LARGE), "verify wheel", ("demo/large.py: has 268435456 bytes; the limit is",)),
    "pyc": (large(f"demo/__pycache__/x.{TAG}.pyc", LARGE), "verify wheel", ("has 268435456 bytes; the limit is",)),
    "sparse-source": (sparse_source, "verify wheel", ("demo/large.py: has 4294967296 bytes; the limit is",)),
    "members": (
        with_names(limits.MAX_MEMBERS, "{}"),
        "verify wheel",
        (f"members; the limit is {limits.MAX_MEMBERS}",),
    ),
    "directory": (with_names(9000, "{:04000}"), "verify wheel", (f"the limit is {limits.MAX_ARCHIVE_DIRECTORY}",)),
    "deep": (with_names(300, "d/" * 15_000 + "{}"), "verify wheel", ("30001 characters",)),
    "less-deep": (with_names(300, "d/" * 2000 + "{}"), "verify wheel", ("2001 parts",)),
    "long-names": (with_names(8000, "{:04000}"), "verify wheel", ("RECORD does not list 0000", "more problems")),
    "many-names": (
        with_names(limits.MAX_MEMBERS - 10, "{}"),
        "verify wheel",
        ("RECORD does not list 0", "more problems"),
    ),
}


def status(command: str, name: str) -> int:
    """Problems are findings of ``verify``, unless the archive itself cannot be read."""
    return FOUND if command == "verify" and name not in {"members", "directory", "deep", "less-deep"} else FAILED


IN_THE_PLACE_OF_A_NEW_ONE = {
    "cache": "demo/__pycache__",
    "pyc": f"{PYC}/data.txt",
    "pyc-directory": f"{PYC}/",
    "provenance": f"{INFO}/detpyc.json/data.txt",
    "provenance-by-case": f"{INFO}/Detpyc.json",
}


def beside_another(directory: Path) -> Path:
    """Have another wheel of the name that the result gets."""
    tag = "cp{}{}-none-any".format(*HERE.version)
    wheels.write(directory / NAME.replace("py3-none-any", tag), wheels.complete({"evil.py": EVIL}))
    return wheels.build(directory, GOOD)


def with_a_link_to_follow(directory: Path) -> Path:
    (directory / "output").mkdir()
    (directory / "precious").write_bytes(b"precious")
    try:
        (directory / "output" / NAME).symlink_to(directory / "precious")
    except OSError as error:
        pytest.skip(f"no symbolic links: {error}")
    return wheels.build(directory, GOOD)


LINK, ANOTHER = ("is a symbolic link, which is not followed",), ("exists already, and is another wheel",)

CASES = (
    *(Case(build, FOUND, words, VERIFY, name=f"verify-{name}") for name, (build, words) in INSTALLED.items()),
    *(Case(build, FAILED, words, WHEEL, name=f"wheel-{name}") for name, (build, words) in INSTALLED.items()),
    *(
        Case(build, status(command, name), words, (command,), name=f"{command}-large-{name}")
        for name, (build, commands, words) in TOO_LARGE.items()
        for command in commands.split()
    ),
    *(
        Case(having({CORE: SOURCE, name: b""}), FAILED, ("cannot be rewritten", name), WHEEL, name=f"new-{case}")
        for case, name in IN_THE_PLACE_OF_A_NEW_ONE.items()
    ),
    Case(beside_another, FAILED, ANOTHER, ("wheel", "--layout", "sourceless")),
    Case(beside_another, FAILED, ANOTHER, ("wheel", "--layout", "sourceless", "--output-dir", "."), name="output"),
    Case(with_a_link_to_follow, FAILED, LINK, ("wheel", "--output-dir", "output")),
    Case(having(GOOD), PASSED, ("1 equivalent",), VERIFY, name="good"),
    Case(rows_of_directories, PASSED, ("1 equivalent",), VERIFY),
    Case(rows_of_directories, PASSED, command=("wheel", "-q"), changes=True),
)
