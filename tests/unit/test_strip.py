"""Bytecode taken out of wheels and directories."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installer.sources import WheelFile

import trees
import wheels
from detpyc.byte_compile.tree_files import TreeFiles
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.cli import main
from detpyc.errors import DetpycError
from detpyc.settings import Settings
from detpyc.strip import StripReport, strip_artifact

if TYPE_CHECKING:
    from collections.abc import Mapping

TAG = sys.implementation.cache_tag
PYCS = (f"demo/__pycache__/__init__.{TAG}.pyc", f"demo/__pycache__/core.{TAG}.pyc")
PROVENANCE = "demo-1.0.dist-info/detpyc.json"
RECORD = "demo-1.0.dist-info/RECORD"
NO_SOURCE = "has no source, and would be lost"


def compiled(directory: Path, layout: str = "pycache") -> Path:
    """Make a wheel with bytecode."""
    return byte_compile_wheel(wheels.build(directory), Settings(layout=layout), WheelOptions(rename=True)).path


def installed(top: Path, contents: Mapping[str, bytes]) -> Path:
    return trees.write(top / "site", contents)


# ---- wheels


def test_wheel(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    before = wheels.read(path)
    path.chmod(0o640)
    byte_compile_wheel(path, Settings())
    assert {*PYCS, PROVENANCE} <= wheels.read(path).keys()

    assert strip_artifact(path) == StripReport(str(path), PYCS, {}, (PROVENANCE,))

    assert wheels.read(path) == before  # and so RECORD
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with WheelFile.open(path) as file:
        file.validate_record()


def test_there_and_back_gives_the_same_bytes(tmp_path: Path) -> None:
    path = compiled(tmp_path)
    with_bytecode = path.read_bytes()
    strip_artifact(path)
    without = path.read_bytes()
    byte_compile_wheel(path, Settings())
    assert path.read_bytes() == with_bytecode
    strip_artifact(path)
    assert path.read_bytes() == without


def test_wheel_without_bytecode_is_not_written(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    inode = path.stat().st_ino
    assert strip_artifact(path) == StripReport(str(path))
    assert path.stat().st_ino == inode


def test_wheel_with_check(tmp_path: Path) -> None:
    path = compiled(tmp_path)
    before = path.read_bytes()
    assert strip_artifact(path, check=True) == StripReport(str(path), PYCS, {}, (PROVENANCE,))
    assert path.read_bytes() == before


def test_bytecode_that_others_put_in(tmp_path: Path) -> None:
    """Beside the source as Python 2 had it, in a data directory, of a source that lies in another root, and entries."""
    contents = wheels.complete(
        {
            **wheels.MODULES,
            "demo/core.pyc": b"2",
            "demo/__pycache__/core.pypy310.pyc": b"pypy",
            "demo-1.0.data/purelib/demo/__pycache__/core.cpython-312.pyc": b"3",
            "kept/__pycache__/cache.nbi": b"numba",
            "kept/__pycache__/mod.cpython-312.pyc": b"5",
            "kept/mod.py": b"",
        }
    )
    directories = ["demo/__pycache__/", "kept/__pycache__/", "demo/"]
    path = wheels.write(
        tmp_path / "demo-1.0-py3-none-any.whl", [*((name, b"") for name in directories), *contents.items()]
    )
    assert len(strip_artifact(path).pycs) == 4
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [
            "kept/__pycache__/",
            "demo/",
            *wheels.MODULES,
            "kept/__pycache__/cache.nbi",
            "kept/mod.py",
            *(f"demo-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")),
        ]
    assert strip_artifact(path) == StripReport(str(path))


def test_sourceless_wheel(tmp_path: Path) -> None:
    path = compiled(tmp_path, "sourceless")
    pycs = ("demo/__init__.pyc", "demo/core.pyc")
    before = path.read_bytes()
    assert strip_artifact(path) == StripReport(str(path), (), dict.fromkeys(pycs, NO_SOURCE))
    assert path.read_bytes() == before
    assert strip_artifact(path, sourceless=True) == StripReport(str(path), pycs, {}, (PROVENANCE,))
    assert not [name for name in wheels.read(path) if name.startswith("demo/") or name == PROVENANCE]


def test_provenance_of_what_goes_beside_what_is_left(tmp_path: Path) -> None:
    path = compiled(tmp_path)
    contents = {name: content for name, content in wheels.read(path).items() if name != RECORD}
    contents["other.pyc"] = b"no source"
    contents[RECORD] = wheels.record(contents, RECORD)
    wheels.write(path, contents)
    assert strip_artifact(path) == StripReport(str(path), PYCS, {"other.pyc": NO_SOURCE}, (PROVENANCE,))
    assert wheels.read(path)["other.pyc"] == b"no source"
    assert PROVENANCE not in wheels.read(path)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        ({"demo/core.py": b"x"}, "RECORD's line for demo/core.py says "),
        ({"demo-1.0.dist-info/RECORD.jws": b""}, "carries the signature RECORD.jws"),
        ({PROVENANCE: b"{"}, "detpyc.json is malformed"),
    ],
)
def test_wheel_that_is_refused(forge: Mapping[str, bytes], reason: str, tmp_path: Path) -> None:
    contents = {**wheels.complete({**wheels.MODULES, "other.pyc": b""}), **forge}
    if "demo/core.py" not in forge:
        del contents[RECORD]
        contents[RECORD] = wheels.record(contents, RECORD)
    path = wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents)
    before = path.read_bytes()
    with pytest.raises(DetpycError) as caught:
        strip_artifact(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


# ---- directories


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A wheel with bytecode, as installed, and more beside it."""
    contents = wheels.read(compiled(tmp_path))
    rows = contents[RECORD] + b"../../bin/demo,sha256=x,1\n"
    (tmp_path / "demo-1.0-py3-none-any.whl").unlink()
    return installed(
        tmp_path, {**contents, RECORD: rows, "lost.pyc": b"lost", "other/mod.py": b"", "other/mod.pyc": b""}
    )


def files(top: Path) -> dict[str, bytes]:
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_directory(site: Path) -> None:
    before = files(site)
    removed = [*PYCS, "other/mod.pyc"]
    expected = StripReport(
        str(site),
        tuple(str(site / name) for name in removed),
        {str(site / "lost.pyc"): NO_SOURCE},
        (str(site / PROVENANCE), str(site / RECORD)),
    )
    assert strip_artifact(site, check=True) == expected
    assert files(site) == before

    assert strip_artifact(site) == expected

    gone = {*removed, PROVENANCE}
    record = b"".join(
        line for line in before[RECORD].splitlines(keepends=True) if line.decode().partition(",")[0] not in gone
    )
    assert files(site) == {name: content for name, content in before.items() if name not in gone} | {RECORD: record}
    assert len(record.splitlines()) == len(before[RECORD].splitlines()) - len(PYCS) - 1
    assert not (site / "demo" / "__pycache__").exists()
    assert not strip_artifact(site).changed


def test_directory_that_is_named_by_a_detour(site: Path) -> None:
    strip_artifact(f"{site}/demo/..")
    assert b".pyc" not in (site / RECORD).read_bytes()


def test_what_an_interruption_left_is_finished(site: Path) -> None:
    shutil.rmtree(site / "demo" / "__pycache__")
    (site / PROVENANCE).unlink()
    assert strip_artifact(site).updated == (str(site / RECORD),)
    assert b".pyc" not in (site / RECORD).read_bytes()
    assert b"detpyc.json" not in (site / RECORD).read_bytes()
    assert b"bin/demo" in (site / RECORD).read_bytes()


def test_sourceless_wheel_that_is_installed(tmp_path: Path) -> None:
    site = installed(tmp_path, wheels.read(compiled(tmp_path, "sourceless")))
    before = files(site)
    pycs = [str(site / "demo" / name) for name in ("__init__.pyc", "core.pyc")]
    assert strip_artifact(site) == StripReport(str(site), (), dict.fromkeys(pycs, NO_SOURCE))
    assert files(site) == before
    report = strip_artifact(site, sourceless=True)
    assert report == StripReport(str(site), tuple(pycs), {}, (str(site / PROVENANCE), str(site / RECORD)))
    assert [*files(site)] != []
    assert not [name for name in files(site) if name.endswith((".pyc", ".json"))]


def test_record_that_cannot_be_read(site: Path) -> None:
    (site / RECORD).write_bytes(b"one,two\n")
    report = strip_artifact(site)
    assert report.failed == {str(site / RECORD): "RECORD is malformed: line 1 has 2 fields, not 3"}
    assert len(report.pycs) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's")
def test_links(tmp_path: Path) -> None:
    outside = trees.write(tmp_path / "outside", {"mod.cpython-312.pyc": b"", "pkg/mod.py": b"", "pkg/mod.pyc": b""})
    site = installed(tmp_path, {"mod.py": b"", "other.py": b""})
    (site / "__pycache__").symlink_to(outside)
    (site / "pkg").symlink_to(outside / "pkg")
    (site / "other.pyc").symlink_to(outside / "pkg" / "mod.pyc")
    report = strip_artifact(site)
    assert report.pycs == (str(site / "other.pyc"),)  # the link
    assert report.left == {str(site / "__pycache__"): "is a symbolic link to a directory, which is not followed"}
    assert len(files(outside)) == 3


def test_what_cannot_be_removed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def refuse(path: str | Path, *, dir_fd: int | None = None) -> None:
        if str(path).endswith(f"core.{TAG}.pyc"):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    report = strip_artifact(site)
    assert report.failed == {str(site / PYCS[1]): f"cannot be removed: {os.strerror(errno.EPERM)}"}
    assert report.pycs == (str(site / PYCS[0]), str(site / "other/mod.pyc"))
    assert (site / PROVENANCE).exists()
    assert PYCS[1] in (site / RECORD).read_text()
    assert PYCS[0] not in (site / RECORD).read_text()


def test_directory_that_becomes_a_link(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between finding a pyc and removing it; nothing outside is touched."""
    outside = trees.write(site.parent / "outside", {Path(name).name: b"" for name in PYCS})
    remove = TreeFiles.remove

    def swap(files: TreeFiles, pyc: str) -> bool:
        cache = Path(pyc).parent
        if cache.name == "__pycache__" and not cache.is_symlink():
            shutil.rmtree(cache)
            cache.symlink_to(outside)
        return remove(files, pyc)

    monkeypatch.setattr(TreeFiles, "remove", swap)
    assert strip_artifact(site).pycs == (str(site / "other/mod.pyc"),)
    assert len(files(outside)) == 2


@pytest.mark.parametrize("name", ["missing", "file.pyc", "missing.whl"])
def test_what_is_neither(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.pyc").touch()
    with pytest.raises(DetpycError) as caught:
        strip_artifact(tmp_path / name)
    assert caught.value.path is None or str(tmp_path / name) in str(caught.value)


# ---- the command


@pytest.mark.parametrize(
    ("names", "options", "status"),
    [
        (["site"], [], 0),
        (["site"], ["--check"], 1),
        (["missing", "site"], ["--check"], 2),
        (["site/other/mod.py"], [], 2),
    ],
)
def test_exit_status(names: list[str], options: list[str], status: int, site: Path) -> None:
    assert main(["strip", "-q", *options, *(str(site.parent / name) for name in names)]) == status
    assert main(["strip", "-q", "--check", str(site)]) == int(status != 0)


def test_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strip", "--json", str(site / "other"), str(site / "missing")]) == 2
    assert json.loads(capsys.readouterr().out) == {
        "format": 1,
        "reports": [
            {
                "path": str(site / "other"),
                "changed": True,
                "pycs": [str(site / "other" / "mod.pyc")],
                "left": {},
                "updated": [],
                "failed": {},
            },
            {
                "path": str(site / "missing"),
                "error": f"{site / 'missing'}: not a wheel or directory; other archives and images are not rewritten",
            },
        ],
    }


def test_for_people(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = f"    left {site / 'lost.pyc'}: {NO_SOURCE}\n"
    assert main(["strip", "--check", str(site)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith(f"{site}: 3 pycs would be removed\n    {site / PYCS[0]}\n")
    assert shown.endswith(left)
    assert main(["strip", str(site)]) == 0
    assert capsys.readouterr().out == f"{site}: 3 pycs removed\n{left}"
