"""Interpreters that misbehave: executables that do what their names say (`fake_interpreter.py`)."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

with suppress(ImportError):
    import fcntl  # not on Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

SCRIPT = Path(__file__).with_name("fake_interpreter.py")
TIMEOUT = 60  # seconds for what takes much less


class Fakes:
    """Fake interpreters in a directory of their own, and whether any of them is running."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.mark = directory / "mark"
        self.lock = directory / "lock"
        self.lock.touch()
        # They run under the Python that runs the tests.
        monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        for name in ("mark", "lock", "go"):
            monkeypatch.setenv(f"FAKE_{name.upper()}", str(directory / name))

    def make(self, behaviour: str) -> str:
        """Make one, and return its path."""
        path = self.directory / "bin" / behaviour
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(SCRIPT)
        return str(path)

    def wait_for_one(self) -> None:
        """Wait until one is running."""
        wait_until(self.mark.exists)

    def let_go(self) -> None:
        """Let those continue that wait for it."""
        (self.directory / "go").touch()

    def all_gone(self) -> bool:
        """Return whether none is running, or all end within some time."""
        try:
            wait_until(self.is_free)
        except TimeoutError:
            return False
        return True

    def is_free(self) -> bool:
        if sys.platform == "win32":
            raise NotImplementedError
        with self.lock.open("r+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep the lock that detpyc takes on a file."""
    if sys.platform == "win32":
        raise NotImplementedError
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
