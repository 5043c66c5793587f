"""Measure detpyc against the programs that it replaces, interleaved, and write the ratios.

Run by ``nox -s bench``. It downloads its inputs with pip, measures every row once in each of a number of rounds, prints
a table of medians, and writes ``results.json`` and ``results.svg`` next to itself. Absolute times depend on the
machine. The ratios, each of two commands run one after the other, depend on it much less.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from detpyc.compilation import interpreters
from detpyc.errors import InterpreterError
from detpyc.wheel.record import RecordEntry, serialize
from drawing import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
PACKAGE = Path(interpreters.__file__).parents[2]
INPUTS = ("Django==5.1.4", "sympy==1.14.0", "mpmath==1.3.0")
PEERS = ("pyc_wheel", "marshalparser")
MANY = (1_000, 32_000)  # modules in the generated wheels
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

    """

    name: str
    on: str
    bar: float
    unit: str
    measure: Callable[[], float]


@dataclass(frozen=True)
class Command:
    """A command to time.

    Attributes:
        arguments: the command.
        prepare: called before each run; its time does not count.

    """

    arguments: list[str]
    prepare: Callable[[], None] = lambda: None


def timed(command: Command) -> float:
    """Run a command and return its duration in seconds."""
    command.prepare()
    start = time.perf_counter()
    subprocess.run(command.arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ratio(a: Command, b: Command) -> Callable[[], float]:
    """Return a function that times two commands, one right after the other, and returns the ratio of the times."""
    return lambda: timed(a) / timed(b)


def printed_number(command: list[str]) -> float:
    """Run a command and return the number that it prints."""
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def difference(a: Command, b: Command) -> Callable[[], float]:
    """Return a function that times two commands, one right after the other, and returns the difference in ms."""
    return lambda: 1000 * (timed(a) - timed(b))


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


def fetch(directory: Path) -> dict[str, Path]:
    """Download the inputs and return the wheels by project."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory), *INPUTS]
    subprocess.run(command, check=True)
    return {wheel.name.partition("-")[0].lower(): wheel for wheel in directory.glob("*.whl")}


def make_wheel(directory: Path, modules: int) -> Path:
    """Write a wheel of many modules, all of the same size."""
    name = f"made{modules}"
    path = directory / f"{name}-1-py3-none-any.whl"
    body = "".join(f"def function_{i}(a, b=({i}, 'text {i}')):\n    return [a, b, {{'key': a}}]\n\n" for i in range(12))
    files = {f"{name}/module_{number:05}.py": f"NUMBER = {number}\n\n{body}" for number in range(modules)}
    info = f"{name}-1.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in files.items():
            archive.writestr(member, text)
            rows.append(RecordEntry.of(member, hashlib.sha256(text.encode()).digest(), len(text.encode())))
        archive.writestr(f"{info}/RECORD", serialize([*rows, RecordEntry(f"{info}/RECORD")]))
    return path


class Bench:
    """The inputs in a working directory, and the rows that use them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.wheels = fetch(directory)
        os.environ["XDG_CACHE_HOME"] = str(directory / "cache")  # not the user's cache
        self.detpyc = [sys.executable, "-m", "detpyc"]

    def rows(self) -> Iterator[Row]:
        """Yield all rows."""
        for project in ("django", "sympy"):
            yield from self.wheel_rows(project)
        yield from self.canonicalization_rows()
        yield self.normalize_row()
        yield self.second_run_row()
        yield from self.memory_rows()
        yield self.flatness_row()
        yield from self.start_rows()

    def wheel(self, wheel: Path) -> Command:
        """Return the command that byte-compiles a fresh copy of a wheel."""
        copy = self.directory / "work" / wheel.name

        def prepare() -> None:
            shutil.rmtree(copy.parent, ignore_errors=True)
            copy.parent.mkdir()
            shutil.copy(wheel, copy)

        return Command([*self.detpyc, "wheel", "--quiet", "--jobs", "2", str(copy)], prepare)

    def tree(self, name: str, *projects: str) -> Path:
        """Unpack wheels into one directory."""
        tree = self.directory / name
        for project in projects:
            with zipfile.ZipFile(self.wheels[project]) as archive:
                archive.extractall(tree)
        return tree

    def wheel_rows(self, project: str) -> Iterator[Row]:
        wheel = self.wheels[project]
        ours = self.wheel(wheel)
        tree = self.tree(f"tree-{project}", project)
        compileall = Command(
            [
                *(sys.executable, "-m", "compileall", "-q", "-f", "-j2"),
                *("--invalidation-mode", "checked-hash", str(tree)),
            ]
        )
        limit = Command([sys.executable, str(HERE / "limit.py"), str(wheel), "2"])
        copy = self.directory / "pyc_wheel" / wheel.name

        def prepare() -> None:
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(wheel, copy)

        pyc_wheel = Command([sys.executable, "-m", "pyc_wheel", str(copy)], prepare)
        done = self.directory / "verified" / wheel.name
        done.parent.mkdir(exist_ok=True)
        shutil.copy(wheel, done)
        subprocess.run([*self.detpyc, "wheel", "--quiet", str(done)], check=True)
        verify = Command([*self.detpyc, "verify", "--quiet", "--jobs", "2", str(done)])
        yield Row("detpyc wheel / compileall -j2", project, 1.0, "", ratio(ours, compileall))
        yield Row("detpyc wheel / compile + dumps in two processes", project, 1.4, "", ratio(ours, limit))
        yield Row("detpyc wheel / pyc_wheel", project, 0.4, "", ratio(ours, pyc_wheel))
        yield Row("detpyc verify / detpyc wheel", project, 1.1, "", ratio(verify, ours))

    def canonicalization_rows(self) -> Iterator[Row]:
        for request, bar in (("3.12", 0.20), ("3.14", 0.20), ("3.9", 0.35)):
            try:
                python = interpreters.find_interpreter(request).path
            except InterpreterError:
                print(f"CPython {request} not found: skipping its rows", file=sys.stderr)
                continue
            for project in ("django", "sympy"):
                script = [str(HERE / "canonicalization.py"), str(PACKAGE), str(self.wheels[project])]
                name = f"canonicalization / compile + dumps, CPython {request}"
                yield Row(name, project, bar, "", partial(printed_number, [python, *script]))

    def normalize_row(self) -> Row:
        source = self.directory / "stdlib"
        library = Path(sysconfig.get_path("stdlib"))
        (source / "pycs").mkdir(parents=True)
        for module in sorted(library.glob("*.py"))[:150]:
            shutil.copy(module, source)
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(source)], check=True)
        for pyc in source.glob("__pycache__/*.pyc"):
            shutil.copy(pyc, source / "pycs")
        copy = self.directory / "normalized"

        def prepare() -> None:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source / "pycs", copy)

        ours = Command([*self.detpyc, "normalize", "--quiet", str(copy)], prepare)
        pycs = sorted(str(copy / pyc.name) for pyc in (source / "pycs").iterdir())
        theirs = Command([sys.executable, "-m", "marshalparser.marshalparser", "--fix", "--overwrite", *pycs], prepare)
        return Row(
            "detpyc normalize / marshalparser", "150 pycs of the standard library", 0.03, "", ratio(ours, theirs)
        )

    def second_run_row(self) -> Row:
        ours_tree, theirs_tree = self.tree("second", "sympy", "mpmath"), self.tree("second-stock", "sympy", "mpmath")
        ours = Command([*self.detpyc, "compile", "--quiet", "--jobs", "2", str(ours_tree)])
        theirs = Command([sys.executable, "-m", "compileall", "-q", str(theirs_tree)])
        subprocess.run(ours.arguments, check=True)
        subprocess.run(theirs.arguments, check=True)
        return Row("detpyc compile / compileall, second run", "sympy + mpmath", 1.5, "", ratio(ours, theirs))

    def memory_rows(self) -> Iterator[Row]:
        sympy = self.wheel(self.wheels["sympy"])
        many = self.wheel(make_wheel(self.directory, MANY[-1]))
        yield Row("peak memory of detpyc wheel", "sympy", 250, "MB", lambda: peak_memory(sympy))
        yield Row(
            "peak memory of detpyc wheel / on sympy",
            f"{MANY[-1]} modules",
            2,
            "",
            lambda: peak_memory(many) / peak_memory(sympy),
        )

    def flatness_row(self) -> Row:
        few, many = (self.wheel(make_wheel(self.directory, number)) for number in MANY)
        return Row(
            f"time per module, {MANY[-1]} / {MANY[0]} modules",
            "generated modules of one size",
            1.15,
            "",
            lambda: (timed(many) / MANY[-1]) / (timed(few) / MANY[0]),
        )

    def start_rows(self) -> Iterator[Row]:
        version = Command([*self.detpyc, "--version"])
        yield Row("detpyc --version", "", 60, "ms", lambda: 1000 * timed(version))
        for hook, backend in (("hatch", "hatchling.builders.hooks.plugin.interface"), ("pdm", "pdm.backend")):
            own = Command([sys.executable, "-c", f"import {backend}, detpyc.hooks.{hook}"])
            bare = Command([sys.executable, "-c", f"import {backend}"])
            yield Row(
                f"importing the {hook} hook, over {backend}",
                "",
                30,
                "ms",
                difference(own, bare),
            )


def main() -> None:
    """Measure all rows, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="detpyc-bench-") as name:
        rows = [row for row in Bench(Path(name)).rows() if options.only in row.name]
        figures: dict[int, list[float]] = {index: [] for index in range(len(rows))}
        for _ in range(options.rounds):
            for index, row in enumerate(rows):
                figures[index].append(row.measure())
    results = [
        {
            "name": row.name,
            "on": row.on,
            "unit": row.unit,
            "bar": row.bar,
            "median": statistics.median(figures[index]),
            "lowest": min(figures[index]),
            "highest": max(figures[index]),
            "rounds": options.rounds,
        }
        for index, row in enumerate(rows)
    ]
    for result in results:
        spread = f"({result['lowest']:.3f} to {result['highest']:.3f})"
        verdict = "met" if result["median"] <= result["bar"] else "MISSED"
        print(
            f"{result['name']:<58} {result['on']:<34} {result['median']:8.3f}"
            f" {spread} {result['unit']:<3} goal {result['bar']:g}: {verdict}"
        )
    document = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "versions": {name: metadata.version(name) for name in ("detpyc", *PEERS)},
        "inputs": list(INPUTS),
        "results": results,
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (HERE / "results.svg").write_text(draw(document), encoding="utf-8")


if __name__ == "__main__":
    main()
