"""The build root policy; see tests/integration/test_distributions.py for real packages."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trees
from command_line import COMMAND, detpyc, snapshot, unchanged
from detpyc.bytecode.canonical import is_canonical
from detpyc.bytecode.header import HEADER_SIZE, PycHeader
from detpyc.cli import main
from detpyc.compilation import interpreters
from pages import blocks_for
from projects import pyc_of
from pycs import pyc

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "{}.{}".format(*sys.version_info)
LIBRARY = f"usr/lib/python{VERSION}/site-packages"
MODULE = f"{LIBRARY}/demo/core.py"
PRIVATE = "usr/share/demo/private.py"
EPOCH = 1_000_000_000
HERE = interpreters.current()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = trees.write(tmp_path / "root", {MODULE: b"x = 1\n", PRIVATE: b"y = 2\n", "etc/conf.py": b"z = 3\n"})
    monkeypatch.setenv("RPM_BUILD_ROOT", str(root))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return root


def pycs(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.pyc")}


def as_written(root: Path, source: str = MODULE, mtime: int = EPOCH + 5) -> Path:
    """Write a pyc as CPython does."""
    path = root / pyc_of(source)
    path.parent.mkdir()
    path.write_bytes(pyc((root / source).read_bytes() * 50, f"/{source}", mtime=mtime))
    return path


def test_pycs_are_normalized(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = as_written(root)
    before = path.read_bytes()
    assert not is_canonical(before[HEADER_SIZE:], HERE.version, f"/{MODULE}")
    assert main(["brp"]) == 0
    (content,) = pycs(root).values()
    assert is_canonical(content[HEADER_SIZE:], HERE.version, f"/{MODULE}")
    assert content[:HEADER_SIZE] == before[:HEADER_SIZE]

    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    assert main(["brp", str(root / "usr")]) == 0
    assert PycHeader.parse(path.read_bytes()).mtime == EPOCH
    assert path.read_bytes()[HEADER_SIZE:] == content[HEADER_SIZE:]


@pytest.mark.parametrize(("mtime", "expected"), [(EPOCH - 1, EPOCH - 1), (EPOCH, EPOCH), (EPOCH + 1, EPOCH)])
def test_later_times_only_are_changed(root: Path, monkeypatch: pytest.MonkeyPatch, mtime: int, expected: int) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    path = as_written(root, mtime=mtime)
    assert main(["brp", "-q"]) == 0
    assert PycHeader.parse(path.read_bytes()).mtime == expected


def test_libraries_are_compiled(root: Path) -> None:
    assert main(["brp", "--compile"]) == 0
    assert pycs(root).keys() == {pyc_of(MODULE, level) for level in (0, 1)}
    for content in pycs(root).values():
        assert marshal.loads(content[HEADER_SIZE:]).co_filename == f"/{MODULE}"  # noqa: S302 - made here


def test_named_interpreter_compiles_all(root: Path) -> None:
    assert main(["brp", "--compile", "-i", sys.executable, "--optimize", "2", str(root / "usr")]) == 0
    assert pycs(root).keys() == {pyc_of(source, 2) for source in (MODULE, PRIVATE)}


def test_each_version_compiles_its_libraries(
    root: Path, before_and_from_312: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for python in before_and_from_312:
        monkeypatch.setenv("PATH", str(Path(python.path).parent), prepend=os.pathsep)
        trees.write(root, {"usr/lib64/python{}.{}/a.py".format(*python.version): b"a = 1\n"})
    assert main(["brp", "--compile", "--optimize", "0", str(root / "usr" / "lib64")]) == 0
    found = {path.parts[-3]: path.name for path in root.rglob("*.pyc")}
    assert found == {
        "python{}.{}".format(*python.version): f"a.{python.cache_tag}.pyc" for python in before_and_from_312
    }


@pytest.mark.parametrize(("mode", "status"), [("fail", 2), ("skip", 0)])
def test_missing_version(root: Path, mode: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    trees.write(root, {"usr/lib/python3.99/a.py": b"a = 1\n"})
    assert main(["brp", "--compile", "--on-missing-interpreter", mode, "--json"]) == status
    captured = capsys.readouterr()
    library = root / "usr" / "lib" / "python3.99"
    assert f'{library}: no interpreter for "3.99"' in captured.err or f"{library}: CPython 3.99 is" in captured.err
    if not status:
        assert json.loads(captured.out)["missing"] == ["3.99"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "RPM_BUILD_ROOT is not set"),
        ("/", "/: RPM_BUILD_ROOT must be an absolute path other than the root"),
        ("/..", "RPM_BUILD_ROOT must be an absolute path other than the root"),
        ("root", "root: RPM_BUILD_ROOT must be an absolute path"),
        ("/missing", "/missing: RPM_BUILD_ROOT is not a directory"),
    ],
)
def test_wrong_build_roots(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, message: str
) -> None:
    monkeypatch.chdir(root.parent)
    monkeypatch.setenv("RPM_BUILD_ROOT", value)
    as_written(root)
    with unchanged(root):
        assert main(["brp", "--compile", "root"]) == 2
    assert message in capsys.readouterr().err


def sibling(root: Path) -> Path:
    return trees.write(root.with_name("root-2"), {"a.py": b"a = 1\n"})


def link(root: Path) -> Path:
    (root / "link").symlink_to(sibling(root))
    return root / "link"


def parent(root: Path) -> Path:
    return root / ".."


@pytest.mark.parametrize("outside", [sibling, link, parent])
def test_it_does_not_leave_the_build_root(
    root: Path, capsys: pytest.CaptureFixture[str], outside: Callable[[Path], Path]
) -> None:
    as_written(root)
    path = outside(root)
    before = snapshot(root.parent)
    assert main(["brp", "--compile", str(root), str(path)]) == 2
    assert snapshot(root.parent) == before
    assert f"{path}: is not in the build root, {root}; nothing was changed" in capsys.readouterr().err


def test_links_that_lead_out_are_not_followed(root: Path) -> None:
    other = as_written(sibling(root), "a.py")
    (root / "usr" / "lib" / "python3.1").symlink_to(other.parent)
    (root / LIBRARY / "other.py").symlink_to(other.parents[1] / "a.py")
    (root / LIBRARY / "__pycache__").symlink_to(other.parent)
    before = snapshot(other.parents[1])
    assert main(["brp", "--compile"]) == 0
    assert snapshot(other.parents[1]) == before


def test_malformed_pyc_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = as_written(root)
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["brp"]) == 2
    assert str(path) in capsys.readouterr().err


def test_source_that_does_not_compile_is_skipped(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / LIBRARY / "template.py").write_bytes(b"def {{ name }}(:\n")
    assert main(["brp", "--compile"]) == 0
    assert "template.py: CPython" in capsys.readouterr().out


def test_makepkg_hook(root: Path) -> None:
    """The functions of the hook, called as makepkg's ``tidy_install`` does."""
    (block,) = blocks_for("test_makepkg_hook")
    path = as_written(root)
    program = root.parent / "bin" / "detpyc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    script = f'tidy_modify=()\n{block.content}\ncd "$pkgdir"\nfor function in "${{tidy_modify[@]}}"; do $function; done'
    variables = {**os.environ, "pkgdir": str(root), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-eu", "-c", script], check=True, env=variables)
    assert is_canonical(path.read_bytes()[HEADER_SIZE:], HERE.version, f"/{MODULE}")


def test_json(root: Path) -> None:
    as_written(root)
    document = json.loads(detpyc("brp", "--compile", "--json").stdout)
    assert document["root"] == str(root)
    assert [report["sources"] for report in document["compiled"]] == [1]
    assert [report["pycs"] for report in document["normalized"]] == [2]
