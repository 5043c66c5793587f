"""What a row of the benchmark is, and how its figure is measured: the time or the memory of commands."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Row:
    """One row of the table: a figure and its goal.

    Attributes:
        name: what is measured, and relative to what.
        on: the input.
        bar: the goal: the highest value that meets it.
        unit: the figure's unit; empty for a ratio.
        measure: measures the figure once.
        once: measure it in the first round only, as it takes long and hardly varies.

    """

    name: str
    on: str
    bar: float
    unit: str
    measure: Callable[[], float]
    once: bool = False


@dataclass(frozen=True)
class Command:
    """A command to time.

    Attributes:
        arguments: the command.
        prepare: called before each run; its time does not count.
        environment: the variables to set for it, in addition to those of this process.

    """

    arguments: list[str]
    prepare: Callable[[], object] = lambda: None
    environment: Mapping[str, str] | None = None


def timed(command: Command) -> float:
    """Run a command and return its duration in seconds."""
    command.prepare()
    environment = {**os.environ, **(command.environment or {})}
    start = time.perf_counter()
    subprocess.run(command.arguments, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def ratio(a: Command, b: Command) -> Callable[[], float]:
    """Return a function that times two commands, one right after the other, and returns the ratio of the times."""
    return lambda: timed(a) / timed(b)


def difference(a: Command, b: Command) -> Callable[[], float]:
    """Return a function that times two commands, one right after the other, and returns the difference in ms."""
    return lambda: 1000 * (timed(a) - timed(b))


def printed_number(command: list[str]) -> float:
    """Run a command and return the number that it prints."""
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_memory(command: Command) -> float:
    """Run a command and return the peak of the memory of all its processes together, in MB."""
    command.prepare()
    process = psutil.Popen(command.arguments, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_private(running) for running in [process, *_children(process)]))
        time.sleep(0.02)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command.arguments)
    return peak / MEGABYTE


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        children: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return children


def _private(process: psutil.Process) -> int:
    try:
        size: int = process.memory_full_info().uss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
    return size
