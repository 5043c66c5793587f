"""What Windows does differently, simulated here."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import payloads
import wheels
from detpyc.byte_compile.installed_records import update_record
from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.bytecode.header import InvalidationMode, PycHeader
from detpyc.compilation import interpreters, worker
from detpyc.compilation.pool import Failed, Source, byte_compile
from detpyc.errors import DetpycError
from detpyc.files import open_locked
from detpyc.normalize import normalize_artifact
from detpyc.replacement import Replacement
from detpyc.settings import Settings
from payloads import flagged, small_tuple, text

if sys.platform == "win32":
    pytest.skip("there is nothing to simulate", allow_module_level=True)

from fakes import Fakes

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc.compilation.pool import Outcome

LIMIT = 1.0  # seconds


def keep(_: int, outcome: Outcome) -> Outcome:
    return outcome


def denied(*_: object) -> NoReturn:
    raise PermissionError(errno.EACCES, "Permission denied")


# ---- files


@pytest.fixture
def open_files_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to replace open files. All files that are replaced are locked while they are open."""
    replace = os.replace

    def replace_closed(path: str, target: str) -> None:
        try:
            with open_locked(Path(target)):
                pass
        except DetpycError:
            denied()
        replace(path, target)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "getwindowsversion", lambda: (10, 0, 26100, 2, ""), raising=False)
    monkeypatch.setattr(os, "replace", replace_closed)


def byte_compiled_wheel(directory: Path) -> bool:
    return byte_compile_wheel(wheels.build(directory), Settings()).changed


def normalized_wheel(directory: Path) -> bool:
    payload = payloads.code((3, 12), {"consts": small_tuple(flagged(text("a b")))})
    pyc = PycHeader(3531, InvalidationMode.TIMESTAMP, mtime=5, source_size=7).to_bytes() + payload
    return bool(normalize_artifact(wheels.build(directory, {"core.pyc": pyc})).changed)


def updated_record(directory: Path) -> bool:
    for name, content in {**wheels.complete(), "demo/__pycache__/core.cpython-312.pyc": b"pyc"}.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return update_record(directory / "demo-1.0.dist-info" / "RECORD", {("cpython-312", 0)})


@pytest.mark.usefixtures("open_files_stay")
@pytest.mark.parametrize("replaced", [byte_compiled_wheel, normalized_wheel, updated_record])
def test_replaced_file_is_closed_first(replaced: Callable[[Path], bool], tmp_path: Path) -> None:
    assert replaced(tmp_path)


def test_file_that_cannot_be_replaced_for_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only file cannot be removed either."""
    unlink = os.unlink

    def unlink_writable(path: str, *, dir_fd: None) -> None:
        if not Path(path).stat().st_mode & stat.S_IWRITE:
            denied()
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "replace", denied)
    monkeypatch.setattr(os, "unlink", unlink_writable)
    file = tmp_path / "file"
    file.touch(0o444)
    with (
        pytest.raises(DetpycError, match="file: cannot be written: Permission denied"),
        Replacement(file, 0o444) as new,
    ):
        new.commit()
    assert [*tmp_path.iterdir()] == [file]


# ---- processes


class ClosedPipe(io.BufferedWriter):
    """A pipe whose other end has been closed."""

    def flush(self) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")


class ProcessWithClosedPipe(subprocess.Popen):  # type: ignore[type-arg]
    """A process that has closed its standard input."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        assert isinstance(self.stdin, io.BufferedWriter)
        self.stdin = ClosedPipe(self.stdin.detach())


def test_worker_that_has_closed_its_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = interpreters.current()
    monkeypatch.setattr(subprocess, "Popen", ProcessWithClosedPipe)
    (outcome,) = byte_compile(interpreter, [Source("a.py", b"")], [0], keep, time_limit=LIMIT)
    assert isinstance(outcome, Failed)


def test_interrupt_that_does_not_end_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = Fakes(tmp_path, monkeypatch)
    interpreter = interpreters.describe(fakes.make("hangs"))

    def interrupt() -> None:
        fakes.wait_for_one()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.raise_signal(signal.SIGINT)

    begin = time.monotonic()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            byte_compile(interpreter, [Source("a.py", b"")], [0], keep, jobs=1, time_limit=20 * LIMIT)
        thread.join()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert time.monotonic() - begin < 20 * LIMIT
    assert fakes.all_gone()


def test_worker_ignores_signals_to_the_whole_console() -> None:
    script = f"""if True:
        import runpy, signal, sys
        signal.SIGBREAK = signal.SIGUSR1
        names = runpy.run_path({worker.__file__!r})
        sys.platform, here = "win32", sys.platform
        names["ignore_interrupts"]()
        sys.platform = here
        names["main"]()
    """
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert worker.read_frame(process.stdout) == worker.describe()
        process.send_signal(signal.SIGUSR1)
        process.stdin.close()
    assert process.returncode == 0
