"""One worker process, and what it writes to standard error."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from detpyc.compilation import worker
from detpyc.compilation.description import START_LIMIT, command, parse_description
from detpyc.compilation.outcomes import Compiled, Failed, Outcome, Refused
from detpyc.compilation.processes import environment, indented, kill, start_process
from detpyc.errors import DetpycError, InterpreterError
from detpyc.limits import MAX_MESSAGE
from detpyc.threads import start_thread
from detpyc.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detpyc.compilation.description import Interpreter
    from detpyc.compilation.outcomes import Source

_STDERR_KEPT = 1 << 16  # bytes of a worker's standard error; the last ones matter
_STDERR_TIMEOUT = 1.0  # seconds to wait for its end: a process that the worker started may keep the pipe open


class WorkerProcess:
    """A worker under an interpreter. It has no state to save, so it is ended by killing it.

    Attributes:
        deadline: when it must have answered, by `time.monotonic`.
        reusable: whether it is the build that was described, so that a cache may keep what it compiles.

    """

    def __init__(self, interpreter: Interpreter, time_limit: float) -> None:
        """Start the process.

        Args:
            interpreter: that compiles.
            time_limit: seconds for one source.

        Raises:
            InterpreterError: if it cannot be run.
            DetpycError: if no more threads or processes can be started.

        """
        self.interpreter = interpreter
        self.time_limit = time_limit
        self.deadline = time.monotonic() + START_LIMIT
        self.timed_out = False
        self.reusable = False
        self.levels = 0
        self.stderr = _StderrReader()
        try:
            self.process = start_process(
                command(interpreter.path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr.write_end,
                env=environment(),
            )
        except OSError as error:
            raise InterpreterError(f"cannot be run: {error.strerror}", path=interpreter.path) from error
        finally:
            self.stderr.close_write_end()

    def handshake(self) -> None:
        """Check that the process is the interpreter that was described.

        Raises:
            InterpreterError: if it is another one, or did not start.

        """
        path = self.interpreter.path
        reply = self.read_reply()
        if reply is None:
            raise InterpreterError(self.exit_reason(), path=path)
        try:
            found = parse_description(path, reply)
        except ValueError as error:
            raise InterpreterError("not a Python interpreter: it sent an invalid reply", path=path) from error
        if not found.same_release(self.interpreter):
            raise InterpreterError(
                f"was CPython {self.interpreter.release}, is now {found.implementation} {found.release}", path=path
            )
        self.reusable = found.build == self.interpreter.build
        self.deadline = math.inf

    def send(self, source: Source, levels: Sequence[int]) -> None:
        """Send a source to compile; `receive` returns the outcome."""
        assert self.process.stdin is not None  # noqa: S101 - a pipe was asked for
        self.levels = len(levels)
        self.deadline = time.monotonic() + self.time_limit
        request = [source.path.encode("utf-8", "surrogatepass"), bytes(levels), source.content, *source.pycs]
        with suppress(OSError):  # if it has ended, `receive` finds out
            worker.write_frame(self.process.stdin, request)

    def receive(self) -> Outcome:
        """Return the outcome for the source that was sent. After a `Failed` the worker cannot be used again."""
        reply = self.read_reply()
        self.deadline = math.inf
        if reply is None:
            return Failed(f"{self.interpreter.path} {self.exit_reason()}")
        with suppress(UnicodeDecodeError):
            match reply:
                case [worker.COMPILED, source_hash, *payloads] if len(payloads) == self.levels:
                    return Compiled(source_hash, tuple(payloads), self.reusable)
                case [worker.REFUSED | worker.EXHAUSTED as kind, error, message]:
                    refused = Refused(error.decode(), shortened(message.decode(), MAX_MESSAGE))
                    return refused if kind == worker.REFUSED else Failed(refused.reason)
                case [worker.UNFAITHFUL, reason]:
                    return Failed(reason.decode())
        return Failed(f"{self.interpreter.path} sent an invalid reply: {reply!r:.100}")

    def read_reply(self) -> list[bytes] | None:
        """Read a frame; None if the process has ended instead."""
        assert self.process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            return worker.read_frame(self.process.stdout)
        except (OSError, EOFError):
            return None

    def exit_reason(self) -> str:
        """Return how the process ended."""
        if self.timed_out:
            return "did not answer in time and was killed"
        self.kill()  # it may have closed its pipe and still run
        status = self.process.wait()
        cause = f"signal {_signal_name(-status)}" if status < 0 else f"status {status}"
        return f"ended with {cause}{indented(self.stderr.read())}"

    def check_deadline(self, now: float) -> None:
        """Kill the process if its time is over."""
        if self.deadline < now:
            self.timed_out = True
            self.kill()

    def kill(self) -> None:
        """Kill the process, and do not wait for it."""
        kill(self.process)

    def end(self) -> None:
        """Kill the process, and wait until it has ended."""
        self.kill()
        # Closes the pipes and waits. What was not read is lost, which Windows reports as an invalid argument.
        with suppress(OSError), self.process:
            pass


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)


class _StderrReader:
    """Reads a process's standard error in a thread, and keeps the end of it: a pipe that is not read fills up.

    Attributes:
        write_end: the descriptor for the process; `close_write_end` closes ours.

    """

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.tail = b""
        try:
            self.thread = start_thread(self.run, "detpyc-stderr")
        except DetpycError:
            os.close(self.read_end)
            os.close(self.write_end)
            raise

    def close_write_end(self) -> None:
        """Close our copy, so that the pipe ends with the process."""
        os.close(self.write_end)

    def run(self) -> None:
        with open(self.read_end, "rb", buffering=0) as stream:  # noqa: PTH123 - not a path
            while chunk := stream.read(_STDERR_KEPT):
                self.tail = (self.tail + chunk)[-_STDERR_KEPT:]

    def read(self) -> bytes:
        """Return the end of what a process wrote that has ended."""
        self.thread.join(_STDERR_TIMEOUT)
        return self.tail
