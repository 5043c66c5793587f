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
from projects import CHECKOUT
from pycs import HERE, PYC, SOURCE, forged, pyc

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("the commands are for a POSIX shell", allow_module_level=True)

EXAMPLES = {"verify": "Example: a clean source"}
SCANNER = "A scanner of untrusted uploads"
BLOCK = re.compile(r"^```(?P<language>python|console)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
PROGRAMS = {"detpyc": f"{shlex.quote(sys.executable)} -m detpyc", "python": shlex.quote(sys.executable)}


def section(page: str, heading: str) -> str:
    _, found, rest = (CHECKOUT / "docs" / f"{page}.md").read_text(encoding="utf-8").partition(f"# {heading}\n")
    assert found
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]


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
    pattern = ".*".join(map(re.escape, shown.replace("cpython-313", HERE.cache_tag).split("...")))
    return re.fullmatch(pattern, output, re.DOTALL) is not None


@pytest.mark.parametrize(("page", "heading"), EXAMPLES.items())
def test_example(page: str, heading: str, tmp_path: Path) -> None:
    blocks = [*BLOCK.finditer(section(page, heading))]
    assert {block["language"] for block in blocks} == {"python", "console"}
    for block in blocks:
        if block["language"] == "python":
            subprocess.run([sys.executable, "-c", block["text"]], cwd=tmp_path, check=True)
            continue
        for match in COMMAND.finditer(block["text"]):
            output = run(match["command"], tmp_path)
            assert matches(match["output"], output), f"{match['command']}:\n{output}"


def test_scanner(tmp_path: Path) -> None:
    """It accepts what is right, and nothing that is tampered with, missing, broken, or not done in time."""
    uploads = {
        "good": wheels.build(tmp_path, {"core.py": SOURCE, PYC: pyc()}, project="good-1"),
        "tampered": wheels.build(tmp_path, {"core.py": SOURCE, PYC: forged()}, project="tampered-1"),
        "missing": tmp_path / "missing.whl",
        "broken": tmp_path / "broken-1-py3-none-any.whl",
    }
    uploads["broken"].write_bytes(b"not an archive")
    (example,) = (block["text"] for block in BLOCK.finditer(section("verify", SCANNER)))
    code = example.partition('if __name__ == "__main__":')[0]
    code += "".join(f"print({name!r}, is_safe({str(path)!r}))\n" for name, path in uploads.items())
    code += f"SECONDS = 0\nprint('late', is_safe({str(uploads['good'])!r}))\n"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert completed.stderr == ""
    assert completed.stdout == "good True\ntampered False\nmissing False\nbroken False\nlate False\n"
