"""Threads, with an error for the user if the system cannot start another one.

`concurrent.futures` imports `logging`, which takes longer than byte-compiling some modules.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

__all__ = ["ThreadGroup", "start_thread", "starting"]

_PROBLEM = "cannot start a thread; allow more processes or memory (ulimit -u, ulimit -v)"
_ROOM = 16 << 20  # bytes of address space: the stack of a thread, which mostly has 8 MiB, and what it begins with


class ThreadGroup:
    """Threads that work together.

    A context manager. Leaving it waits until all threads have ended.

    Args:
        name: of each thread.

    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.threads: list[threading.Thread] = []
        self.ended = 0
        self.errors: list[BaseException] = []
        self.changed = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self.threads:
            thread.join()

    def start(self, run: Callable[[], object]) -> None:
        """Run a function in another thread.

        Raises:
            DetpycError: if it cannot be started.

        """
        self.threads.append(start_thread(partial(self._run, run), self.name))

    def _run(self, run: Callable[[], object]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self.errors.append(error)
        with self.changed:
            self.ended += 1
            self.changed.notify()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all threads have ended, or a function has raised an exception, which is raised here.

        Args:
            timeout: in seconds; by default there is none.

        Returns:
            Whether all threads have ended.

        """
        with self.changed:
            self.changed.wait_for(lambda: self.errors or self.ended == len(self.threads), timeout)
            if self.errors:
                raise self.errors[0]
            return self.ended == len(self.threads)


def start_thread(run: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that does not keep the process alive.

    Raises:
        DetpycError: if it cannot be started.

    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    with starting():
        thread.start()
    return thread


@contextmanager
def starting() -> Iterator[None]:
    """Raise DetpycError if the body cannot start a thread.

    There must be memory for it before: if a thread finds none when it begins, it ends, and `threading.Thread.start`
    waits for it forever.
    """
    try:
        mmap.mmap(-1, _ROOM).close()  # not touched, as filling it takes 10 ms
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        raise DetpycError(_PROBLEM) from error
