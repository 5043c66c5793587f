"""Wheels built again from their sdists, in clean environments."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from command_line import detpyc, unchanged
from detpyc.cli import main
from pages import BLOCKS, blocks_for, commands_of
from projects import build, change, check_run, copy_project, pyc_of

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

EPOCH = "1600000000"  # otherwise, setuptools gives its members the time of the build

# A backend that touches a file for as long as it runs.
SLOW = """
import pathlib, time
while True:
    pathlib.Path({!r}).touch()
    time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def find_detpyc(wheel_of_checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pip find this detpyc too, which builds require."""
    links = f"{os.environ.get('PIP_FIND_LINKS', '')} {wheel_of_checkout.parent}".strip()
    monkeypatch.setenv("PIP_FIND_LINKS", links)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def build_both(name: str, directory: Path, **variables: Any) -> tuple[Path, Path]:
    """Build the wheel and the sdist of a project, and move the project away."""
    project = copy_project(name, directory)
    wheel, sdist = (
        build(project, directory / "dist", hook=hook, **variables).artifact for hook in ("build_wheel", "build_sdist")
    )
    project.rename(directory / "gone")
    return wheel, sdist


@pytest.mark.parametrize(
    ("name", "variables", "pinned"),
    [
        ("hatch-src", {"DETPYC_LAYOUT": "sourceless", "DETPYC_OPTIMIZE": "2"}, "hatchling"),
        ("setuptools-wrapped", {"SOURCE_DATE_EPOCH": EPOCH, "DETPYC_COMPRESSION": "stored"}, "setuptools"),
    ],
)
def test_reproduced(
    name: str, variables: dict[str, str], pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the settings that the wheel records, not those of the project and the environment."""
    wheel, sdist = build_both(name, tmp_path, **variables)
    monkeypatch.setenv("DETPYC_OPTIMIZE", "1")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with unchanged(tmp_path):
        done = detpyc("reproduce", wheel, "--from", sdist, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["same"], document["name"]) == (True, wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        (generator,) = (
            line
            for line in archive.read(f"{name.replace('-', '_')}-1.0.dist-info/WHEEL").decode().splitlines()
            if line.startswith("Generator: ")
        )
    backend, _ = document["constraints"]
    assert backend.partition("==")[0] == pinned
    assert backend.partition("==")[2] in generator
    assert list((tmp_path / "temporary").iterdir()) == []


def test_normalized_wheel_of_several_interpreters_is_reproduced(
    pythons: dict[str, Interpreter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made by the command from a wheel whose project has other settings, and reproduced by one command."""
    wheel, sdist = build_both("pdm-module", tmp_path)
    found = [str(python.path) for python in {python.cache_tag: python for python in pythons.values()}.values()][:3]
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], *(str(Path(path).parent) for path in found)]))
    options = [option for path in found for option in ("--interpreter", path)]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    assert main(["wheel", "--normalize-archive", *options, str(wheel)]) == 0
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    capsys.readouterr()
    assert main(["reproduce", str(wheel), "--from", str(sdist)]) == 0
    assert capsys.readouterr().out.startswith(f"{wheel.name}: reproduced bit for bit, by CPython ")


def test_one_byte_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel, _ = build_both("pdm-module", tmp_path)
    name = pyc_of("pdm_module.py")
    with zipfile.ZipFile(wheel) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for info, content in members.items():
            forged = content.replace(b"whole", b"Whole") if info.filename == name else content
            assert (forged != content) == (info.filename == name)
            archive.writestr(info, forged)
    with unchanged(tmp_path):
        assert main(["reproduce", str(wheel), "--from", str(tmp_path / "gone")]) == 1
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{wheel.name}: not reproduced, by CPython ")
    assert others == [
        name,
        "    code: in <module>: constant 0: 'The Whole distribution.' against 'The whole distribution.'",
    ]


def test_build_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the end of the build's output, and no temporary file stays."""
    wheel, _ = build_both("pdm-module", tmp_path)
    (tmp_path / "gone" / "pyproject.toml").unlink()
    (tmp_path / "gone" / "setup.py").write_text("from no_such_thing import setup\n", encoding="utf-8")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with unchanged(tmp_path):
        done = detpyc("reproduce", wheel, "--from", tmp_path / "gone")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("detpyc: could not build the wheel with pdm-backend==")
    assert "No module named 'no_such_thing'" in done.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_nothing_stays_when_it_is_terminated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """During the build, for which pip and build have created directories of their own."""
    wheel, _ = build_both("pdm-module", tmp_path)
    project, temporary, going = tmp_path / "gone", tmp_path / "temporary", tmp_path / "going"
    change(
        project / "pyproject.toml", b'build-backend = "pdm.backend"', b'build-backend = "slow"\nbackend-path = ["."]'
    )
    (project / "slow.py").write_text(SLOW.format(str(going)), encoding="utf-8")
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    command = [sys.executable, "-m", "detpyc", "reproduce", str(wheel), "--from", str(project)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not going.exists() and process.poll() is None:
            time.sleep(0.1)
        process.terminate()
        _, message = process.communicate()
    assert (process.returncode, message) == (2, "detpyc: terminated; unfinished files are unchanged\n")
    assert list(temporary.iterdir()) == []
    going.unlink()
    time.sleep(1)
    assert not going.exists()


def test_wheel_of_the_tutorial(tmp_path: Path) -> None:
    """The files that docs/tutorial.md writes, built, and then its command."""
    for block in BLOCKS:
        if (block.page, block.language) == ("docs/tutorial.md", "sh") and "greeting/" in block.content.splitlines()[0]:
            check_run(["sh", "-euc", f"cd {shlex.quote(str(tmp_path))}\n{block.content}"])
    project = tmp_path / "greeting"
    for hook in ("build_wheel", "build_sdist"):
        build(project, project / "dist", hook=hook)
    (block,) = blocks_for("test_wheel_of_the_tutorial")
    (command,) = commands_of(block)
    _, *arguments = shlex.split(command.script)
    shown = command.output.rpartition(" ")[0]
    done = detpyc(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{shown} {platform.python_version()}\n", "")
