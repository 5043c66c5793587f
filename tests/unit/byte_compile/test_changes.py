"""What `detpyc wheel --check -v` says of each member that would change."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import wheels
from command_line import unchanged
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.cli import main
from detpyc.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

INFO = "demo-1.0.dist-info"
CORE, INIT = (f"demo/__pycache__/{name}.{sys.implementation.cache_tag}.pyc" for name in ("core", "__init__"))
LISTS = "lists the new wheel's members, in archive order"


def explained(path: Path, settings: Settings = Settings(), **options: Any) -> dict[str, str]:
    """Return the changes to a wheel, which stays as it is."""
    with unchanged(path.parent):
        report = byte_compile_wheel(path, settings, WheelOptions(check=True, explain=True, **options))
    assert report.changed == bool(report.changes)
    return report.changes


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with bytecode."""
    path = wheels.build(tmp_path)
    byte_compile_wheel(path)
    return path


def change(path: Path, changes: dict[str, bytes | None]) -> None:
    """Change the content of members, and make RECORD match."""
    contents = {name: content for name, content in (wheels.read(path) | changes).items() if content is not None}
    record = f"{INFO}/RECORD"
    del contents[record]
    wheels.write(path, {**contents, record: wheels.record(contents, record)}, adapt=as_detpyc)


def as_detpyc(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o100644 << 16


def test_nothing(wheel: Path) -> None:
    assert explained(wheel) == {}


def test_wheel_without_bytecode(tmp_path: Path) -> None:
    assert explained(wheels.build(tmp_path)) == {
        CORE: "added: the wheel has no such bytecode",
        INIT: "added: the wheel has no such bytecode",
        f"{INFO}/detpyc.json": "added: records what made the bytecode",
        f"{INFO}/RECORD": f"rewritten: mode -rw-r--r-- instead of -rw-rw-r--; {LISTS}",
    }


def test_only_when_asked(tmp_path: Path) -> None:
    assert byte_compile_wheel(wheels.build(tmp_path), Settings(), WheelOptions(check=True)).changes == {}


def test_stale_pyc_and_other_bytecode(wheel: Path) -> None:
    pyc = wheels.read(wheel)[CORE]
    change(wheel, {"demo/core.py": b"x = 1\n", INIT: wheels.read(wheel)[INIT].replace(b"__init__.py", b"__in_t__.py")})
    changes = explained(wheel)
    assert changes.keys() == {CORE, INIT, f"{INFO}/RECORD"}
    assert changes[CORE] == "rewritten: stale, as its source has changed"
    assert changes[INIT].startswith("rewritten: path: ")
    assert wheels.read(wheel)[CORE] == pyc


def test_removed_and_added(wheel: Path) -> None:
    """A pyc of another tool, the entry of a directory, and a pyc that is missing; RECORD's rows follow."""
    other = "demo/__pycache__/core.cpython-312-pytest-8.3.4.pyc"
    change(wheel, {other: b"x", "demo/__pycache__/": b"", CORE: None})
    assert explained(wheel) == {
        other: "removed: no earlier run has recorded it",
        "demo/__pycache__/": "removed: installers create directories for files",
        CORE: "added: the wheel has no such bytecode",
        f"{INFO}/RECORD": f"rewritten: {LISTS}",
    }


def test_provenance_of_other_settings(wheel: Path) -> None:
    changes = explained(wheel, Settings(exclude=("demo/__init__.py",)))
    assert changes == {
        INIT: "removed: these settings do not make it again",
        f"{INFO}/detpyc.json": "rewritten: records other settings, interpreters or versions",
        f"{INFO}/RECORD": f"rewritten: {LISTS}",
    }


def test_form_of_the_archive(wheel: Path) -> None:
    changes = explained(wheel, normalize_archive=True)
    date = "date 1980-01-01 00:00:00 instead of 2021-04-05 06:07:08"
    assert changes["demo/__init__.py"] == f"rewritten: {date}; mode -rw-r--r-- instead of -rw-rw-r--"
    assert changes["demo/core.py"].endswith(f"; place after {CORE} instead of after demo/__init__.py")
    assert changes[CORE] == f"rewritten: {date}"


def test_headers_of_the_archive(wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"comment"
    assert explained(wheel) == {
        wheel.name: "rewritten: its headers have comments, extra fields or data descriptors",
    }


def test_pycs_of_earlier_runs_are_kept(wheel: Path) -> None:
    changes = explained(wheel, Settings(optimize=(2,)))
    assert changes[CORE] == changes[INIT] == "kept: an earlier run has recorded it, and it matches its source"


def test_place_of_members(wheel: Path) -> None:
    """As in a wheel that a tool has packed in another order."""
    contents = wheels.read(wheel)
    pyc = {CORE: contents.pop(CORE)}
    wheels.write(wheel, {**pyc, **contents}, adapt=as_detpyc)
    changes = explained(wheel)
    assert changes[CORE] == f"moved: after {INIT} instead of after nothing"
    assert changes["demo/__init__.py"] == f"moved: after nothing instead of after {CORE}"


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.build(tmp_path)
    assert main(["wheel", "--check", "-v", str(path)]) == 1
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{path.name}: would change"
    assert f"    {CORE}: added: the wheel has no such bytecode" in lines
    assert main(["wheel", "--check", str(path)]) == 1
    assert capsys.readouterr().out == f"{first}\n"
    assert main(["wheel", "--check", "--json", str(path)]) == 1
    (document,) = json.loads(capsys.readouterr().out)["wheels"]
    assert document["changes"][CORE] == "added: the wheel has no such bytecode"
