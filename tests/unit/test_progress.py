"""The progress bar: when it is shown, and when it must not be."""

from __future__ import annotations

import io
import os
import sys
import threading
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, suppress
from typing import TYPE_CHECKING

import pytest

from detpyc.cli import main
from detpyc.cli import progress as module
from detpyc.cli.progress import progress
from pycs import HERE, SOURCE, pyc

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Namespace(quiet=False, json=False)
LABEL = "[red]tree[/red] \x1b[2J"


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make a terminal on which bars are shown at once."""
    monkeypatch.setattr(module, "_DELAY", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    for name in [name for name in os.environ if name.startswith("TTY_") or name in {"NO_COLOR", "COLUMNS"}]:
        monkeypatch.delenv(name)
    return Terminal()


def shown(stream: io.StringIO, options: Namespace = PLAIN) -> str:
    """Do something in three steps, in threads, and return what is shown until the bar is erased."""
    with redirect_stderr(stream), progress(LABEL, options) as start, ThreadPoolExecutor() as pool:
        advance = start(3)
        list(pool.map(lambda _: advance(), range(3)))
    return stream.getvalue()


def test_bar(terminal: Terminal) -> None:
    output = shown(terminal)
    assert "[red]tree[/red] \\x1b[2J" in output
    assert "3/3" in output
    assert "\x1b[2J" not in output
    assert output.endswith("\x1b[2K")  # the line is erased


def test_no_standard_error() -> None:
    with redirect_stderr(None), progress(LABEL, PLAIN) as start:
        start(3)()


def test_verification(terminal: Terminal, tmp_path: Path) -> None:
    """One step for each pyc."""
    for name in ("core", "other", "gone"):
        (tmp_path / f"{name}.pyc").write_bytes(pyc())
    (tmp_path / "core.py").write_bytes(SOURCE)
    with redirect_stderr(terminal):
        assert main(["verify", "-i", HERE.path, str(tmp_path)]) == 1
    assert "3/3" in terminal.getvalue()


def test_bar_is_erased_if_the_work_fails(terminal: Terminal) -> None:
    with redirect_stderr(terminal), suppress(ZeroDivisionError), progress(LABEL, PLAIN) as start:
        start(3)()
        raise ZeroDivisionError
    assert "1/3" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")


def test_short_work(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DELAY", 3600)
    assert shown(terminal) == ""


@pytest.mark.parametrize("options", [Namespace(quiet=True, json=False), Namespace(quiet=False, json=True)])
def test_options(terminal: Terminal, options: Namespace) -> None:
    assert shown(terminal, options) == ""


def test_terminal_that_cannot_show_a_bar(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(terminal) == ""


def test_without_rich(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    assert shown(terminal) == ""


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_not_a_terminal(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Variables that make rich treat it as a terminal do not matter."""
    monkeypatch.setenv(variable, "1")
    assert shown(io.StringIO()) == ""


def test_bar_needs_no_thread(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn by the threads that do the work, as there may be no others."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with redirect_stderr(terminal), progress(LABEL, PLAIN) as start:
        advance = start(2)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        advance()
        advance()
    assert "2/2" in terminal.getvalue()


def test_bar_is_not_drawn_at_each_step(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INTERVAL", 3600)
    with redirect_stderr(terminal), progress(LABEL, PLAIN) as start:
        advance = start(1000)
        for _ in range(1000):
            advance()
    assert 0 < terminal.getvalue().count("/1000") < 10
