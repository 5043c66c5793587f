"""The fenced blocks of the README and of ``docs``, with what the comment before a block says of how it is tested."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from projects import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
SHELL = {"bash", "console", "sh", "shell"}

BLOCK = re.compile(
    r"^(?:[ ]*<!-- (?P<note>[^\n]+?) -->\n\n?)?^[ ]*```(?P<language>[^\n]*)\n(?P<content>.*?)^[ ]*```$",
    re.MULTILINE | re.DOTALL,
)
NOTE = re.compile(r"not run: (?P<reason>.{10,})|run by (?P<test>test_\w+)|exits with (?P<status>[1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: the path of its page, relative to the checkout.
        line: the number of its first line.
        language: the word after the fence.
        content: the lines between the fences.
        note: the comment before it, or an empty string.

    """

    page: str
    line: int
    language: str
    content: str
    note: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether its commands are run with the others of its page."""
        return self.language in SHELL and not self.note.startswith(("not run: ", "run by "))

    @property
    def test(self) -> str:
        """The test that runs it, if it is not run with the others of its page."""
        match = NOTE.fullmatch(self.note)
        return match["test"] or "" if match else ""

    @property
    def status(self) -> int:
        """The exit status of its last command."""
        match = NOTE.fullmatch(self.note)
        return int(match["status"] or 0) if match else 0


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(CHECKOUT).as_posix()
    return [
        Block(
            name,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            dedent(match["content"]),
            match["note"] or "",
        )
        for match in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks_for(test: str) -> list[Block]:
    """Return the blocks that a test runs, in the order of the pages."""
    return [block for block in BLOCKS if block.test == test]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and the lines that are shown as its output."""

    script: str
    output: str


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a block: one after each ``$`` in a console, otherwise the block as a whole."""
    if block.language != "console":
        return [Command(block.content, "")]
    lines = block.content.splitlines()
    assert lines[0].startswith("$ "), f"{block}: the first line of a console does not start with $"
    commands: list[tuple[list[str], list[str]]] = []
    continued = False
    for line in lines:
        if line.startswith("$ "):
            commands.append(([line.removeprefix("$ ")], []))
        else:
            commands[-1][0 if continued else 1].append(line)
        continued = line.endswith("\\") and not commands[-1][1]
    return [Command("\n".join(script), "\n".join(output)) for script, output in commands]
