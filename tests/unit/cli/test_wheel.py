"""``detpyc wheel`` and the settings of projects."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import pytest

import wheels
from command_line import unchanged
from detpyc import cli

if TYPE_CHECKING:
    from pathlib import Path

HATCH = '[build-system]\nbuild-backend = "hatchling.build"\n[tool.hatch.build.targets.wheel.hooks.detpyc]\n'
PDM = '[build-system]\nbuild-backend = "pdm.backend"\n[tool.pdm.build.hooks.detpyc]\n'
WRAPPED = '[build-system]\nbuild-backend = "detpyc.backend"\n[tool.detpyc]\nbuild-backend = "setuptools.build_meta"\n'
NOT_WRAPPED = '[build-system]\nbuild-backend = "setuptools.build_meta"\n[tool.detpyc]\n'
SETTINGS = 'optimize = [2]\nexclude = ["core.py"]\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a ``pyproject.toml`` to be, in the current directory."""
    directory = tmp_path / "project"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory / "pyproject.toml"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return wheels.build(tmp_path)


def bytecode(wheel: Path) -> list[Any]:
    found: list[Any] = json.loads(wheels.read(wheel)["demo-1.0.dist-info/detpyc.json"])["bytecode"]
    return [(entry["release"], entry["optimize"]) for entry in found]


@pytest.mark.parametrize("table", [HATCH, PDM, WRAPPED, NOT_WRAPPED], ids=["hatch", "pdm", "wrapped", "not-wrapped"])
@pytest.mark.parametrize("place", ["pyproject.toml", "."])
def test_settings_of_a_project(
    table: str, place: str, project: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write_text(table + SETTINGS, encoding="utf-8")
    assert cli.main(["wheel", "-q", "--pyproject", place, str(wheel)]) == 0
    assert bytecode(wheel) == [(platform.python_version(), 2)]
    pycs = [name for name in wheels.read(wheel) if name.endswith(".pyc")]
    assert [name.split(".")[0] for name in pycs] == ["demo/__pycache__/__init__"]
    assert capsys.readouterr() == ("", "")


def test_precedence_over_a_project(
    project: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options take precedence over the environment, and that over the project."""
    project.write_text(f'{PDM}{SETTINGS}provenance = false\non-syntax-error = "skip"\n', encoding="utf-8")
    monkeypatch.setenv("DETPYC_OPTIMIZE", "0")
    monkeypatch.setenv("DETPYC_PROVENANCE", "1")
    assert cli.main(["wheel", "--optimize", "1", "--pyproject", ".", str(wheel)]) == 0
    assert bytecode(wheel) == [(platform.python_version(), 1)]
    assert capsys.readouterr().err == ""


def test_mistakes_in_a_project(project: Path, wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the keys of the project, and the options."""
    project.write_text(f"{PDM}optimise = [0]\ninclude = 1\n", encoding="utf-8")
    with unchanged(wheel.parent):
        assert cli.main(["wheel", "--exclude", "", "--pyproject", ".", str(wheel)]) == 2
    assert {*capsys.readouterr().err.removeprefix("detpyc: ").splitlines()} == {
        "unknown setting tool.pdm.build.hooks.detpyc.optimise; did you mean optimize?",
        "tool.pdm.build.hooks.detpyc.include must be a list, not 1",
        '--exclude must be a list of non-empty strings; found ""',
    }


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (None, "pyproject.toml", "pyproject.toml: cannot be read: No such file or directory"),
        (None, ".", "pyproject.toml: cannot be read: No such file or directory"),
        ("[tool.detpyc", ".", "pyproject.toml: not valid TOML: "),
        ("", ".", "pyproject.toml: has no table of settings; add [tool.hatch.build.targets.wheel.hooks.detpyc], "),
        ("[tool.hatch.build.targets.sdist.hooks.detpyc]\n", ".", "pyproject.toml: has no table of settings; add "),
        (
            f"{PDM}[tool.detpyc]\n",
            ".",
            "pyproject.toml: has several tables of settings: [tool.pdm.build.hooks.detpyc], [tool.detpyc]; keep only",
        ),
    ],
)
def test_projects_without_settings(
    content: str | None, place: str, message: str, project: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        project.write_text(content, encoding="utf-8")
    with unchanged(wheel.parent):
        assert cli.main(["wheel", "--pyproject", place, str(wheel)]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"detpyc: {message}")
    assert errors.count("\n") == 1


def test_project_or_another_wheel(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["wheel", "--like", str(wheel), "--pyproject", ".", str(wheel)])
    assert capsys.readouterr().err.endswith("argument --pyproject: not allowed with argument --like\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            PDM + SETTINGS,
            (
                "note: the settings in [tool.pdm.build.hooks.detpyc] of pyproject.toml are not used;"
                " `--pyproject .` uses them"
            ),
        ),
        (HATCH + "enable-by-default = true\n", None),
        (WRAPPED, None),
        ("[tool.detpyc", None),
        (
            NOT_WRAPPED + SETTINGS,
            (
                "warning: pyproject.toml: nothing reads [tool.detpyc]: the build backend is setuptools.build_meta; set"
                ' build-system.build-backend to "detpyc.backend" and tool.detpyc.build-backend to'
                ' "setuptools.build_meta", or use `detpyc wheel --pyproject`'
            ),
        ),
        (
            "[tool.hatch.build.targets.sdist.hooks.detpyc]\n" + HATCH,
            (
                "warning: pyproject.toml: nothing reads [tool.hatch.build.targets.sdist.hooks.detpyc]: the build"
                " backend hatchling.build reads [tool.hatch.build.targets.wheel.hooks.detpyc]"
            ),
        ),
    ],
)
def test_tables_in_the_current_directory(
    content: str, message: str | None, project: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ``--pyproject``, they are mentioned, unless nothing but errors is printed; and change nothing."""
    project.write_text(content, encoding="utf-8")
    for options in (["--quiet"], ["--json"], []):
        assert cli.main(["wheel", *options, str(wheel)]) == 0
        expected = "" if message is None or options == ["--quiet"] else f"detpyc: {message}\n"
        assert capsys.readouterr().err == expected
    assert bytecode(wheel) == [(platform.python_version(), 0)]
