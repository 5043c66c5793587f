"""Byte-compile sources in a pool of worker processes."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from detpyc.compilation.outcomes import Compiled, Failed, Outcome, Refused, Source
from detpyc.compilation.worker_process import WorkerProcess
from detpyc.errors import InterpreterError
from detpyc.threads import ThreadGroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from typing_extensions import Self

    from detpyc.compilation.description import Interpreter

__all__ = ["TIME_LIMIT", "Compiled", "Failed", "Outcome", "Pool", "Refused", "Source", "byte_compile"]

TIME_LIMIT = 300.0  # seconds for one source; the largest real ones take a few
_POLL_INTERVAL = 0.2  # seconds between two looks at the deadlines, and at Ctrl-C where it does not end a wait
_WORKERS_PER_PROCESSOR = 4  # more only take memory: compiling takes nothing but processor time

T = TypeVar("T")


def byte_compile(
    interpreter: Interpreter,
    sources: Sequence[Source],
    levels: Sequence[int],
    finish: Callable[[int, Outcome], T],
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
) -> list[T]:
    """Byte-compile sources that are in memory with one interpreter, in any order, as `Pool.byte_compile` does."""
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
    """The workers of one interpreter.

    A context manager. A worker is started when it is first needed, and kept for the next call; leaving the context
    ends all of them.

    Args:
        interpreter: a supported one.
        jobs: how many workers at most; by default one per usable processor. The results do not depend on it.
        time_limit: seconds for one source.

    """

    def __init__(self, interpreter: Interpreter, jobs: int | None = None, time_limit: float = TIME_LIMIT) -> None:
        self.interpreter = interpreter
        processors = usable_processors()
        self.jobs = min(jobs or processors, processors * _WORKERS_PER_PROCESSOR)
        self.time_limit = time_limit
        self.lock = threading.Lock()
        self.workers: set[WorkerProcess] = set()
        self.idle: list[WorkerProcess] = []
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for worker in self.idle:
            worker.end()

    def byte_compile(
        self, sources: Iterable[Source], levels: Sequence[int], finish: Callable[[int, Outcome], T]
    ) -> list[T]:
        """Byte-compile sources.

        Args:
            sources: what to compile, best the largest first, so that no worker is left alone with a large one at the
                end. They are taken one by one when a worker is free, and one in advance, mostly in a thread of the
                pool, so that they need not be in memory all at once.
            levels: the optimization levels, any of 0, 1 and 2.
            finish: called with each source's number and outcome, in a thread of the pool and in any order, while the
                worker compiles the next one; meant for work that releases the GIL. An exception that it raises ends
                the whole.

        Returns:
            What ``finish`` returned for each source, in the order of the sources.

        Raises:
            InterpreterError: if the interpreter cannot be started.
            DetpycError: if no more threads or processes can be started.

        """
        results: dict[int, T] = {}
        tasks = _Tasks(sources)

        def compile_from(first: tuple[int, Source]) -> None:
            """Compile a source, then others until there are no more."""
            worker: WorkerProcess | None = None
            task: tuple[int, Source] | None = first
            try:
                while task is not None and not self.closed.is_set():
                    number, source = task
                    if worker is None:
                        worker = self.acquire()
                        worker.send(source, levels)
                    tasks.prepare()
                    outcome = worker.receive()
                    if self.closed.is_set():
                        return
                    task = tasks.take()
                    if isinstance(outcome, Failed):
                        self.discard(worker)
                        worker = None  # the next source gets another
                    elif task is not None:
                        worker.send(task[1], levels)  # the worker need not wait for `finish`
                    results[number] = finish(number, outcome)
            finally:
                if worker is not None:
                    self.idle.append(worker)

        self.run(compile_from, tasks)
        return [results[number] for number in range(len(results))]

    def run(self, compile_from: Callable[[tuple[int, Source]], None], tasks: _Tasks) -> None:
        """Run a function in threads, as many as there may be workers and are sources.

        The first exception, or an interrupt, ends all of them.
        """
        poll_interval = min(_POLL_INTERVAL, self.time_limit / 4)
        with ThreadGroup("detpyc-pool") as group:
            try:
                while len(group.threads) < self.jobs and (task := tasks.take()) is not None:
                    group.start(partial(compile_from, task))
                # With a timeout also since before 3.14, Ctrl-C on Windows does not end a wait of the main thread.
                while not group.wait(poll_interval):
                    self.check_deadlines()
            except BaseException:
                self.close()  # the group waits for its threads, and they wait for their workers
                raise

    def acquire(self) -> WorkerProcess:
        """Return an idle worker, or start another.

        Raises:
            InterpreterError: if it cannot be started, or is another interpreter than it was.

        """
        try:
            return self.idle.pop()
        except IndexError:
            pass
        with self.lock:
            if self.closed.is_set():
                raise InterpreterError("not started, since the compilation has ended", path=self.interpreter.path)
            worker = WorkerProcess(self.interpreter, self.time_limit)
            self.workers.add(worker)
        try:
            worker.handshake()
        except BaseException:
            self.discard(worker)
            raise
        return worker

    def discard(self, worker: WorkerProcess) -> None:
        """End a worker."""
        with self.lock:
            self.workers.discard(worker)
        worker.end()

    def check_deadlines(self) -> None:
        """Kill every worker whose time is over."""
        now = time.monotonic()
        with self.lock:
            for worker in self.workers:
                worker.check_deadline(now)

    def close(self) -> None:
        """Kill every worker, and start no more."""
        with self.lock:
            self.closed.set()
            for worker in self.workers:
                worker.kill()


class _Tasks:
    """Sources with their numbers, taken one by one by several threads.

    Attributes:
        prepared: the next one if it is in memory already, for whichever worker is free first.

    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.numbered = enumerate(sources)
        self.prepared: tuple[int, Source] | None = None
        self.lock = threading.Lock()

    def prepare(self) -> None:
        """Read the next one while the workers are busy, so that none waits for it."""
        with self.lock:
            if self.prepared is None:
                self.prepared = next(self.numbered, None)

    def take(self) -> tuple[int, Source] | None:
        """Return the next one; None if there are no more."""
        with self.lock:
            task, self.prepared = self.prepared, None
            return task or next(self.numbered, None)
