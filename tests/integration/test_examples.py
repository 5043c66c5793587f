"""The worked examples in ``docs``: the very commands on the page, and the output that it shows for them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import wheels
from pages import blocks_for, commands_of
from pycs import HERE, PYC, SOURCE, forged, pyc

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("the commands are for a POSIX shell", allow_module_level=True)

PROGRAMS = {"detpyc": f"{shlex.quote(sys.executable)} -m detpyc", "python": shlex.quote(sys.executable)}


def run(command: str, directory: Path) -> str:
    """Run a command of a page with the Python that runs the tests; return all of its output."""
    for name, program in PROGRAMS.items():
        command = re.sub(rf"(^|(?<= )){name}(?= )", program, command)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    completed = subprocess.run(
        ["sh", "-c", command],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return completed.stdout


def matches(shown: str, output: str) -> bool:
    """Return whether an output is what a page shows, where "..." is anything, also several lines."""
    version = "CPython {}.{}".format(*HERE.version)
    here = shown.replace("cpython-313", HERE.cache_tag).replace("CPython 3.13", version)
    pattern = ".*".join(map(re.escape, here.split("...")))
    return re.fullmatch(pattern, output, re.DOTALL) is not None


def test_bypass(tmp_path: Path) -> None:
    blocks = blocks_for("test_bypass")
    assert [block.language for block in blocks] == ["python", "console", "console", "console"]
    subprocess.run([sys.executable, "-c", blocks[0].content], cwd=tmp_path, check=True)
    for block in blocks[1:]:
        for command in commands_of(block):
            output = run(command.script, tmp_path)
            assert matches(command.output, output.strip()), f"{block}\n{command.script}:\n{output}"


def test_scanner(tmp_path: Path) -> None:
    """It accepts what is right, and nothing that is tampered with, missing, broken, or not done in time."""
    uploads = {
        "good": wheels.build(tmp_path, {"core.py": SOURCE, PYC: pyc()}, project="good-1"),
        "tampered": wheels.build(tmp_path, {"core.py": SOURCE, PYC: forged()}, project="tampered-1"),
        "missing": tmp_path / "missing.whl",
        "broken": tmp_path / "broken-1-py3-none-any.whl",
    }
    uploads["broken"].write_bytes(b"not an archive")
    (block,) = blocks_for("test_scanner")
    code = block.content.partition('if __name__ == "__main__":')[0]
    code += "".join(f"print({name!r}, is_safe({str(path)!r}))\n" for name, path in uploads.items())
    code += f"SECONDS = 0\nprint('late', is_safe({str(uploads['good'])!r}))\n"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert completed.stderr == ""
    assert completed.stdout == "good True\ntampered False\nmissing False\nbroken False\nlate False\n"
