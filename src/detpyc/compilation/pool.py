"""Byte-compile sources through a pool of workers."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from detpyc.compilation import worker
from detpyc.compilation.interpreters import START_LIMIT, command, described
from detpyc.compilation.processes import environment, indented, kill
from detpyc.errors import InterpreterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from typing_extensions import Self

    from detpyc.compilation.interpreters import Interpreter

TIME_LIMIT = 300.0  # seconds for one source; the largest real ones take a few

_TAIL = 1 << 16  # bytes of what a worker complains of that are kept
_PATIENCE = 1.0  # seconds to wait for the rest of it, if something that the worker has started keeps the pipe open
_HEARING = 0.2  # seconds until an interrupt is heard, where it does not end a wait

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """A source to byte-compile.

    Attributes:
        path: relative to its root, with ``/`` on every system; it becomes ``co_filename``.
        content: the file's bytes.
        pycs: what is there already for each level, if that may be right: pycs whose headers were found to be of the
            interpreter, and of the mode, mtime and size that are wanted. Empty bytes where nothing is.

    """

    path: str
    content: bytes
    pycs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of a source.

    Attributes:
        source_hash: as it goes into a hash-based header.
        payloads: the canonical payload for each optimization level, in the order in which the levels were asked for;
            empty where the pyc that is there is right.

    """

    source_hash: bytes
    payloads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A source that does not compile.

    Attributes:
        error: the name of the exception, e.g. ``SyntaxError``.
        message: in the compiler's words, with the line.

    """

    error: str
    message: str

    @property
    def reason(self) -> str:
        """Both in one."""
        return f"{self.error}: {self.message}" if self.message else self.error

    @property
    def exhausted(self) -> bool:
        """Whether it is for want of memory or stack that it does not compile, which the next machine may have."""
        return self.error in {"MemoryError", "RecursionError"}


@dataclass(frozen=True, slots=True)
class Failed:
    """A source on which the worker died, hung, or broke its word.

    Attributes:
        reason: what happened.

    """

    reason: str


Outcome = Compiled | Refused | Failed


def byte_compile(
    interpreter: Interpreter,
    sources: Sequence[Source],
    levels: Sequence[int],
    finish: Callable[[int, Outcome], T],
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
) -> list[T]:
    """Byte-compile sources that are in memory with one interpreter, as `Pool.byte_compile` does it, in any order."""
    # Largest first, so that no worker is left alone with a large source at the end.
    order = sorted(range(len(sources)), key=lambda index: len(sources[index].content), reverse=True)
    with Pool(interpreter, jobs, time_limit) as pool:
        ordered = (sources[index] for index in order)
        results = pool.byte_compile(ordered, levels, lambda number, outcome: finish(order[number], outcome))
    by_index = dict(zip(order, results, strict=True))
    return [by_index[index] for index in range(len(sources))]


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """The workers of one interpreter, and the watch over their time.

    A context manager. A worker is started when it is needed first, and lives on for the next call; whatever ends the
    context ends them.

    Args:
        interpreter: a supported one.
        jobs: how many workers at most; by default as many as there are usable processors. The results do not depend on
            it.
        time_limit: seconds for one source.

    """

    def __init__(self, interpreter: Interpreter, jobs: int | None = None, time_limit: float = TIME_LIMIT) -> None:
        self.interpreter = interpreter
        self.jobs = jobs or usable_processors()
        self.time_limit = time_limit
        self.lock = threading.Lock()
        self.workers: set[_Worker] = set()
        self.idle: list[_Worker] = []
        self.over = threading.Event()
        self.watch = threading.Thread(target=self.watch_time, name="detpyc-watch", daemon=True)

    def __enter__(self) -> Self:
        self.watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for each in self.idle:
            each.end()
        self.watch.join()

    def byte_compile(
        self, sources: Iterable[Source], levels: Sequence[int], finish: Callable[[int, Outcome], T]
    ) -> list[T]:
        """Byte-compile sources.

        Args:
            sources: what to compile, best the largest first, so that no worker is left alone with a large one at the
                end. They are taken one by one when a worker is free, in a thread of the pool, so that they need not be
                in memory all at once.
            levels: the optimization levels, each 0, 1 or 2.
            finish: called with each source's number and what became of it, in a thread of the pool and in no given
                order, while the worker is at the next one; made for what releases the GIL. An exception that it raises
                ends the whole.

        Returns:
            What ``finish`` returned for each source, in the order of the sources.

        Raises:
            InterpreterError: if the interpreter cannot be started.

        """
        results: dict[int, T] = {}
        numbered = enumerate(sources)
        taking = threading.Lock()

        def take() -> tuple[int, Source] | None:
            with taking:
                return next(numbered, None)

        def work() -> None:
            current: _Worker | None = None
            task = take()
            try:
                while task is not None and not self.over.is_set():
                    index, source = task
                    if current is None:
                        current = self.hire()
                        current.send(source, levels)
                    outcome = current.receive()
                    if self.over.is_set():
                        return
                    task = take()
                    if isinstance(outcome, Failed):
                        current.end()
                        current = None  # the next source gets another
                    elif task is not None:
                        current.send(task[1], levels)  # so that it does not wait until we have finished
                    results[index] = finish(index, outcome)
            finally:
                if current is not None:
                    self.idle.append(current)

        self.run(work)
        return [results[index] for index in range(len(results))]

    def run(self, work: Callable[[], None]) -> None:
        """Run ``work`` in as many threads as there may be workers; the first exception, or an interrupt, ends all."""
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="detpyc") as executor:
            futures = {executor.submit(work) for _ in range(self.jobs)}
            try:
                while futures:
                    # By and by: before 3.14, Ctrl-C on Windows is not heard while the main thread waits.
                    done, futures = wait(futures, _HEARING, FIRST_EXCEPTION)
                    for future in done:
                        future.result()
            except BaseException:
                self.close()  # the executor waits for its threads, and they for their workers
                raise

    def hire(self) -> _Worker:
        """Return a worker that has nothing to do, or a new one."""
        try:
            return self.idle.pop()
        except IndexError:
            worker = _Worker(self.interpreter, self)
            worker.start()
            return worker

    def close(self) -> None:
        """Kill every worker and admit no other."""
        with self.lock:
            self.over.set()
            for each in self.workers:
                each.kill()

    def watch_time(self) -> None:
        """Kill every worker that is past its time, as long as the context lasts."""
        while not self.over.wait(min(0.2, self.time_limit / 4)):
            now = time.monotonic()
            with self.lock:
                for each in self.workers:
                    if each.deadline < now:
                        each.timed_out = True
                        each.kill()


class _Worker:
    """One worker process. It is killed when it is no longer needed, and has nothing to say then."""

    def __init__(self, interpreter: Interpreter, pool: Pool) -> None:
        self.interpreter = interpreter
        self.pool = pool
        self.timed_out = False
        self.deadline = time.monotonic() + START_LIMIT
        self.complaints = _Listener()
        self.levels = 0

    def start(self) -> None:
        """Start the process.

        Raises:
            InterpreterError: if it does not start, or is another than it was.

        """
        with self.pool.lock:
            if self.pool.over.is_set():
                raise InterpreterError(f"{self.interpreter.path}: not started, since the compilation was ended")
            try:
                self.process = subprocess.Popen(
                    command(self.interpreter.path),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self.complaints.end,
                    env=environment(),
                    start_new_session=True,
                )
            except OSError as error:
                raise InterpreterError(f"{self.interpreter.path}: cannot be run: {error.strerror}") from error
            finally:
                self.complaints.start()
            self.pool.workers.add(self)
        try:
            self.greet()
        except BaseException:
            self.end()
            raise
        self.deadline = math.inf

    def end(self) -> None:
        """End the process."""
        with self.pool.lock:
            self.pool.workers.discard(self)
        self.kill()
        # Closes its pipes, and waits for it. What it has not read is lost, which Windows calls an invalid argument.
        with suppress(OSError), self.process:
            pass

    def kill(self) -> None:
        kill(self.process)

    def greet(self) -> None:
        """Hold what the process says it is against what it was started as.

        Raises:
            InterpreterError: if it is another, or does not start.

        """
        answer = self.answer()
        if answer is None:
            raise InterpreterError(f"{self.interpreter.path}: {self.obituary()}")
        try:
            found = described(self.interpreter.path, answer)
        except ValueError as error:
            raise InterpreterError(f"{self.interpreter.path}: is no Python: it did not answer as one") from error
        if found != self.interpreter:
            raise InterpreterError(
                f"{found.path}: was CPython {self.interpreter.release}, is now {found.implementation} {found.release}"
            )

    def send(self, source: Source, levels: Sequence[int]) -> None:
        """Give it a source to compile. What becomes of that, `receive` says."""
        assert self.process.stdin is not None  # noqa: S101 - it was asked for
        self.levels = len(levels)
        self.deadline = time.monotonic() + self.pool.time_limit
        request = [source.path.encode("utf-8", "surrogatepass"), bytes(levels), source.content, *source.pycs]
        with suppress(OSError):  # if it has ended, there is no answer either
            worker.write_frame(self.process.stdin, request)

    def receive(self) -> Outcome:
        """Return what became of the source that was sent. After a `Failed` the worker is of no more use."""
        answer = self.answer()
        self.deadline = math.inf
        if answer is None:
            return Failed(self.obituary())
        with suppress(UnicodeDecodeError):
            match answer:
                case [worker.COMPILED, source_hash, *payloads] if len(payloads) == self.levels:
                    return Compiled(source_hash, tuple(payloads))
                case [worker.REFUSED, error, message]:
                    return Refused(error.decode(), message.decode())
                case [worker.UNFAITHFUL, reason]:
                    return Failed(reason.decode())
        return Failed(f"{self.interpreter.path} gave an answer that makes no sense: {answer!r:.100}")

    def answer(self) -> list[bytes] | None:
        """Read a frame; None if the process has ended instead."""
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        try:
            return worker.read_frame(self.process.stdout)
        except (OSError, EOFError):
            return None

    def obituary(self) -> str:
        """Say how the process ended."""
        if self.timed_out:
            return f"{self.interpreter.path} did not answer in time, and was ended"
        self.kill()  # it may have closed its pipe and live on
        status = self.process.wait()
        cause = f"with signal {_signal_name(-status)}" if status < 0 else f"with status {status}"
        return f"{self.interpreter.path} ended {cause}{indented(self.complaints.heard())}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return str(number)


class _Listener:
    """What a process says on standard error, or the end of it: a pipe that nobody reads could fill up.

    Attributes:
        end: the end of the pipe that is the process's; `start` closes ours.

    """

    def __init__(self) -> None:
        self.ours, self.end = os.pipe()
        self.tail = b""
        self.thread = threading.Thread(target=self.listen, name="detpyc-listener", daemon=True)

    def start(self) -> None:
        """Listen, now that the process has its end."""
        os.close(self.end)
        self.thread.start()

    def listen(self) -> None:
        with open(self.ours, "rb", buffering=0) as stream:  # noqa: PTH123 - it is no path
            while chunk := stream.read(_TAIL):
                self.tail = (self.tail + chunk)[-_TAIL:]

    def heard(self) -> bytes:
        """Return what was said, when the process has ended."""
        self.thread.join(_PATIENCE)
        return self.tail
