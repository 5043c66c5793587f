"""One wheel, byte-compiled: what goes wrong, and in which order that is reported."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

import pytest

import wheels
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.errors import CompilationError, DetpycError, WheelError
from detpyc.replacement import Replacement
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"
TAG = sys.implementation.cache_tag
BROKEN = {**wheels.MODULES, "demo/broken.py": b"def f(:\n"}


@pytest.mark.parametrize("kind", [str, os.fspath, lambda path: path])
def test_path_of_any_kind(kind: Callable[[Path], str | os.PathLike[str]], tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    report = byte_compile_wheel(kind(path))
    assert (report.path, report.changed, report.modules, report.pycs) == (path, True, 2, 2)
    assert not byte_compile_wheel(kind(path), Settings(), WheelOptions(check=True)).changed


def test_entries_of_cache_directories_are_dropped(tmp_path: Path) -> None:
    """Tools that repack a wheel add them, if they find pycs. RECORD may list directories, but not these afterwards."""
    caches = {"__pycache__/": b"", "demo/__pycache__/": b"", "demo/not__pycache__/": b"", "demo/": b""}
    path = wheels.build(tmp_path, {**wheels.MODULES, "demo/__pycache__/notes.txt": b"", **caches})
    byte_compile_wheel(path)
    members = wheels.read(path)
    assert [name for name in members if name.endswith("/")] == ["demo/not__pycache__/", "demo/"]
    assert "demo/__pycache__/notes.txt" in members
    rows = members[f"{INFO}/RECORD"].decode().splitlines()
    assert [row.split(",")[0] for row in rows] == list(members)
    assert not byte_compile_wheel(path, Settings(), WheelOptions(check=True)).changed


def test_source_that_does_not_compile(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, BROKEN)
    with pytest.raises(CompilationError) as caught:
        byte_compile_wheel(path)
    assert caught.value.path == str(path)
    assert "does not byte-compile 1 source:\n    demo/broken.py: SyntaxError: line 1" in caught.value.reason


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"demo/data.txt": b"other"}, "RECORD's line for demo/data.txt has a wrong sha256 hash"),
        ({"demo/core.py": b"x = 2\n" * 10}, "RECORD's line for demo/core.py says 55 bytes, and it has 60"),
        ({"demo/more.py": b""}, "RECORD does not list demo/more.py"),
        ({f"{INFO}/detpyc.json": b"{"}, f"RECORD does not list {INFO}/detpyc.json"),
    ],
)
def test_wrong_record_is_reported_before_a_source_that_does_not_compile(
    change: dict[str, bytes], problem: str, tmp_path: Path
) -> None:
    contents = wheels.complete({**BROKEN, "demo/data.txt": b"words"})
    path = wheels.write(tmp_path / NAME, {**contents, **change})
    before = path.read_bytes()
    with pytest.raises(WheelError) as caught:
        byte_compile_wheel(path)
    assert (caught.value.problems, caught.value.path) == ((problem,), str(path))
    assert path.read_bytes() == before


def test_damaged_member_is_reported_before_a_source_that_does_not_compile(tmp_path: Path) -> None:
    path = wheels.forge(wheels.build(tmp_path, {**BROKEN, "demo/data.txt": b"words"}), "demo/data.txt", crc=1)
    with pytest.raises(WheelError, match=r"\.whl: demo/data\.txt: its CRC-32 is wrong"):
        byte_compile_wheel(path)


def test_malformed_provenance_names_the_wheel(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {**wheels.MODULES, f"{INFO}/detpyc.json": b"{"})
    with pytest.raises(DetpycError) as caught:
        byte_compile_wheel(path)
    assert str(caught.value).startswith(f"{path}: detpyc.json is malformed: ")


def test_sourceless_wheel_without_wheel_file(tmp_path: Path) -> None:
    contents = {name: content for name, content in wheels.complete().items() if not name.endswith(("WHEEL", "RECORD"))}
    contents[f"{INFO}/RECORD"] = wheels.record(contents, f"{INFO}/RECORD")
    path = wheels.write(tmp_path / NAME, contents)
    with pytest.raises(WheelError) as caught:
        byte_compile_wheel(path, Settings(layout="sourceless"), WheelOptions(rename=True))
    assert str(caught.value) == f"{path}: has no {INFO}/WHEEL"


RENAMING = WheelOptions(rename=True)
SOURCELESS = Settings(layout="sourceless")


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_renamed_wheel_does_not_overwrite_another(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    (tmp_path / "other").mkdir()
    target = byte_compile_wheel(wheels.build(tmp_path / "other"), SOURCELESS, RENAMING).path
    other = tmp_path / target.name
    other.write_bytes(b"another wheel")
    before = files(tmp_path / "other"), path.read_bytes(), other.read_bytes()
    for options in (RENAMING, RENAMING._replace(output_dir=tmp_path), RENAMING._replace(check=True)):
        with pytest.raises(DetpycError) as caught:
            byte_compile_wheel(path, SOURCELESS, options)
        assert str(caught.value).startswith(f"{other}: exists already, and is another wheel; remove it")
    assert (files(tmp_path / "other"), path.read_bytes(), other.read_bytes()) == before


def test_renamed_wheel_that_is_there_already(tmp_path: Path) -> None:
    """As it is when a run was killed between writing the new wheel and removing the old one."""
    path = wheels.build(tmp_path)
    content = path.read_bytes()
    target = byte_compile_wheel(path, SOURCELESS, RENAMING).path
    result = target.read_bytes()
    path.write_bytes(content)
    assert byte_compile_wheel(path, SOURCELESS, RENAMING).changed
    assert files(tmp_path) == {target.name: result}


@pytest.mark.parametrize("leads_to", ["file", "nothing"])
def test_link_in_the_output_directory_is_not_followed(leads_to: str, tmp_path: Path) -> None:
    path, output = wheels.build(tmp_path), tmp_path / "output"
    output.mkdir()
    victim = tmp_path / "victim"
    if leads_to == "file":
        victim.write_bytes(b"precious")
    (output / path.name).symlink_to(victim)
    with pytest.raises(DetpycError, match=r"output/demo-1\.0-py3-none-any\.whl: is a symbolic link"):
        byte_compile_wheel(path, Settings(), WheelOptions(output_dir=output))
    assert (output / path.name).is_symlink()
    assert victim.exists() == (leads_to == "file")
    assert not victim.exists() or victim.read_bytes() == b"precious"


def test_link_to_a_wheel_is_kept(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / path.name
    link.symlink_to(path)
    before = path.read_bytes()
    assert byte_compile_wheel(link).changed
    assert link.is_symlink()
    assert path.read_bytes() != before


def test_interrupt_after_the_new_wheel_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheels.build(tmp_path)
    commit = Replacement.commit

    def interrupted(replacement: Replacement, *, replaced: BinaryIO) -> None:
        commit(replacement, replaced=replaced)
        raise KeyboardInterrupt

    monkeypatch.setattr(Replacement, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        byte_compile_wheel(path, SOURCELESS, RENAMING)
    (left,) = tmp_path.iterdir()
    assert left != path


def test_interrupt_before_the_new_wheel_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheels.build(tmp_path)
    before = files(tmp_path)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Replacement, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        byte_compile_wheel(path, SOURCELESS, RENAMING)
    assert files(tmp_path) == before


def test_old_wheel_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wheels.build(tmp_path)
    unlink = type(path).unlink

    def refuse(victim: Path, *, missing_ok: bool = False) -> None:
        if victim == path:
            raise PermissionError(13, "Permission denied")
        unlink(victim, missing_ok=missing_ok)

    monkeypatch.setattr(type(path), "unlink", refuse)
    with pytest.raises(DetpycError) as caught:
        byte_compile_wheel(path, SOURCELESS, RENAMING)
    assert str(caught.value) == f"{path}: cannot be removed: Permission denied; the result is beside it"


@pytest.mark.parametrize(
    "name",
    [
        "demo/__pycache__",
        f"demo/__pycache__/core.{TAG}.pyc/data.txt",
        f"demo/__pycache__/core.{TAG}.pyc/",
        f"{INFO}/detpyc.json/data.txt",
        f"{INFO}/DETPYC.json",
    ],
)
def test_member_in_the_place_of_a_new_one(name: str, tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {**wheels.MODULES, name: b""})
    before = path.read_bytes()
    with pytest.raises(WheelError) as caught:
        byte_compile_wheel(path)
    assert str(caught.value).startswith(f"{path}: cannot be rewritten: ")
    assert name in str(caught.value)
    assert files(tmp_path) == {path.name: before}


@pytest.mark.parametrize("check", [False, True])
def test_temporary_files_of_killed_runs(tmp_path: Path, check: bool) -> None:  # noqa: FBT001
    """They are removed where the result is written."""
    path = wheels.build(tmp_path)
    stale, results = ".detpyc-0123456789abcdef.tmp", tmp_path / "results"
    results.mkdir()
    for directory in (tmp_path, results):
        (directory / stale).write_bytes(b"unfinished")
    byte_compile_wheel(path, Settings(), WheelOptions(check=check, output_dir=results))
    assert ((tmp_path / stale).exists(), (results / stale).exists()) == (True, check)
    byte_compile_wheel(path, Settings(), WheelOptions(check=check))
    assert (tmp_path / stale).exists() is check
