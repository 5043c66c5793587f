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

    from rich.progress import Progress

_DELAY = 0.5  # seconds of work before the bar appears
_INTERVAL = 0.1  # seconds between two times that it is drawn


@contextmanager
def progress(
    label: object, options: argparse.Namespace, *, rate: bool = False
) -> Iterator[Callable[[int], Callable[[], None]]]:
    """Show a bar while work is in progress, and erase it at the end.

    Nothing is shown if standard error is not a terminal or too simple a one, with ``--quiet`` or ``--json``, or without
    rich.

    Args:
        label: before the bar.
        options: of the command.
        rate: show how many steps are done in a second.

    Yields:
        A function to call with the number of steps; it returns one to call after each step, from any thread.

    """
    bar = None if options.quiet or options.json else _bar(rate=rate)
    if bar is None:
        yield lambda _: lambda: None
        return
    drawn = time.monotonic() + _DELAY - _INTERVAL

    def start(steps: int) -> Callable[[], None]:
        task = bar.add_task(printable(label), total=steps, rate="")
        started, done = time.monotonic(), 0

        def advance() -> None:
            nonlocal drawn, done
            now = time.monotonic()
            done += 1
            bar.update(task, advance=1, rate=f"{done / max(now - started, _INTERVAL):.1f}/s")
            if now - drawn >= _INTERVAL:
                drawn = now
                bar.start()
                bar.refresh()

        return advance

    try:
        yield start
    finally:
        bar.stop()


def _bar(*, rate: bool) -> Progress | None:
    """Return a bar on standard error; None if it cannot be shown there."""
    if sys.stderr is None or not sys.stderr.isatty():  # None if it is closed
        return None
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    except ImportError:
        return None
    console = Console(stderr=True)
    if not console.is_interactive:  # some versions of rich print a newline even if the bar is disabled
        return None
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    ]
    if rate:
        columns.append(TextColumn("{task.fields[rate]}", markup=False))
    return Progress(*columns, console=console, transient=True, auto_refresh=False)  # which needs no thread
