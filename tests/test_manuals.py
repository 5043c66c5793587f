"""The page of all commands, the manual pages and the completion scripts are those of the parser."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import manuals
from detpyc.cli import COMMANDS
from detpyc.cli.completion import SHELLS

if TYPE_CHECKING:
    from pathlib import Path

OPTION = re.compile(r"(?: -l |--)([a-z][a-z-]+)")


def test_pages_are_current() -> None:
    """After a change of an option, ``nox -s manuals`` writes them again."""
    assert {path: path.read_text(encoding="utf-8") for path in manuals.pages()} == manuals.pages()


def test_no_other_files_are_shipped() -> None:
    found = {path for path in manuals.SHARED.rglob("*") if path.is_file()}
    assert found == {*manuals.pages(), *manuals.SCRIPTS.values()} - {manuals.PAGE}


def test_every_command_has_a_manual_page() -> None:
    names = {path.name for path in manuals.MANUALS.iterdir()}
    assert names == {"detpyc.1", *(f"detpyc-{name}.1" for name in COMMANDS)}


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_current(shell: str) -> None:
    """Whichever version of shtab wrote them."""
    script = manuals.SCRIPTS[shell].read_text(encoding="utf-8")
    found, expected = (set(OPTION.findall(text)) for text in (script, manuals.script(shell)))
    assert "invalidation-mode" in expected
    assert found == expected
    assert [name for name in COMMANDS if name not in script] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is missing")
@pytest.mark.parametrize("path", sorted(manuals.MANUALS.iterdir()), ids=lambda path: path.name)
def test_groff_accepts_the_manual_pages(path: Path) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(path)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stderr == ""


def test_roff_and_markdown_are_escaped() -> None:
    assert manuals.roff(r".a-b\c's") == r"\&.a\-b\ec\(aqs"
    assert manuals.escaped("__pycache__ <a|b>") == r"\_\_pycache\_\_ \<a\|b\>"
