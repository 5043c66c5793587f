"""Wheels without sources: built by the backends that name them, installed, run, and refused by other interpreters."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from installer.sources import WheelFile
from packaging.utils import parse_wheel_filename

import wheels
from detpyc.cli import main
from installers import INSTALLERS
from projects import BY_NAME, attempt, build, change, check_run, copy_project, import_modules, pyc_of, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

OWN = "cp{}{}".format(*sys.version_info)
SOURCELESS: dict[str, Any] = {"DETPYC_LAYOUT": "sourceless"}


def install(wheel: Path, site: Path, installer: str, *options: str) -> None:
    command = [sys.executable, "-m", *INSTALLERS[installer], "--no-deps", "--no-index", "--target", str(site)]
    check_run([*command, *options, str(wheel)])


def tags_inside(members: Mapping[str, bytes]) -> set[str]:
    """Return the tags that the WHEEL file has."""
    (content,) = (content for name, content in members.items() if name.endswith(".dist-info/WHEEL"))
    lines = content.decode().splitlines()
    return {line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")}


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("name", ["hatch-src", "hatch-namespace", "pdm-data", "pdm-extension"])
def test_project(name: str, installer: str, tmp_path: Path) -> None:
    project = BY_NAME[name]
    wheel = build(copy_project(name, tmp_path), tmp_path / "dist", **SOURCELESS).artifact
    assert wheel.name.startswith(f"{project.distribution}-1.0-{OWN}-")
    assert wheel.name.endswith("-none-any.whl") == (name != "pdm-extension")
    members = wheels.read(wheel)
    assert tags_inside(members) == {str(tag) for tag in parse_wheel_filename(wheel.name)[3]}
    with WheelFile.open(wheel) as file:
        file.validate_record()
    compiled = {project.in_wheel(source) for source in project.compiled}
    assert not compiled & members.keys()
    assert {f"{source}c" for source in compiled} == {member for member in members if member.endswith(".pyc")}

    plain = build(copy_project(name, tmp_path / "plain"), tmp_path / "plain" / "dist", DETPYC_DISABLE="1").artifact
    data = {name: content for name, content in wheels.read(plain).items() if ".dist-info/" not in name}
    assert {name: content for name, content in members.items() if name in data} == {
        name: content for name, content in data.items() if name not in compiled
    }

    site = tmp_path / "site"
    install(wheel, site, installer)
    imported = import_modules(site, project.modules)
    assert imported.answer == "42"
    for source in project.compiled:
        assert f"# code object from {str(site / source) + 'c'!r}" in imported.log
    assert imported.written == set()


def test_other_interpreters_refuse_it(pythons: dict[str, Interpreter], tmp_path: Path) -> None:
    """By its tag, with either installer; its own takes it."""
    wheel = build(copy_project("hatch-src", tmp_path), tmp_path / "dist", **SOURCELESS).artifact
    others = [
        python for python in pythons.values() if python.version != sys.version_info[:2] and python.version >= (3, 8)
    ]
    if not others:
        pytest.skip("there is no other CPython here")
    for other in others[:3]:
        options = ["--no-deps", "--no-index", "--target", str(tmp_path / "site")]
        done = run(
            [sys.executable, "-m", "uv", "pip", "install", "--offline", "--python", other.path, *options, str(wheel)]
        )
        assert done.returncode != 0
        assert f"{OWN}-none-any" in done.stderr
        version = "{}.{}".format(*other.version)
        command = [sys.executable, "-m", "pip", "install", "--python-version", version, "--only-binary=:all:"]
        done = run([*command, *options, str(wheel)])
        assert done.returncode != 0
        assert "is not a supported wheel on this platform" in done.stderr
    assert not (tmp_path / "site").exists() or not list((tmp_path / "site").glob("hatch_src*"))


@pytest.mark.parametrize("installer", INSTALLERS)
def test_rich(installer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real package, by the command, which renames it and says so."""
    download = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(tmp_path)]
    check_run([*download, "rich"])
    (original,) = tmp_path.glob("rich-*.whl")
    sources = {name for name in wheels.read(original) if name.endswith(".py")}
    data = {name for name in wheels.read(original) if not name.endswith(".py")}
    assert main(["wheel", "--layout", "sourceless", str(original)]) == 0
    assert f"    renamed from {original.name}\n" in capsys.readouterr().out
    (wheel,) = tmp_path.glob("rich-*.whl")
    assert wheel.name == original.name.replace("py3-none-any", f"{OWN}-none-any")
    members = wheels.read(wheel)
    assert {name for name in members if name.endswith(".pyc")} == {f"{name}c" for name in sources}
    assert data | {name for name in members if name.endswith("detpyc.json")} == {
        name for name in members if not name.endswith(".pyc")
    }
    assert tags_inside(members) == {f"{OWN}-none-any"}
    install(wheel, tmp_path / "site", installer)
    imported = import_modules(
        tmp_path / "site", ["rich", "rich.console", "rich.table", "rich.tree"], function="get_console"
    )
    assert imported.answer.startswith("<console width=")
    assert imported.written == set()


def test_hook_that_makes_it_one_for_the_platform_afterwards(tmp_path: Path) -> None:
    """It is too late: Hatch has named a wheel for this platform as one for any."""
    project = copy_project("hatch-platform", tmp_path)
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    custom = "[tool.hatch.build.targets.wheel.hooks.custom]\n"
    assert custom in text
    pyproject.write_text(f"{text.replace(custom, '')}\n{custom}", encoding="utf-8")
    done = attempt(project, tmp_path / "dist")
    assert done.returncode == 1
    assert (
        "move [tool.hatch.build.targets.wheel.hooks.detpyc] after the table of that hook" in done.stderr + done.stdout
    )
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "dist").iterdir()) == []


def test_wheel_that_another_hook_made_one_for_the_platform(tmp_path: Path) -> None:
    wheel = build(copy_project("hatch-platform", tmp_path), tmp_path / "dist").artifact
    assert wheel.name.startswith(f"hatch_platform-1.0-{OWN}-{OWN}-")
    assert "any" not in wheel.name
    assert tags_inside(wheels.read(wheel)) == {str(tag) for tag in parse_wheel_filename(wheel.name)[3]}


def test_tag_that_another_hook_set_is_narrowed(tmp_path: Path) -> None:
    project = copy_project("hatch-platform", tmp_path)
    change(
        project / "hatch_build.py", b'build_data["infer_tag"] = True', b'build_data["tag"] = "py3-none-linux_x86_64"'
    )
    wheel = build(project, tmp_path / "dist").artifact
    assert wheel.name == f"hatch_platform-1.0-{OWN}-none-linux_x86_64.whl"
    assert tags_inside(wheels.read(wheel)) == {f"{OWN}-none-linux_x86_64"}


@pytest.mark.parametrize("name", ["hatch-src", "pdm-module"])
def test_two_interpreters(name: str, tmp_path: Path) -> None:
    """Told before the backend has written anything."""
    done = attempt(copy_project(name, tmp_path), tmp_path / "dist", **SOURCELESS, DETPYC_INTERPRETERS="3.11,3.12")
    assert done.returncode == 1
    assert 'DETPYC_INTERPRETERS has 2 entries; layout = "sourceless" takes one' in done.stderr + done.stdout
    assert list((tmp_path / "dist").iterdir()) == []


def test_layouts_differ_in_place_only(tmp_path: Path) -> None:
    """The bytecode is the same in both places."""
    places: list[tuple[Path, dict[str, Any]]] = [(tmp_path / "a", {}), (tmp_path / "b", SOURCELESS)]
    pair = [build(copy_project("hatch-src", place), place / "dist", **said).artifact for place, said in places]
    beside, instead = map(wheels.read, pair)
    for source in BY_NAME["hatch-src"].compiled:
        assert beside[pyc_of(source)] == instead[f"{source}c"]
