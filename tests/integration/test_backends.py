"""Wrapped backends, through the frontends: projects really built, installed, edited and imported."""

from __future__ import annotations

import json
import os
import sys
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from installer.sources import WheelFile

import wheels
from detpyc.cli import main
from projects import (
    ANSWER,
    EDITED,
    Conditions,
    attempt,
    change,
    check_run,
    copy_project,
    import_modules,
    pyc_of,
)

if TYPE_CHECKING:
    from pathlib import Path

PROJECTS = ["setuptools-wrapped", "flit-wrapped", "poetry-core-wrapped", "uv-build-wrapped"]
EARLY, LATE = Conditions(mtime=1_000_000_000), Conditions(mtime=1_500_000_000, last_file_first=True)
# For setuptools and flit, which otherwise use the times of the files; the others use fixed ones.
DATED = {"SOURCE_DATE_EPOCH": "1600000000"}

each_project = pytest.mark.parametrize("name", PROJECTS)


def package(name: str) -> str:
    return name.replace("-", "_")


@pytest.fixture
def links(wheel_of_checkout: Path) -> dict[str, str]:
    """Return the variables that make pip and uv find this detpyc too, which builds require."""
    return {
        **DATED,
        "PIP_FIND_LINKS": f"{os.environ.get('PIP_FIND_LINKS', '')} {wheel_of_checkout.parent}".strip(),
        "UV_FIND_LINKS": str(wheel_of_checkout.parent),
    }


def by_build(project: Path, output: Path, links: dict[str, str]) -> str:
    """Build an sdist, and a wheel of that."""
    return check_run([sys.executable, "-m", "build", "--outdir", str(output), str(project)], variables=links)


def by_uv(project: Path, output: Path, links: dict[str, str], *options: str) -> str:
    """Build a wheel of the directory."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "build",
        "--wheel",
        "--refresh-package",
        "detpyc",
        "--python",
        sys.executable,
    ]
    return check_run([*command, *options, "--out-dir", str(output), str(project)], variables=links)


def only(directory: Path, pattern: str) -> Path:
    (found,) = directory.glob(pattern)
    return found


@each_project
def test_frontends_build_one_wheel(name: str, links: dict[str, str], tmp_path: Path) -> None:
    """In other directories, with other times of the files, out of the sdist or not."""
    early = copy_project(name, tmp_path / "early", EARLY)
    late = copy_project(name, tmp_path / "somewhere" / "else" / "and late", LATE)
    sources = [project / "src" / package(name) / "__init__.py" for project in (early, late)]
    assert len({source.stat().st_mtime for source in sources}) == 2
    by_build(early, tmp_path / "build", links)
    by_uv(late, tmp_path / "uv", links)
    wheel, other = only(tmp_path / "build", "*.whl"), only(tmp_path / "uv", "*.whl")
    assert wheel.name == other.name == f"{package(name)}-1.0-py3-none-any.whl"
    assert wheel.read_bytes() == other.read_bytes()

    members = wheels.read(wheel)
    modules = [f"{package(name)}/{module}.py" for module in ("__init__", "nested/__init__", "nested/counting")]
    assert {name for name in members if name.endswith(".pyc")} == {pyc_of(module) for module in modules}
    with WheelFile.open(wheel) as source:
        source.validate_record()
    with tarfile.open(only(tmp_path / "build", "*.tar.gz")) as sdist:
        assert not [name for name in sdist.getnames() if name.endswith((".pyc", "detpyc.json"))]

    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-compile", "--no-deps", "--no-index", "--target", str(site)]
    check_run([*install, str(wheel)])
    imported = import_modules(site, [package(name)])
    assert imported.answer == "42"
    assert imported.written == set()
    for module in modules:
        assert imported.from_bytecode(site, module, pyc_of(module)), module


def build_twice(name: str, directory: Path, conditions: tuple[Conditions, Conditions], **variables: str) -> list[Path]:
    found = []
    for place, condition in zip(("a", "b"), conditions, strict=True):
        done = attempt(
            copy_project(name, directory / place, condition),
            directory / place / "dist",
            conditions=condition,
            **variables,
        )
        assert done.returncode == 0, done.stderr
        found.append(only(directory / place / "dist", "*.whl"))
    return found


def test_setuptools_needs_the_date(tmp_path: Path) -> None:
    """Without it, its wheels have the times of the files: what the test above varies can be seen."""
    one, other = build_twice("setuptools-wrapped", tmp_path, (EARLY, LATE))
    assert one.read_bytes() != other.read_bytes()


def test_normalized_archives_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setuptools' wheels have the modes of the files, whatever the date."""
    conditions = (EARLY, replace(LATE, umask=0o077))
    wheels = build_twice("setuptools-wrapped", tmp_path, conditions, **DATED)
    assert wheels[0].read_bytes() != wheels[1].read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", DATED["SOURCE_DATE_EPOCH"])
    assert main(["wheel", "--quiet", "--normalize-archive", *map(str, wheels)]) == 0
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    with WheelFile.open(wheels[0]) as wheel:
        wheel.validate_record()


@each_project
def test_editable_install(name: str, links: dict[str, str], tmp_path: Path) -> None:
    """It works, is of the sources, and has no bytecode of ours."""
    project, python = copy_project(name, tmp_path), tmp_path / "venv" / "bin" / "python"
    check_run([sys.executable, "-m", "uv", "venv", "--python", sys.executable, str(tmp_path / "venv")])
    install = [sys.executable, "-m", "uv", "pip", "install", "--refresh-package", "detpyc", "--python", str(python)]
    check_run([*install, "--editable", str(project)], variables=links)
    site = only(tmp_path / "venv" / "lib", "python*") / "site-packages"
    assert not list(site.rglob("detpyc.json"))
    assert not list(project.rglob("*.pyc"))
    source = project / "src" / package(name) / "__init__.py"
    for expected in ("42", "43"):
        imported = import_modules(site, [package(name)], python=str(python), options=["-B"])
        assert imported.answer == expected
        assert imported.from_source(source.parent.parent, f"{package(name)}/__init__.py")
        if expected == "42":
            change(source, ANSWER, EDITED)


def test_backend_in_the_source_tree(links: dict[str, str], tmp_path: Path) -> None:
    """It gets the frontend's settings but ours, and is in the sdist."""
    project = copy_project("in-tree-wrapped", tmp_path)
    options = ["--config-setting=detpyc.optimize=2", "--config-setting=colour=red"]
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), *options, str(project)]
    printed = check_run(command, variables=links)
    assert "settings of build_wheel: [('colour', 'red')]" in printed
    assert "settings of build_sdist: [('colour', 'red')]" in printed
    members = wheels.read(only(tmp_path / "dist", "*.whl"))
    document = json.loads(members["in_tree_wrapped-1.0.dist-info/detpyc.json"])
    assert [entry["optimize"] for entry in document["bytecode"]] == [2]
    assert pyc_of("in_tree_wrapped/__init__.py", 2) in members


def test_uv_passes_settings(links: dict[str, str], tmp_path: Path) -> None:
    project = copy_project("flit-wrapped", tmp_path)
    by_uv(project, tmp_path / "dist", links, "--config-setting", "detpyc.layout=sourceless")
    (wheel,) = (path for path in (tmp_path / "dist").iterdir() if path.suffix == ".whl")
    assert wheel.name == "flit_wrapped-1.0-cp{}{}-none-any.whl".format(*sys.version_info)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"setuptools.build_meta", b"no_such_backend", "which cannot be imported: ModuleNotFoundError: "),
        (b'build-backend = "setuptools.build_meta"', b'build-backend = "detpyc.backend"', "which wraps detpyc again"),
        (b'"setuptools-wrapped"', b'"not a name!"', "project.name"),
    ],
)
def test_bad_projects(old: bytes, new: bytes, fault: str, tmp_path: Path) -> None:
    """One clear message, ours or the backend's own, and no wheel."""
    project = copy_project("setuptools-wrapped", tmp_path)
    change(project / "pyproject.toml", old, new)
    done = attempt(project, tmp_path / "dist")
    assert done.returncode == 1
    assert fault in done.stderr.splitlines()[-1]
    assert "detpyc/backend.py" not in done.stderr
    assert list((tmp_path / "dist").iterdir()) == []
