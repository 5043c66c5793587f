"""Threads, with an error for the user if the system cannot start another one."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import ParamSpec

    P = ParamSpec("P")

__all__ = ["Executor", "start_thread"]

T = TypeVar("T")
_PROBLEM = "cannot start a thread; allow more processes or memory (ulimit -u, ulimit -v)"
_ROOM = 16 << 20  # bytes of address space: the stack of a thread, which mostly has 8 MiB, and what it begins with


class Executor(ThreadPoolExecutor):
    """A `ThreadPoolExecutor` that raises DetpycError if a thread cannot be started."""

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run a function in a thread."""
        try:
            _require_room()
            return super().submit(function, *arguments, **named)
        except (MemoryError, RuntimeError) as error:
            raise DetpycError(_PROBLEM) from error


def start_thread(run: Callable[[], object], name: str) -> threading.Thread:
    """Start a thread that does not keep the process alive.

    Raises:
        DetpycError: if it cannot be started.

    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        _require_room()
        thread.start()
    except (MemoryError, RuntimeError) as error:
        raise DetpycError(_PROBLEM) from error
    return thread


def _require_room() -> None:
    """Raise MemoryError if there is no memory for another thread.

    If a thread finds none when it begins, it ends, and `threading.Thread.start` waits for it forever.
    """
    bytearray(_ROOM)
