"""The picture of a terminal session in the README.

Run as a program, as ``nox -s manuals`` does, it takes the picture again.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

import wheels
from projects import run

PICTURE = Path(__file__).parents[2] / "docs" / "terminal.svg"
WIDTH = 106

SOURCE = b'WORDS = {"en": "Hello", "de": "Hallo"}\n'
COMMANDS = (
    "detpyc wheel demo-1.0-py3-none-any.whl",
    "detpyc verify demo-1.0-py3-none-any.whl",
    "python -m zipfile -e demo-1.0-py3-none-any.whl site",
    "sed -i s/Hello/Bye!!/ site/demo/__pycache__/*.pyc",
    f"detpyc verify --interpreter {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro} site",
)
SHOWN = re.compile(r">([^<]*)</text>")
NUMBER = re.compile(r"[+-]?\d[\d.,]*")


def take_picture() -> str:
    """Return a picture of a session in which a wheel gets bytecode, and changed bytecode is found."""
    with TemporaryDirectory() as directory, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        wheels.build(Path(directory), {"demo/__init__.py": SOURCE}, project="demo-1.0")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        for command in COMMANDS:
            done = run(["sh", "-c", f"exec 2>&1\n{command}"], cwd=Path(directory), variables={"PATH": path})
            console.print(Text.assemble(("$ ", "green"), (command, "bold")), highlight=False)
            console.print(Text(done.stdout), end="", highlight=False)
    return console.export_svg(title="detpyc", unique_id="terminal")


def shown(picture: str) -> list[str]:
    """Return the text of a picture, with a 0 for every number."""
    return [NUMBER.sub("0", text) for text in SHOWN.findall(picture)]


if __name__ == "__main__":
    PICTURE.write_text(take_picture(), encoding="utf-8", newline="\n")
