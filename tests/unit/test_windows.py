"""What Windows does otherwise, put in place of what this system does."""

from __future__ import annotations

import errno
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.byte_compile import byte_compile_wheel
from detpyc.bytecode.header import InvalidationMode, PycHeader
from detpyc.errors import DetpycError
from detpyc.files import Replacement, open_locked
from detpyc.installed import update_record
from detpyc.normalize import normalize
from detpyc.settings import Settings
from unit.bytecode import payloads
from unit.bytecode.payloads import flagged, small_tuple, text

if sys.platform == "win32":
    pytest.skip("there is no need to put it in place", allow_module_level=True)

if TYPE_CHECKING:
    from collections.abc import Callable


def denied(*_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


# ---- files


@pytest.fixture
def open_files_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing take the place of an open file. All that are replaced are locked while they are open."""
    replace = Path.replace

    def replace_closed(path: Path, target: Path) -> Path:
        try:
            with open_locked(target):
                pass
        except DetpycError:
            denied()
        return replace(path, target)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(Path, "replace", replace_closed)


def byte_compiled_wheel(directory: Path) -> bool:
    return byte_compile_wheel(wheels.build(directory), Settings()).changed


def normalized_wheel(directory: Path) -> bool:
    payload = payloads.code((3, 12), {"consts": small_tuple(flagged(text("a b")))})
    pyc = PycHeader(3531, InvalidationMode.TIMESTAMP, mtime=5, source_size=7).to_bytes() + payload
    return bool(normalize(wheels.build(directory, {"core.pyc": pyc})).changed)


def updated_record(directory: Path) -> bool:
    for name, content in {**wheels.complete(), "demo/__pycache__/core.cpython-312.pyc": b"pyc"}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return update_record(directory / "demo-1.0.dist-info" / "RECORD", {("cpython-312", 0)})


@pytest.mark.usefixtures("open_files_stay")
@pytest.mark.parametrize("replaced", [byte_compiled_wheel, normalized_wheel, updated_record])
def test_what_is_replaced_is_closed_before(replaced: Callable[[Path], bool], tmp_path: Path) -> None:
    assert replaced(tmp_path)


def test_file_that_cannot_be_replaced_for_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor can a file of such a mode be removed."""
    unlink = Path.unlink

    def unlink_writable(path: Path) -> None:
        if not path.stat().st_mode & stat.S_IWRITE:
            denied()
        unlink(path)

    monkeypatch.setattr(Path, "replace", denied)
    monkeypatch.setattr(Path, "unlink", unlink_writable)
    file = tmp_path / "file"
    file.touch(0o444)
    with (
        pytest.raises(DetpycError, match="file: cannot be written: Permission denied"),
        Replacement(file, 0o444) as new,
    ):
        new.commit()
    assert [*tmp_path.iterdir()] == [file]
