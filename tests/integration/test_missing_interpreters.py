"""Interpreters that are missing: real builds, and a real uv that downloads what is made here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("the archives are for POSIX", allow_module_level=True)

import trees
import wheels
from command_line import COMMAND
from projects import Conditions, attempt, build, copy_project, environment
from uv_downloads import archive, listing

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

PROJECTS = ["hatch-src", "pdm-module", "setuptools-wrapped"]
MISSING = "3.8.99"
EPOCH = "1600000000"
HERE = Conditions()
NAME = "demo-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def downloadable(pythons: dict[str, Interpreter], tmp_path_factory: pytest.TempPathFactory) -> tuple[Interpreter, Path]:
    """An interpreter of another version than the running one, and the list by which uv knows its archive."""
    other = next((python for python in pythons.values() if python.version != sys.version_info[:2]), None)
    if other is None:
        pytest.skip("there is no other CPython to make an archive of")
    directory = tmp_path_factory.mktemp("downloads")
    return other, listing(directory, other.release, archive(other, directory).as_uri())


@pytest.fixture
def variables(downloadable: tuple[Interpreter, Path], tmp_path: Path) -> dict[str, str]:
    """An environment in which no other interpreter is found."""
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": str(tmp_path),
        "PYENV_ROOT": str(tmp_path / "pyenv"),
        "ASDF_DATA_DIR": str(tmp_path / "asdf"),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "managed"),
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(downloadable[1]),
        "DETPYC_TEST_PYTHONS": "",
    }


def detpyc(variables: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], env=environment(**variables), capture_output=True, text=True, check=False
    )


def releases(path: Path) -> list[str]:
    content = wheels.read(path)
    (name,) = (name for name in content if name.endswith("detpyc.json"))
    return [entry["release"] for entry in json.loads(content[name])["bytecode"]]


def test_commands(downloadable: tuple[Interpreter, Path], variables: dict[str, str], tmp_path: Path) -> None:
    """A wheel, and pycs that nobody recorded, are verified by a release that uv has installed."""
    other, _ = downloadable
    path = wheels.build(tmp_path)
    missing = detpyc(variables, "wheel", "-i", other.release, path)
    assert missing.returncode == 2
    assert missing.stderr.startswith(f'detpyc: no interpreter for "{other.release}"; found:\n')

    done = detpyc(variables, "wheel", "-v", "-i", other.release, "--install-interpreters", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"CPython {other.release} is {tmp_path / 'managed'}" in done.stdout
    assert releases(path) == [other.release]

    elsewhere = {**variables, "UV_PYTHON_INSTALL_DIR": str(tmp_path / "elsewhere")}
    unverified = detpyc(elsewhere, "verify", path)
    assert (unverified.returncode, "2 unverifiable" in unverified.stdout) == (1, True)
    options = ["--strict", "--install-interpreters", "--require", other.cache_tag]
    verified = detpyc(elsewhere, "verify", *options, path)
    assert (verified.returncode, verified.stderr) == (0, "")
    by = "; loaded by CPython {}.{}".format(*other.version)
    assert verified.stdout == f"{path}: 2 identical{by}\n"

    tree = trees.write(tmp_path / "tree", {name: data for name, data in wheels.read(path).items() if "/__" in name})
    trees.write(tree, wheels.MODULES)
    again = {**variables, "UV_PYTHON_INSTALL_DIR": str(tmp_path / "again")}
    unrecorded = detpyc(again, "verify", "--install-interpreters", tree)
    assert (unrecorded.returncode, unrecorded.stdout) == (0, f"{tree}: 2 identical{by}\n"), unrecorded.stderr


def test_failing_installation(variables: dict[str, str], tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    before = path.read_bytes()
    done = detpyc(variables, "wheel", "-i", MISSING, "--install-interpreters", path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"detpyc: CPython {MISSING} cannot be installed: this uv has no CPython {MISSING} ")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", PROJECTS)
def test_build_that_installs(
    name: str, downloadable: tuple[Interpreter, Path], variables: dict[str, str], tmp_path: Path
) -> None:
    other, _ = downloadable
    variables |= {"DETPYC_INTERPRETERS": other.release, "DETPYC_ON_MISSING_INTERPRETER": "install"}
    built = build(copy_project(name, tmp_path), tmp_path / "dist", conditions=HERE, **variables)
    assert releases(built.artifact) == [other.release]
    assert "detpyc: warning: " not in built.output


@pytest.mark.parametrize("name", PROJECTS)
def test_build_that_skips(name: str, variables: dict[str, str], tmp_path: Path) -> None:
    """One warning; and a wheel with the bytecode that there is, or without any."""
    running = "{}.{}.{}".format(*sys.version_info[:3])
    variables |= {"DETPYC_INTERPRETERS": f"{running},{MISSING}", "DETPYC_ON_MISSING_INTERPRETER": "skip"}
    project = copy_project(name, tmp_path)
    some = build(project, tmp_path / "some", conditions=HERE, **variables)
    assert some.output.count("detpyc: warning: ") == 1
    assert f"interpreters are missing ({MISSING}), so their pycs are omitted" in some.output
    assert releases(some.artifact) == [running]

    none = build(
        project,
        tmp_path / "none",
        conditions=HERE,
        **variables | {"DETPYC_INTERPRETERS": MISSING, "SOURCE_DATE_EPOCH": EPOCH},
    )
    assert none.output.count("detpyc: warning: ") == 1
    assert f"interpreters are missing ({MISSING}), so the wheel is not byte-compiled" in none.output
    plain = build(project, tmp_path / "plain", SOURCE_DATE_EPOCH=EPOCH, DETPYC_DISABLE="1")
    assert none.artifact.name == plain.artifact.name
    assert none.artifact.read_bytes() == plain.artifact.read_bytes()


@pytest.mark.parametrize("name", PROJECTS)
def test_build_that_fails_names_the_ways_out(name: str, variables: dict[str, str], tmp_path: Path) -> None:
    done = attempt(
        copy_project(name, tmp_path), tmp_path / "dist", conditions=HERE, **variables, DETPYC_INTERPRETERS=MISSING
    )
    assert done.returncode != 0
    for words in (f"Install CPython {MISSING} exactly", 'to "install"', 'to "skip"', "DETPYC_DISABLE=1"):
        assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not any((tmp_path / "dist").iterdir())
