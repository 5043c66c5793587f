"""What a hostile case is; the modules beside this one have tables of them, each called ``CASES``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSED, FOUND, FAILED = 0, 1, 2
DETPYC = (sys.executable, "-m", "detpyc")


@dataclass(frozen=True)
class Case:
    """One trick, and what has to become of it.

    Attributes:
        build: makes the input in an empty directory and returns its path, the last argument of the command. It may
            call `pytest.skip` where the system does not support the trick.
        status: the exit status.
        words: each must appear in the output.
        command: what runs, in that directory, so that options can name files by relative paths.
        changes: whether the command changes anything in the directory.
        name: of the case, unique within its table; by default the function's.
        program: what the command is a command of.

    """

    build: Callable[[Path], Path]
    status: int
    words: tuple[str, ...] = ()
    command: tuple[str, ...] = ("verify",)
    changes: bool = False
    name: str = ""
    program: tuple[str, ...] = DETPYC

    @property
    def id(self) -> str:
        """Name the case in the output of the tests."""
        return self.name or f"{self.build.__name__}-{self.command[0]}"
