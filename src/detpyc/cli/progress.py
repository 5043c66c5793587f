"""A progress bar: on a terminal, for long work, if rich is installed."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from detpyc.cli.common import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

_DELAY = 0.5  # seconds of work before the bar appears
_INTERVAL = 0.1  # seconds between two times that it is drawn


def _nothing() -> None:
    pass


@contextmanager
def progress(label: object, options: argparse.Namespace) -> Iterator[Callable[[int], Callable[[], None]]]:
    """Show a bar while work is in progress, and erase it at the end.

    Nothing is shown if standard error is not a terminal or too simple a one, with ``--quiet`` or ``--json``, or without
    rich.

    Args:
        label: before the bar.
        options: of the command.

    Yields:
        A function to call with the number of steps; it returns one to call after each step, from any thread.

    """
    if options.quiet or options.json or sys.stderr is None or not sys.stderr.isatty():  # None if it is closed
        yield lambda _: _nothing
        return
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    except ImportError:
        yield lambda _: _nothing
        return
    console = Console(stderr=True)
    if not console.is_interactive:  # some versions of rich print a newline even if the bar is disabled
        yield lambda _: _nothing
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, auto_refresh=False)  # which needs no thread
    drawn = time.monotonic() + _DELAY - _INTERVAL

    def start(steps: int) -> Callable[[], None]:
        task = bar.add_task(printable(label), total=steps)

        def advance() -> None:
            nonlocal drawn
            bar.advance(task)
            now = time.monotonic()
            if now - drawn >= _INTERVAL:
                drawn = now
                bar.start()
                bar.refresh()

        return advance

    try:
        yield start
    finally:
        bar.stop()
