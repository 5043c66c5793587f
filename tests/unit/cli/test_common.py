"""What the commands have in common."""

from __future__ import annotations

import os
import shutil

import pytest

from detpyc.cli.common import help_formatter


@pytest.mark.parametrize("columns", [None, "", "0", "-1", "wide", "9" * 5000, "40", " 133 "])
@pytest.mark.parametrize("terminal", [0, 57, None])
def test_help_is_as_wide_as_that_of_argparse(
    columns: str | None, terminal: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def size(_: int) -> os.terminal_size:
        if terminal is None:
            raise OSError("Inappropriate ioctl for device")
        return os.terminal_size((terminal, 10))

    monkeypatch.setattr(os, "get_terminal_size", size)
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    formatter = help_formatter("detpyc")
    formatter.add_text("word " * 100)
    (first, *_) = formatter.format_help().splitlines()
    width = (shutil.get_terminal_size().columns or 80) - 2  # CPython 3.10 does not know that 0 means unknown
    assert len(first) <= width < len(first) + len(" word")
