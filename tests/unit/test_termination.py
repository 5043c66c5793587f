"""Signals that would end the process let it clean up first."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from detpyc.termination import Terminated, terminable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name) and sys.platform != "win32"
] or [signal.SIGTERM]


@pytest.fixture(autouse=True)
def default_actions() -> Iterator[None]:
    before = [(number, signal.signal(number, signal.SIG_DFL)) for number in SIGNALS]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_body_is_left_once(number: int) -> None:
    """A second signal does not interrupt the cleaning up, and the handler from before is restored."""
    steps = []

    def work() -> None:
        try:
            signal.raise_signal(number)
            steps.append("not reached")
        finally:
            signal.raise_signal(number)
            steps.append("cleaned up")

    with pytest.raises(Terminated), terminable():
        work()
    assert steps == ["cleaned up"]
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda *_: None])
def test_other_handlers_are_left_alone(handler: signal.Handlers) -> None:
    number = SIGNALS[-1]
    signal.signal(number, handler)
    with terminable(resend=True):
        assert signal.getsignal(number) is handler
        signal.raise_signal(number)
    assert signal.getsignal(number) is handler


def test_other_threads_are_left_alone() -> None:
    def work() -> None:
        with terminable():
            found.append(signal.getsignal(SIGNALS[0]))

    found: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


PROGRAM = """
import signal
from detpyc.termination import Terminated, terminable
with terminable(resend=True):
    try:
        signal.raise_signal(signal.{name})
    {clause}
        print("cleaned up", flush=True)
print("not reached")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such exit status there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("clause", ["finally:", "except Terminated:"])
def test_process_ends_by_the_signal(name: str, clause: str) -> None:
    """Even if the body suppresses the exception."""
    program = PROGRAM.format(name=name, clause=clause)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-getattr(signal, name), "cleaned up\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no such exit status there")
def test_interrupted_cleaning_up_is_finished(tmp_path: Path) -> None:
    """Where the signal comes while the body removes its temporary files."""
    program = f"""
import signal
from detpyc import temporaries
from detpyc.termination import terminable
with terminable(resend=True), temporaries.working_directory({str(tmp_path)!r}):
    remove = temporaries.remove
    def interrupted(*_):
        temporaries.remove = remove
        signal.raise_signal(signal.SIGTERM)
    temporaries.remove = interrupted
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    assert list(tmp_path.iterdir()) == []
