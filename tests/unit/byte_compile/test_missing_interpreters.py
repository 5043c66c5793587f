"""Releases of CPython that are not found: refused, skipped, or installed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

import trees
import wheels
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.cli import main
from detpyc.compilation import installation, interpreters
from detpyc.errors import DetpycError, MissingInterpreterError
from detpyc.hooks.request import BuildRequest
from detpyc.provenance import Bytecode, Provenance
from detpyc.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

RUNNING = "{}.{}.{}".format(*sys.version_info[:3])
TAG = sys.implementation.cache_tag
NAME = "demo-1.0-py3-none-any.whl"
PROVENANCE = "demo-1.0.dist-info/detpyc.json"
MISSING = "3.8.99"
SKIP = Settings((MISSING, RUNNING), on_missing_interpreter="skip")
NONE_LEFT = SKIP._replace(interpreters=(MISSING,))
WARNING = f"{NAME}: interpreters are missing ({MISSING}), so their pycs are omitted"
WARNING_IF_NONE_LEFT = f"{NAME}: interpreters are missing ({MISSING}), so the wheel is not byte-compiled"


@pytest.fixture(autouse=True)
def few_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the running one alone, which takes no time."""
    monkeypatch.setattr(interpreters, "_executables", dict)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases that are installed, in place of an installation; the running interpreter stands in for them."""
    releases: list[str] = []

    running = interpreters.current()

    def install(release: str) -> Interpreter:
        releases.append(release)
        return running

    monkeypatch.setattr(installation, "install_interpreter", install)
    return releases


def recorded(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(wheels.read(path)[PROVENANCE])
    return document


# ---- wheels


def test_missing_interpreter_fails(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    before = path.read_bytes()
    with pytest.raises(MissingInterpreterError):
        byte_compile_wheel(path, Settings((MISSING, RUNNING)))
    assert path.read_bytes() == before


def test_what_is_skipped_is_recorded(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    report = byte_compile_wheel(path, SKIP)
    assert (report.missing, report.warnings) == ((MISSING,), (WARNING,))
    assert [interpreter.release for interpreter in report.interpreters] == [RUNNING]
    assert recorded(path)["missing"] == [MISSING]
    assert [entry["release"] for entry in recorded(path)["bytecode"]] == [RUNNING]

    assert not byte_compile_wheel(path, SKIP).changed
    byte_compile_wheel(path, Settings())
    assert "missing" not in recorded(path)


def test_none_left(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    before, inode = path.read_bytes(), path.stat().st_ino
    report = byte_compile_wheel(path, NONE_LEFT)
    assert (report.changed, report.pycs, report.interpreters, report.missing) == (False, 0, (), (MISSING,))
    assert report.warnings == (WARNING_IF_NONE_LEFT,)
    assert report.summary() == f"{NAME}: not byte-compiled"
    assert (path.read_bytes(), path.stat().st_ino) == (before, inode)


@pytest.mark.parametrize("layout", ["pycache", "sourceless"])
def test_none_left_with_an_output_directory(layout: str, tmp_path: Path) -> None:
    """The wheel is there as well, as it is."""
    path, output = wheels.build(tmp_path), tmp_path / "output"
    output.mkdir()
    settings = NONE_LEFT._replace(layout=layout)
    assert byte_compile_wheel(path, settings, WheelOptions(output, check=True)).changed
    assert not any(output.iterdir())
    report = byte_compile_wheel(path, settings, WheelOptions(output, rename=True))
    assert (report.path, report.changed) == (output / NAME, True)
    assert (output / NAME).read_bytes() == path.read_bytes()
    assert not byte_compile_wheel(path, settings, WheelOptions(output)).changed


def test_none_left_for_what_is_not_a_wheel(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with pytest.raises(DetpycError, match="No such file"):
        byte_compile_wheel(path, NONE_LEFT)
    path.write_bytes(b"not an archive")
    with pytest.raises(DetpycError, match="is not a ZIP archive"):
        byte_compile_wheel(path, NONE_LEFT)


def test_what_is_installed_compiles(installed: list[str], tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    report = byte_compile_wheel(path, Settings((MISSING,), on_missing_interpreter="install"))
    assert installed == [MISSING]
    assert (report.missing, report.warnings, report.pycs) == ((), (), 2)


def test_provenance() -> None:
    entry = Bytecode("3.12.1", "cpython-312", 3531, 0, "checked-hash")
    assert b"missing" not in Provenance((entry,)).to_json()
    document = Provenance((entry,), missing=("3.9", "3.10.1")).to_json()
    assert json.loads(document)["missing"] == ["3.10.1", "3.9"]
    assert set(Provenance.from_json(document).missing) == {"3.9", "3.10.1"}


@pytest.mark.parametrize("missing", ["3.9", [1], ["/usr/bin/python3"], ["3.9\n"], {"3.9": 1}])
def test_malformed_provenance(missing: object) -> None:
    document = json.loads(Provenance(()).to_json())
    with pytest.raises(DetpycError, match=r"detpyc\.json is malformed: "):
        Provenance.from_json(json.dumps({**document, "missing": missing}).encode())


# ---- builds


def request(settings: Settings) -> BuildRequest:
    return BuildRequest(settings, None, disabled=False)


def test_build(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    assert request(SKIP).prepare() is None
    result = request(SKIP).byte_compile(path)
    assert result.summary.startswith(f"detpyc: {NAME}: 2 modules byte-compiled by CPython {RUNNING}; ")
    assert result.warnings == (f"detpyc: warning: {WARNING}",)


def test_build_with_none_left(tmp_path: Path) -> None:
    """A wheel that was to be sourceless keeps its sources, and its tag."""
    path, output = wheels.build(tmp_path), tmp_path / "output"
    output.mkdir()
    build = request(NONE_LEFT._replace(layout="sourceless"))
    assert build.prepare() is None
    assert build.byte_compile(path, output) == (
        NAME,
        f"detpyc: {NAME}: not byte-compiled",
        (f"detpyc: warning: {WARNING_IF_NONE_LEFT}",),
    )
    assert (output / NAME).read_bytes() == path.read_bytes()


# ---- commands


def test_wheel_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.build(tmp_path)
    command = ["wheel", "-i", MISSING, "-i", RUNNING, "--on-missing-interpreter", "skip", str(path)]
    assert main(command) == 0
    assert capsys.readouterr().err == f"detpyc: warning: {WARNING}\n"
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["wheels"][0]["missing"] == [MISSING]


def test_wheel_command_with_none_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DETPYC_ON_MISSING_INTERPRETER", "skip")
    path = wheels.build(tmp_path)
    before = path.read_bytes()
    for options in ([], ["--check"]):
        assert main(["wheel", "-i", MISSING, *options, str(path)]) == 0
        assert capsys.readouterr() == (
            f"{NAME}: not byte-compiled\n",
            f"detpyc: warning: {WARNING_IF_NONE_LEFT}\n",
        )
    assert path.read_bytes() == before


def test_wheel_command_that_installs(installed: list[str], tmp_path: Path) -> None:
    assert main(["wheel", "-q", "-i", MISSING, "--install-interpreters", str(wheels.build(tmp_path))]) == 0
    assert installed == [MISSING]


def test_the_options_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--install-interpreters", "--on-missing-interpreter", "skip"]
    with pytest.raises(SystemExit):
        main(["wheel", *options, str(wheels.build(tmp_path))])
    assert "not allowed with argument" in capsys.readouterr().err


def test_like_a_wheel_with_something_missing(
    installed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same is recorded, without looking for what was missing then."""
    path, like = wheels.build(tmp_path), wheels.build(tmp_path, project="like-1.0")
    byte_compile_wheel(like, SKIP)
    assert main(["wheel", "-q", "--install-interpreters", "--like", str(like), str(path)]) == 0
    assert recorded(path)["missing"] == [MISSING]
    assert installed == []

    pinned = interpreters.current()._replace(release="3.8.98")
    monkeypatch.setattr(interpreters, "current", lambda: pinned)
    assert main(["wheel", "-q", "--like", str(like), str(path)]) == 2
    assert main(["wheel", "-q", "--install-interpreters", "--like", str(like), str(path)]) == 0
    assert installed == [RUNNING]


def test_like_does_not_skip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(wheels.build(tmp_path))
    assert main(["wheel", "--on-missing-interpreter", "skip", "--like", path, path]) == 2
    assert capsys.readouterr().err == (
        f"detpyc: --like reads the settings from {path}; omit --on-missing-interpreter\n"
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "tree", {"core.py": b"x = 1\n", "__pycache__/core.cpython-38.pyc": b""})


def test_compile_command(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The pycs of what is missing are not those of other interpreters."""
    command = ["compile", "-i", MISSING, "-i", RUNNING, "--on-missing-interpreter", "skip", "--prune-other-tags"]
    assert main([*command, str(tree)]) == 0
    assert capsys.readouterr().err == (
        f"detpyc: warning: interpreters are missing ({MISSING}), so their pycs are neither written nor removed\n"
    )
    assert sorted(path.name for path in tree.rglob("*.pyc")) == sorted(["core.cpython-38.pyc", f"core.{TAG}.pyc"])


def test_compile_command_with_none_left(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--on-missing-interpreter", "skip", "--prune", "--prune-other-tags", "--json"]
    assert main(["compile", "-i", MISSING, *options, str(tree)]) == 0
    output, errors = capsys.readouterr()
    assert json.loads(output) == {"format": 1, "reports": [], "missing": [MISSING]}
    assert errors == f"detpyc: warning: interpreters are missing ({MISSING}), so nothing is byte-compiled\n"
    assert [path.name for path in tree.rglob("*.pyc")] == ["core.cpython-38.pyc"]


def test_compile_command_that_installs(installed: list[str], tree: Path) -> None:
    assert main(["compile", "-q", "-i", MISSING, "--install-interpreters", str(tree)]) == 0
    assert installed == [MISSING]
