"""A pool of threads, with an error for the user if the system cannot start another one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from detpyc.threads import starting

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import ParamSpec

    P = ParamSpec("P")

__all__ = ["Executor"]

T = TypeVar("T")


class Executor(ThreadPoolExecutor):
    """A `ThreadPoolExecutor` that raises DetpycError if a thread cannot be started."""

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run a function in a thread."""
        with starting():
            return super().submit(function, *arguments, **named)
