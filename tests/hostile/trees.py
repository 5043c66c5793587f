"""Directory trees and pycs that are made to pass as what they are not, or to do harm.

Each tree has a source, `SOURCE`, and bytecode of other code that something would load in its place.
"""

from __future__ import annotations

import io
import marshal
import math
import os
import socket
import struct
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from detpyc.bytecode.header import HEADER_SIZE, PycHeader, source_hash
from hostile.cases import FAILED, FOUND, PASSED, Case
from pycs import HERE, PYC, SOURCE, TAG, forged, pyc, with_other_instruction
from trees import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CACHED = f"core.{TAG}.pyc"
EVIL = b"print('evil')\n"
STRIPPED = b"def f(x):\n    assert x\n    return x\n"


def link(path: Path, target: str | Path, *, directory: bool = True) -> None:
    try:
        path.symlink_to(target, target_is_directory=directory)
    except OSError as error:
        pytest.skip(f"no symbolic links: {error}")


def named(top: Path, name: str, content: bytes) -> Path:
    """Write a file of a name that not every system can have."""
    try:
        write(top, {name: content})
    except OSError as error:
        pytest.skip(f"no such file names: {error}")
    return top


# ---- links


def cache_that_is_a_link(top: Path) -> Path:
    write(top, {"tree/demo/core.py": SOURCE, f"elsewhere/{CACHED}": forged()})
    link(top / "tree/demo/__pycache__", top / "elsewhere")
    return top / "tree"


def cache_that_is_a_link_within(top: Path) -> Path:
    """Where the link leads, the pyc is of the source beside that."""
    write(top, {"demo/core.py": SOURCE, "other/core.py": EVIL, f"other/{PYC}": pyc(EVIL)})
    link(top / "demo/__pycache__", "../other/__pycache__")
    return top


def cache_that_is_the_directory_above(top: Path) -> Path:
    write(top, {"demo/core.py": SOURCE, CACHED: forged(), f"core.{TAG}.py": EVIL})
    link(top / "demo/__pycache__", "..")
    return top


def cache_that_leads_nowhere(top: Path) -> Path:
    write(top, {"demo/core.py": SOURCE})
    link(top / "demo/__pycache__", top / "nowhere")
    return top


def package_that_is_a_link(top: Path) -> Path:
    write(top, {"tree/core.py": SOURCE, "elsewhere/core.py": SOURCE, f"elsewhere/{PYC}": forged()})
    link(top / "tree/demo", top / "elsewhere")
    return top / "tree"


def package_that_is_a_link_within(top: Path) -> Path:
    """Verify it once, as what it is: lib64 leads to lib in every virtual environment."""
    write(top, {"lib/core.py": SOURCE, f"lib/{PYC}": pyc()})
    link(top / "a64", "lib")
    return top


def links_in_a_circle(top: Path) -> Path:
    write(top, {"demo/core.py": SOURCE, f"demo/{PYC}": pyc()})
    link(top / "demo/again", "..")
    link(top / "demo/__pycache__/__pycache__", ".")
    link(top / "demo/itself", "itself")
    return top


def links_without_end(top: Path) -> Path:
    """Make two to the power of thirty paths of thirty directories."""
    for number in range(30):
        (top / f"d{number}").mkdir()
        for name in "ab":
            link(top / f"d{number}" / name, f"../d{number + 1}")
    write(top, {"d30/core.py": SOURCE, f"d30/{PYC}": pyc()})
    return top


def pyc_that_is_a_link(top: Path) -> Path:
    write(top, {"tree/core.py": SOURCE, "tree/__pycache__/x": b"", "evil.pyc": forged()})
    link(top / "tree" / PYC, top / "evil.pyc", directory=False)
    return top / "tree"


def pyc_that_leads_nowhere(top: Path) -> Path:
    link(top / "core.pyc", "nowhere", directory=False)
    return top


def pyc_in_a_circle(top: Path) -> Path:
    link(top / "core.pyc", "core.pyc", directory=False)
    return top


# ---- names


def pyc_named(name: str) -> Callable[[Path], Path]:
    def build(top: Path) -> Path:
        write(top, {"core.py": SOURCE})
        return named(top, name, forged())

    return build


def sources_of_one_name(top: Path) -> Path:
    write(top, {"core.py": SOURCE, PYC: pyc()})
    return named(top, "CORE.PY", EVIL)


def sources_of_one_normalized_name(top: Path) -> Path:
    named(top, "caf\u00e9.py", SOURCE)
    return named(top, "cafe\u0301.py", EVIL)


def packages_of_one_name(top: Path) -> Path:
    write(top, {"demo/core.py": SOURCE, f"demo/{PYC}": pyc()})
    named(top, "Demo/core.py", EVIL)
    return named(top, f"Demo/{PYC}", pyc(EVIL))


def directories_of_one_name(top: Path) -> Path:
    """As terminfo has them: there are no modules in them."""
    named(top, "terminfo/a/ansi", b"")
    return named(top, "terminfo/A/ANSI", b"")


def cache_with_a_short_name(top: Path) -> Path:
    """Where Windows knows it as that, what is in it comes into the cache."""
    write(top, {"core.py": SOURCE, PYC: pyc()})
    return write(top, {f"__PYCA~1/core.{TAG}.py": EVIL, f"__PYCA~1/{CACHED}": pyc(EVIL)})


def name_that_looks_short(top: Path) -> Path:
    return write(top, {"core~1.py": SOURCE, f"__pycache__/core~1.{TAG}.pyc": pyc(), "backup~1/x.txt": b""})


def name_that_is_not_unicode(top: Path) -> Path:
    if sys.platform != "linux":
        pytest.skip("only Linux has such names")
    name = os.fsdecode(b"c\xf6re")
    return write(top, {f"{name}.py": SOURCE, f"__pycache__/{name}.{TAG}.pyc": pyc()})


# ---- where a pyc may be


def pyc_beside_its_source(top: Path) -> Path:
    """In a zip, the pyc is loaded, at every optimization level."""
    return write(top, {"core.py": STRIPPED, "core.pyc": forged(STRIPPED, STRIPPED, optimize=2)})


def main_beside_its_source(top: Path) -> Path:
    return write(top, {"__main__.py": SOURCE, "__main__.pyc": forged(path="__main__.py")})


def pyc_in_the_cache_without_a_tag(top: Path) -> Path:
    return write(top, {"core.py": SOURCE, "__pycache__/core.pyc": pyc()})


def pyc_of_a_windows_source(top: Path) -> Path:
    """On Windows, ``.pyw`` is a module as well; its pyc has the name that one of ``.py`` has."""
    return write(top, {"core.pyw": SOURCE, PYC: pyc()})


def pyc_of_a_level_that_is_not(top: Path) -> Path:
    """``python -OOO`` loads it."""
    return write(top, {"core.py": SOURCE, f"__pycache__/core.{TAG}.opt-3.pyc": pyc()})


def pyc_of_another_implementation(top: Path) -> Path:
    return write(top, {"core.py": SOURCE, "__pycache__/core.pypy310.pyc": b"\x50\x01\r\n" + bytes(20)})


def pyc_of_another_implementation_by_name(top: Path) -> Path:
    return write(top, {"core.py": SOURCE, "__pycache__/core.graalpy240-311.pyc": pyc()})


def pyc_of_a_directory(top: Path) -> Path:
    (top / "core.py").mkdir()
    return write(top, {PYC: pyc()})


def pyc_below_a_prefix(top: Path) -> Path:
    """As PYTHONPYCACHEPREFIX has it: there are no sources beside it."""
    return write(top, {f"usr/lib/core.{TAG}.pyc": pyc()})


def pipe(top: Path) -> Path:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    os.mkfifo(top / "core.pyc")
    return top


def source_that_is_a_pipe(top: Path) -> Path:
    pipe(top)
    os.rename(top / "core.pyc", top / "core.py")  # noqa: PTH104 - it is not a file
    return write(top, {PYC: pyc()})


def unix_socket(top: Path) -> Path:
    if sys.platform == "win32":
        pytest.skip("there are no Unix sockets in directories")
    before = os.getcwd()  # noqa: PTH109 - a socket's path must be short
    os.chdir(top)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("core.pyc")
    finally:
        os.chdir(before)
    return top


# ---- bytecode that is not named like it


def bytecode_named(name: str, mode: int = 0o644) -> Callable[[Path], Path]:
    def build(top: Path) -> Path:
        write(top, {name: forged()})
        (top / name).chmod(mode)
        return top

    return build


def archive(name: str, before: bytes = b"") -> Callable[[Path], Path]:
    """Have the bytecode in a zip, which Python runs, and imports from if it is on its path."""

    def build(top: Path) -> Path:
        (top / name).write_bytes(before)
        with zipfile.ZipFile(top / name, "a") as opened:
            opened.writestr("core.pyc", forged())
        return top

    return build


def archive_that_is_damaged(top: Path) -> Path:
    """Put bytes behind the directory's entries: zipimport reads them all the same."""
    archive("python311.zip")(top)
    content = bytearray((top / "python311.zip").read_bytes())
    size = int.from_bytes(content[-10:-6], "little")
    content[-10:-6] = (size + 4).to_bytes(4, "little")
    content[-22:-22] = b"junk"
    (top / "python311.zip").write_bytes(content)
    return top


def directory_that_zipfile_does_not_find(top: Path) -> Path:
    """Have another signature in the end record: zipimport ignores the numbers of disks, before 3.13."""
    archive("demo")(top)
    content = bytearray((top / "demo").read_bytes())
    content[-18:-14], content[-2:] = b"PK\5\6", b"\1\0"
    (top / "demo").write_bytes(content)
    assert not zipfile.is_zipfile(top / "demo")
    return top


def directory_that_zipfile_ignores(top: Path) -> Path:
    """Have two directories: with ZIP64 records, `zipfile` reads the second one, and zipimport before 3.13 both."""
    content = zip_of("core.pyc", forged())
    first = content[content.index(b"PK\1\2") : -22]
    second = first.replace(b"core.pyc", b"core.txt")
    at = len(content) - 22 + len(second)
    records = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(second), at - len(second))
    records += struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    start, size = len(content) - 22 - len(first), len(first + second + records)
    (top / "demo.egg").write_bytes(
        content[:-22] + second + records + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, start, 0)
    )
    with zipfile.ZipFile(top / "demo.egg") as opened:
        assert opened.namelist() == ["core.txt"]
    return top


def archive_that_a_path_file_names(line: str, suffix: str = ".pth") -> Callable[[Path], Path]:
    def build(top: Path) -> Path:
        write(top, {f"site/demo{suffix}": f"# words\n\n{line}\nimport sys\n".encode()})
        return write(top, {"site/demo.bin": zip_of("core.pyc", forged())})

    return build


def path_file_that_names_what_is_elsewhere(top: Path) -> Path:
    write(top, {"elsewhere": zip_of("core.pyc", forged()), "tree/site/demo.py": SOURCE})
    return write(top / "tree", {"demo.pth": f"../elsewhere\n{top}/elsewhere\nsite\nnowhere".encode()})


def path_file_of_any_length(top: Path) -> Path:
    return write(top, {"demo.pth": bytes(300_000)})


def archive_in_a_constant(top: Path) -> Path:
    """The pyc is that of its source, and an archive as well: `python PYC` runs what is in it."""
    source = b"A = %r\n" % zip_of("__main__.pyc", forged())
    return write(top, {"core.py": source, PYC: pyc(source)})


def zip_of(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        opened.writestr(name, content)
    return stream.getvalue()


def program_about_archives(top: Path) -> Path:
    """Have the signatures of a ZIP's records in a program, as those that read archives do."""
    return write(top, {"unzip": b"\x7fELF" + b"PK\x05\x06" + bytes(100) + b"PK\x01\x02" + bytes(100)})


def archive_of_sources(top: Path) -> Path:
    with zipfile.ZipFile(top / "demo.egg", "w") as opened:
        opened.writestr("core.py", SOURCE)
    return write(top, {"data.zip": b"not an archive"})


# ---- NaNs: which are one object, and which are equal, is seen by `in`

NANS = b"A = 1e999 - 1e999\nB = 1e999 - 1e999\nprint(A in [B])\n"


def constants(source: bytes, change: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> bytes:
    code = compile(source, "core.py", "exec", dont_inherit=True)
    if [str(constant).strip("-") for constant in code.co_consts[:2]] != ["nan", "nan"]:
        pytest.skip("this Python does not fold them")
    return marshal.dumps(code.replace(co_consts=change(code.co_consts)))


def nan_that_is_shared(top: Path) -> Path:
    return payload(top, NANS, constants(NANS, lambda found: (found[0], found[0], *found[2:])))


def nan_of_the_other_sign(top: Path) -> Path:
    """As another machine folds it."""
    return payload(top, NANS, constants(NANS, lambda found: (-math.nan, math.nan, *found[2:])))


# ---- content


def forged_pyc(top: Path) -> Path:
    return write(top, {"core.py": SOURCE, PYC: forged()})


def forged_instruction(top: Path) -> Path:
    return write(top, {"core.py": SOURCE, PYC: with_other_instruction(pyc())})


def header_of_another_source(top: Path) -> Path:
    return write(top, {"core.py": SOURCE, PYC: pyc(EVIL)})


def payload(top: Path, source: bytes, changed: bytes) -> Path:
    """Write a pyc by hand."""
    header = PycHeader(HERE.magic_number, "checked-hash", source_hash=source_hash(source, HERE.magic_number))
    return write(top, {"core.py": source, PYC: header.to_bytes() + changed})


SET = b"def f(x):\n    return x in {'alpha', 'beta'}\n"


def set_in_another_order(top: Path) -> Path:
    """Iteration may follow it: canonical order is one of several that CPython writes."""
    content = pyc(SET)
    one, other = (b"\xda\x05alpha", b"\xda\x04beta")
    if content.count(one + other) + content.count(other + one) != 1:
        pytest.skip("this Python writes the set in another way")
    first, second = (one, other) if one + other in content else (other, one)
    swapped = content.replace(first + second, second + first)
    return payload(top, SET, swapped[HEADER_SIZE:])


def long_reasons(top: Path) -> Path:
    """Record a path of a megabyte, which is reported."""
    return write(top, {"core.py": SOURCE, PYC: pyc(path="p" * (1 << 20))})


def long_message(top: Path) -> Path:
    """Have the compiler name a variable of a megabyte."""
    name = b"n" * (1 << 20)
    source = b"def f(" + name + b"):\n    global " + name + b"\n"
    return write(top, {"core.py": source, PYC: forged(source)})


# ---- limits


def sparse(name: str, other: str, content: bytes) -> Callable[[Path], Path]:
    """Write a file of 4 GiB that takes no space."""

    def build(top: Path) -> Path:
        write(top, {other: content, PYC + ".txt": b""})
        with (top / name).open("wb") as stream:
            try:
                stream.truncate(1 << 32)
            except OSError as error:
                pytest.skip(f"no sparse files: {error}")
        return top

    return build


def deep_directories(top: Path) -> Path:
    """Nest directories until the path is too long for the system."""
    if sys.platform == "win32":
        raise NotImplementedError
    before = os.open(".", os.O_RDONLY)
    os.chdir(top)
    try:
        for _ in range(50):
            os.mkdir("d" * 100)  # noqa: PTH102
            os.chdir("d" * 100)
        write(type(top)(), {"core.pyc": forged()})
    finally:
        os.fchdir(before)
        os.close(before)
    return top


CODE = ("verify", "-i", HERE.path)  # with a known release, different instructions are not only unverifiable

CASES = (
    Case(forged_pyc, FOUND, ("differs",)),
    Case(forged_instruction, FOUND, ("unverifiable", "to other instructions in f,")),
    Case(forged_instruction, FOUND, ("differs",), CODE, name="forged_instruction-code"),
    Case(header_of_another_source, FOUND, ("stale",)),
    Case(cache_that_is_a_link, FOUND, (f"demo/{PYC}",)),
    Case(cache_that_is_a_link_within, FOUND, (f"demo/{PYC}", "1 stale")),
    Case(cache_that_is_the_directory_above, FOUND, (f"demo/{PYC}",)),
    Case(cache_that_leads_nowhere, FOUND, ("the link does not lead to a directory",)),
    Case(package_that_is_a_link, FOUND, (f"demo/{PYC}",)),
    Case(package_that_is_a_link_within, PASSED, ("1 equivalent",)),
    Case(links_in_a_circle, FOUND, ("1 equivalent",)),
    Case(links_without_end, PASSED, ("1 equivalent",)),
    Case(pyc_that_is_a_link, FOUND, ("differs",), CODE),
    Case(pyc_that_leads_nowhere, FOUND, ("malformed",)),
    Case(pyc_in_a_circle, FOUND, ("malformed",)),
    *(
        Case(pyc_named(name), FOUND, ("some systems or unpackers read it as",), name=ascii(name))
        for name in (
            *("core.PYC", "core.pyc.", "core.pyc ", "core.pyc::$DATA", "core.p\u200cyc", "core.pyc. ."),
            *(f"__PYCACHE__/{CACHED}", f"__pycache__./{CACHED}", f"__pycache__ /{CACHED}"),
            f"__pycache__/{CACHED.upper()}",
        )
    ),
    Case(sources_of_one_name, FOUND, ("some systems or unpackers read it as",)),
    Case(sources_of_one_normalized_name, FOUND, ("some systems or unpackers read it as",)),
    Case(packages_of_one_name, FOUND, ("some systems or unpackers read it as",)),
    Case(directories_of_one_name, PASSED, ("no pycs",)),
    Case(cache_with_a_short_name, FOUND, ("Windows can read it as __pycache__",)),
    Case(name_that_looks_short, PASSED, ("1 equivalent",)),
    Case(name_that_is_not_unicode, PASSED, ("1 equivalent",)),
    Case(pyc_beside_its_source, FOUND, ("differs",), CODE),
    Case(main_beside_its_source, FOUND, ("differs",), CODE),
    Case(pyc_in_the_cache_without_a_tag, FOUND, ("malformed",)),
    Case(pyc_of_a_windows_source, FOUND, ("orphan",)),
    Case(pyc_of_a_level_that_is_not, FOUND, ("unverifiable",)),
    Case(pyc_of_another_implementation, FOUND, ("unverifiable", "PyPy")),
    Case(pyc_of_another_implementation_by_name, FOUND, ("malformed",)),
    Case(pyc_of_a_directory, FOUND, ("unverifiable",)),
    Case(pyc_below_a_prefix, FOUND, ("orphan",)),
    Case(pipe, FOUND, ("malformed", "regular file")),
    Case(source_that_is_a_pipe, FOUND, ("unverifiable", "regular file")),
    Case(unix_socket, FOUND, ("malformed",)),
    *(
        Case(bytecode_named(name, mode), FOUND, ("its name does not end in .pyc",), name=f"bytecode-{name}")
        for name, mode in (
            ("core.py", 0o644),
            ("core.pyw", 0o644),
            ("core.pyo", 0o644),
            ("core", 0o644),
            ("core.sh", 0o755),
        )
    ),
    *(
        Case(archive(name), FOUND, ("is an archive with pycs",), name=f"archive-{name}")
        for name in ("python311.zip", "demo.EGG", "demo.pyz", "demo.pyzw", "demo.exe", "demo-1.0-py3-none-any.whl")
    ),
    Case(archive("demo", b"#!/usr/bin/env python3\n"), FOUND, ("is an archive with pycs",), name="zipapp"),
    Case(archive("core.py", SOURCE), FOUND, ("is an archive with pycs",), name="source_and_archive"),
    Case(directory_that_zipfile_does_not_find, FOUND, ("is an archive with pycs",)),
    Case(directory_that_zipfile_ignores, FOUND, ("is an archive with pycs",)),
    Case(archive_that_a_path_file_names("demo.bin"), FOUND, ("is an archive with pycs",), name="pth"),
    Case(
        archive_that_a_path_file_names("..\\site\\.\\demo.bin"), FOUND, ("is an archive with pycs",), name="pth-other"
    ),
    Case(archive_that_a_path_file_names("demo.bin", "._pth"), FOUND, ("is an archive with pycs",), name="pth-windows"),
    Case(archive_that_a_path_file_names("import demo.bin"), PASSED, ("no pycs",), name="pth-import"),
    Case(path_file_that_names_what_is_elsewhere, PASSED, ("no pycs",)),
    Case(path_file_of_any_length, FOUND, ("the limit is 262144",)),
    Case(archive_in_a_constant, FOUND, ("unverifiable", "is an archive with pycs")),
    Case(program_about_archives, PASSED, ("no pycs",)),
    Case(archive_that_is_damaged, FOUND, ("is an archive with pycs",)),
    Case(archive_of_sources, PASSED, ("no pycs",)),
    Case(nan_that_is_shared, FOUND, ("differs",), CODE),
    Case(nan_of_the_other_sign, PASSED, ("1 equivalent",), CODE),
    Case(set_in_another_order, PASSED, ("set order (1)",), ("verify", "-v")),
    Case(set_in_another_order, FOUND, ("set order (1)",), ("verify", "--strict"), name="set_in_another_order-strict"),
    Case(long_reasons, FOUND, ("recorded path 'ppp",), ("verify", "--strict")),
    Case(long_message, FOUND, ("differs", "SyntaxError"), CODE),
    Case(sparse("core.pyc", "core.py", SOURCE), FOUND, ("unverifiable", "4294967296 bytes"), name="sparse_pyc"),
    Case(sparse("core.py", "core.pyc", pyc()), FOUND, ("unverifiable", "4294967296 bytes"), name="sparse_source"),
    Case(deep_directories, FAILED, ("name too long",)),
)
