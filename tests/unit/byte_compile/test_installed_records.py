"""Updating the RECORD of an installed distribution."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import pytest
from installer.records import parse_record_file

import wheels
from bounds import bounded
from detpyc.byte_compile import installed_records as installed
from detpyc.byte_compile.installed_records import is_record, update_record
from detpyc.errors import DetpycError, TooLargeError
from fakes import locked

if TYPE_CHECKING:
    from pathlib import Path

RECORD = "demo-1.0.dist-info/RECORD"
SLOTS = {("cpython-312", 0), ("cpython-312", 1)}
CORE, CORE_1, INIT = (
    f"demo/__pycache__/{name}.pyc" for name in ("core.cpython-312", "core.cpython-312.opt-1", "__init__.cpython-312")
)
OTHER = "demo/__pycache__/core.cpython-311.pyc"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Install a wheel by hand."""
    for name, content in wheels.complete().items():
        write(tmp_path / name, content)
    return tmp_path


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def rows(site: Path) -> list[tuple[str, str, str]]:
    return list(parse_record_file((site / RECORD).read_text(encoding="utf-8").splitlines()))


def row(site: Path, name: str) -> tuple[str, str, str]:
    content = (site / name).read_bytes()
    return name, wheels.sha256(content), str(len(content))


def test_new_pycs_are_listed(site: Path) -> None:
    before = rows(site)
    for name in (CORE, CORE_1, INIT, OTHER, "demo/__pycache__/stranger.cpython-312.pyc"):
        write(site / name, name.encode())
    assert update_record(site / RECORD, SLOTS) is True
    assert rows(site) == [*before, *(row(site, name) for name in sorted([CORE, CORE_1, INIT]))]
    assert update_record(site / RECORD, SLOTS) is False


def test_existing_rows_are_fixed(site: Path) -> None:
    """uv leaves stale hashes when it compiles, and pip lists twice what it overwrites."""
    before = rows(site)
    for name in (CORE, INIT, OTHER):
        write(site / name, name.encode())
    stale = [(CORE, wheels.sha256(b"stale"), "5"), (INIT, "", ""), (CORE_1, wheels.sha256(b"gone"), "4")]
    twice = [(CORE, "", ""), (OTHER, "", "")]
    (site / RECORD).write_bytes(wheels.rows([*before[:1], *stale, *before[1:], *twice]))
    assert update_record(site / RECORD, SLOTS) is True
    assert rows(site) == [before[0], row(site, CORE), row(site, INIT), *before[1:], row(site, OTHER)]


def test_other_rows_stay(site: Path) -> None:
    (site / "demo" / "core.py").write_bytes(b"edited")
    write(site / CORE, b"pyc")
    before = rows(site)
    assert update_record(site / RECORD, SLOTS) is True
    assert rows(site) == [*before, row(site, CORE)]


def test_nothing_to_change(site: Path) -> None:
    before = (site / RECORD).stat()
    assert update_record(site / RECORD, SLOTS) is False
    assert (site / RECORD).stat().st_mtime_ns == before.st_mtime_ns


def test_check(site: Path) -> None:
    write(site / CORE, b"pyc")
    before = (site / RECORD).read_bytes()
    assert update_record(site / RECORD, SLOTS, check=True) is True
    assert (site / RECORD).read_bytes() == before


def test_mode_stays(site: Path) -> None:
    (site / RECORD).chmod(0o640)
    write(site / CORE, b"pyc")
    assert update_record(site / RECORD, SLOTS) is True
    assert stat.S_IMODE((site / RECORD).stat().st_mode) == 0o640


def test_malformed(site: Path) -> None:
    (site / RECORD).write_bytes(b"one field\n")
    with pytest.raises(DetpycError, match=f"{RECORD}: RECORD is malformed: line 1 has 1 fields"):
        update_record(site / RECORD, SLOTS)


def test_record_that_is_too_large(site: Path) -> None:
    with (site / RECORD).open("ab") as stream:
        stream.truncate(1 << 40)
    with bounded(), pytest.raises(TooLargeError, match=f"{RECORD}: has 1099511627776 bytes"):
        update_record(site / RECORD, SLOTS)


def test_pyc_that_is_too_large(site: Path) -> None:
    write(site / CORE, b"")
    with (site / CORE).open("ab") as stream:
        stream.truncate(1 << 40)
    with bounded(), pytest.raises(TooLargeError, match=f"{CORE}: has 1099511627776 bytes"):
        update_record(site / RECORD, SLOTS)


def test_record_that_another_process_locks(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform == "win32":
        pytest.skip("the lock is POSIX's")
    monkeypatch.setattr(installed, "_LOCK_TIMEOUT", 0.1)
    write(site / CORE, b"pyc")
    with locked(site / RECORD), pytest.raises(DetpycError, match="in use by another detpyc process"):
        update_record(site / RECORD, SLOTS)
    assert update_record(site / RECORD, SLOTS) is True


@pytest.mark.parametrize(
    ("name", "expected"),
    [(RECORD, True), ("demo/RECORD", False), ("demo-1.0.dist-info/sboms/RECORD", False)],
)
def test_is_record(tmp_path: Path, name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_record(tmp_path / name) is expected
    assert not is_record(tmp_path / f"{name}.old")
