"""Where a wheel can have bytecode that something loads, and verification has to find it."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import wheels
from hostile.cases import FOUND, PASSED, Case
from pycs import HERE, PYC, SOURCE, TAG, forged, pyc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

EVIL = b"print('evil')\n"


def having(files: Mapping[str, bytes]) -> Callable[[Path], Path]:
    return lambda directory: wheels.build(directory, files)


def archive_of(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def executable(directory: Path) -> Path:
    """Have installers make it executable, as the archive says."""

    def adapt(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o100755 << 16

    path = directory / "demo-1.0-py3-none-any.whl"
    return wheels.write(path, wheels.complete({"demo/run.bin": forged()}), adapt=adapt)


CODE = ("verify", "-i", HERE.path)
DATA = "demo-1.0.data"
LARGE = bytes(65 << 20)
DISGUISED = ("its name does not end in .pyc",)

CASES = (
    Case(having({"core.py": SOURCE, PYC: pyc()}), PASSED, ("1 equivalent",), CODE, name="as_it_should_be"),
    Case(having({f"{DATA}/purelib/core.py": SOURCE, PYC: pyc()}), PASSED, ("1 equivalent",), CODE, name="two_roots"),
    Case(having({f"{DATA}/purelib/core.py": SOURCE, PYC: forged()}), FOUND, ("1 differs",), CODE, name="other_root"),
    Case(having({"core.py": SOURCE, f"{DATA}/platlib/{PYC}": forged()}), FOUND, ("differs",), CODE, name="platlib"),
    Case(having({"core.py": SOURCE, "core.pyc": forged()}), FOUND, ("differs",), CODE, name="beside_the_source"),
    Case(having({f"demo-1.0.dist-info/{PYC}": pyc()}), FOUND, ("orphan",), name="dist_info"),
    Case(having({f"{DATA}/data/lib/core.pyc": pyc()}), FOUND, ("orphan",), name="data"),
    Case(having({f"{DATA}/scripts/__pycache__/core.{TAG}.pyc": pyc()}), FOUND, ("orphan",), name="scripts"),
    Case(having({f"{DATA}/scripts/demo": forged()}), FOUND, DISGUISED, name="script"),
    Case(having({f"{DATA}/scripts/demo.txt": forged()}), FOUND, DISGUISED, name="script_with_a_suffix"),
    Case(having({"core.py": forged()}), FOUND, DISGUISED, name="source"),
    Case(having({"core.py": forged(), PYC: pyc()}), FOUND, DISGUISED, name="source_of_a_pyc"),
    Case(
        having(
            {
                f"{DATA}/data/share/core.py": SOURCE,
                f"{DATA}/data/share/core.pyc": pyc(SOURCE),
                f"other.data/purelib/{DATA}/data/share/core.py": forged(),
            }
        ),
        FOUND,
        DISGUISED,
        name="source_by_the_path_of_another",
    ),
    Case(having({"core.dat": forged()}), PASSED, ("no pycs",), name="data_of_a_program"),
    Case(executable, FOUND, DISGUISED),
    Case(having({"demo.egg": archive_of("core.pyc", forged())}), FOUND, ("an archive with pycs",), name="egg"),
    Case(
        having({f"{DATA}/purelib/demo.pth": b"demo/data.bin\n", "demo/data.bin": archive_of("core.pyc", forged())}),
        FOUND,
        ("an archive with pycs",),
        name="pth",
    ),
    Case(
        having({"demo.pth": b"data.bin\n", f"{DATA}/platlib/data.bin": archive_of("core.pyc", forged())}),
        FOUND,
        ("platlib/data.bin: is an archive with pycs",),
        name="pth_of_another_root",
    ),
    Case(having({"demo.zip": archive_of("core.py", SOURCE)}), PASSED, ("no pycs",), name="zip_of_sources"),
    Case(having({"demo.zip": LARGE + archive_of("a.pyc", b"")}), FOUND, ("an archive with pycs",), name="large_zip"),
    Case(having({"demo/node": LARGE}), PASSED, ("no pycs",), name="large_program"),
    Case(having({"demo/node": LARGE + archive_of("a.pyc", b"")}), FOUND, ("an archive",), name="large_zipapp"),
    Case(
        having({f"{DATA}/scripts/demo": b"#!python\n" + archive_of("__main__.pyc", forged())}),
        FOUND,
        ("an archive with pycs",),
        name="zipapp",
    ),
)
