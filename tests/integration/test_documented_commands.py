"""Every fenced command of the documentation is run, here or by a test of its own, or says why it is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

import wheels
from pages import BLOCKS, NOTE, SHELL, Block, commands_of
from projects import CHECKOUT, check_run, run

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": YAML(typ="safe", pure=True).load,
}
NOT_SHELL = {"dockerfile", "hcl", "make", "spec", "starlark"}  # commands and configuration of other programs
SHOWN = {"", "python", "text"}  # see test_api.py for Python
RUN = [block for block in BLOCKS if block.is_run]

RELEASE = "{}.{}.{}".format(*sys.version_info)
MINOR = "{}.{}".format(*sys.version_info)
TAG = "{}{}".format(*sys.version_info)

PYPROJECT = """\
[build-system]
requires = ["hatchling", "detpyc"]
build-backend = "detpyc.backend"

[project]
name = "demo"
version = "1.0"
requires-python = ">=3.8"

[project.scripts]
demo = "demo.core:main"

[tool.hatch.build.targets.sdist]
only-include = ["src"]

[tool.hatch.build.targets.wheel]
packages = ["src/demo"]

[tool.detpyc]
build-backend = "hatchling.build"
"""
CORE = """\
def f(x):
    return x in {1, "two"}


def main():
    print(f(1))
"""


def for_this_python(command: str) -> str:
    """Replace the versions in a command by those of the Python that runs the tests, and isolated builds by others."""
    command = re.sub(r"(?<![\d.])3\.\d+\.\d+(?![\d.]*\d)", RELEASE, command)
    command = re.sub(r"(?<![\d.])3\.\d+(?![\d.]*\d)", MINOR, command)
    command = re.sub(r"\b(cp|cpython-)3\d+\b", rf"\g<1>{TAG}", command)
    command = re.sub(rf"\b({re.escape(RELEASE)}|{re.escape(MINOR)})(,\1)+\b", r"\1", command)
    return command.replace("python -m build", "python -m build --no-isolation")


def as_pattern(output: str) -> str:
    """Return a pattern for the output on a page: ``...`` is anything, and a number is any number, whatever its sign."""
    pattern = re.escape(for_this_python(output).strip()).replace(re.escape("..."), r"[\s\S]*")
    return re.sub(r"(?:\\[+-])?\d+(?:(?:,|\\\.)\d+)*", lambda _: r"[+-]?[\d.,]+", pattern)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a project, built, as a reader of the pages may have it; copy it before use."""
    directory = tmp_path_factory.mktemp("reader")
    (directory / "pyproject.toml").write_text(PYPROJECT)
    package = directory / "src" / "demo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "core.py").write_text(CORE)
    check_run([sys.executable, "-m", "build", "--no-isolation", str(directory)])
    for artifact in (directory / "dist").iterdir():
        shutil.copy(artifact, directory)
    (directory / "requirements.txt").write_text("demo==1.0\n")
    index = directory.parent / "index"
    index.mkdir()
    wheels.build(index)
    return directory


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize("page", dict.fromkeys(block.page for block in RUN))
def test_commands(page: str, reader: Path, tmp_path: Path) -> None:
    """Run the commands of a page, in order, in one directory, and compare what they print with what is shown."""
    directory = shutil.copytree(reader, tmp_path / "demo")
    variables = {
        "HOME": str(tmp_path),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(reader.parent / "index"),
        "UV_NO_BUILD_ISOLATION": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for block in (block for block in RUN if block.page == page):
        commands = commands_of(block)
        for command in commands:
            script = for_this_python(command.script)
            done = run(["sh", "-eu", "-c", f"exec 2>&1\n{script}"], cwd=directory, variables=variables)
            expected = block.status if command is commands[-1] else 0
            assert done.returncode == expected, f"{block}\n{script}\n{done.stdout}"
            if command.output:
                assert re.fullmatch(as_pattern(command.output), done.stdout.strip()), f"{block}\n{done.stdout}"


def test_every_command_is_run_or_says_why_not() -> None:
    noted = [block for block in BLOCKS if block.note or block.language in NOT_SHELL]
    assert {str(block): block.note for block in noted if not NOTE.fullmatch(block.note)} == {}


def test_tests_that_run_commands_exist() -> None:
    tests = set()
    for path in (CHECKOUT / "tests").rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        tests |= {name for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE) if f'("{name}")' in text}
    assert {str(block): block.test for block in BLOCKS if block.test and block.test not in tests} == {}


def test_every_language_is_known() -> None:
    known = {*SHELL, *NOT_SHELL, *PARSERS, *SHOWN}
    assert {str(block): block.language for block in BLOCKS if block.language not in known} == {}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in PARSERS], ids=str)
def test_configuration_is_valid(block: Block) -> None:
    assert PARSERS[block.language](block.content)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("demo: 12 sources, 1,626 pycs", "demo: 2 sources, 3 pycs", True),
        ("+8,120 bytes by CPython 3.12.1", "-467 bytes by CPython 3.11.7", True),
        ("first\n...\nlast", "first\nsecond\nthird\nlast", True),
        ("demo: 12 sources", "demo: no sources", False),
        ("demo: 12 sources", "demo: 12 sources\nand more", False),
    ],
)
def test_output_is_compared(shown: str, printed: str, *, same: bool) -> None:
    assert bool(re.fullmatch(as_pattern(shown), printed)) == same


def test_commands_of_a_console() -> None:
    content = "$ detpyc wheel \\\n      demo.whl\ndemo.whl: done\n$ detpyc verify demo.whl\n"
    commands = commands_of(Block("page.md", 1, "console", content, ""))
    assert [(command.script, command.output) for command in commands] == [
        ("detpyc wheel \\\n      demo.whl", "demo.whl: done"),
        ("detpyc verify demo.whl", ""),
    ]
