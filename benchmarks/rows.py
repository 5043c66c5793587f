"""The rows of the benchmark: which commands are measured, on which inputs, and the goals."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cache_rows import cache_rows
from detpyc.compilation import interpreters
from detpyc.errors import InterpreterError
from inputs import DETPYC
from measuring import Command, Row, difference, peak_memory, printed_number, ratio, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inputs import Inputs

HERE = Path(__file__).parent
PACKAGE = Path(interpreters.__file__).parents[2]
MANY = (1_000, 32_000)  # modules in the generated wheels


def rows(inputs: Inputs) -> Iterator[Row]:
    """Yield all rows."""
    for project, limit in (("django", 1.8), ("sympy", 1.45)):
        yield from wheel_rows(inputs, project)
        yield limit_row(inputs, project, limit)
    yield limit_row(inputs, "rich", 3.0)
    for project in ("django", "sympy"):
        yield from cache_rows(inputs, project)
    yield from canonicalization_rows(inputs)
    yield from loading_rows(inputs)
    yield normalize_row(inputs)
    yield second_run_row(inputs)
    yield from memory_rows(inputs)
    yield flatness_row(inputs)
    yield from start_rows()


def wheel_rows(inputs: Inputs, project: str) -> Iterator[Row]:
    """Yield the rows that compare `detpyc wheel` and `detpyc verify` with other programs and with each other."""
    wheel = inputs.wheels[project]
    ours = inputs.byte_compile(wheel)
    tree = inputs.tree(f"tree-{project}", project)
    compileall = Command(
        [*(sys.executable, "-m", "compileall", "-q", "-f", "-j2"), *("--invalidation-mode", "checked-hash", str(tree))]
    )
    copy = inputs.directory / "pyc_wheel" / wheel.name

    def prepare() -> None:
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(wheel, copy)

    pyc_wheel = Command([sys.executable, "-m", "pyc_wheel", str(copy)], prepare)
    done = inputs.directory / "verified" / wheel.name
    done.parent.mkdir(exist_ok=True)
    shutil.copy(wheel, done)
    subprocess.run([*DETPYC, "wheel", "--quiet", str(done)], check=True)
    verify = Command([*DETPYC, "verify", "--quiet", "--jobs", "2", str(done)])
    yield Row("detpyc wheel / compileall -j2", project, 1.0, "", ratio(ours, compileall))
    yield Row("detpyc wheel / pyc_wheel", project, 0.4, "", ratio(ours, pyc_wheel))
    yield Row("detpyc verify / detpyc wheel", project, 1.1, "", ratio(verify, ours))


def limit_row(inputs: Inputs, project: str, bar: float) -> Row:
    """Return the row that compares `detpyc wheel` with what no byte-compiler can do without."""
    wheel = inputs.wheels[project]
    limit = Command([sys.executable, str(HERE / "limit.py"), str(wheel), "2"])
    name = "detpyc wheel / compile + dumps in two processes"
    return Row(name, project, bar, "", ratio(inputs.byte_compile(wheel), limit))


def canonicalization_rows(inputs: Inputs) -> Iterator[Row]:
    """Yield the rows that compare canonicalization with compiling."""
    for request, bars in (
        ("3.12", {"django": 0.33, "sympy": 0.20}),
        ("3.14", {"django": 0.20, "sympy": 0.20}),
        ("3.9", {"django": 0.35, "sympy": 0.35}),
    ):
        python = find(request)
        for project, bar in bars.items() if python else ():
            script = [str(HERE / "canonicalization.py"), str(PACKAGE), str(inputs.wheels[project])]
            name = f"canonicalization / compile + dumps, CPython {request}"
            yield Row(name, project, bar, "", partial(printed_number, [python, *script]))


def loading_rows(inputs: Inputs) -> Iterator[Row]:
    """Yield the rows that compare the time in which canonical and other pycs are loaded."""
    for request in ("3.9", "3.11", "3.12", "3.13", "3.14"):
        python = find(request)
        if python:
            ours, theirs = (inputs.tree(f"{kind}-{request}", "django") for kind in ("canonical", "stock"))
            subprocess.run([*DETPYC, "compile", "--quiet", "--interpreter", python, str(ours)], check=True)
            # CPython 3.9 does not compile all of Django's sources; `detpyc compile` skips the same ones.
            subprocess.run([python, "-m", "compileall", "-qq", str(theirs)], check=False)
            name = f"loading canonical / stock pycs, CPython {request}"
            script = [str(HERE / "loading.py"), str(ours), str(theirs)]
            yield Row(name, "django", 1.0, "", partial(printed_number, [python, *script]))


def find(request: str) -> str:
    """Return the path of an interpreter; empty if there is none."""
    try:
        return interpreters.find_interpreter(request).path
    except InterpreterError:
        print(f"CPython {request} not found: skipping its rows", file=sys.stderr)
        return ""


def normalize_row(inputs: Inputs) -> Row:
    """Return the row that compares `detpyc normalize` with marshalparser."""
    source = inputs.directory / "stdlib"
    library = Path(sysconfig.get_path("stdlib"))
    (source / "pycs").mkdir(parents=True)
    for module in sorted(library.glob("*.py"))[:150]:
        shutil.copy(module, source)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(source)], check=True)
    for pyc in source.glob("__pycache__/*.pyc"):
        shutil.copy(pyc, source / "pycs")
    copy = inputs.directory / "normalized"

    def prepare() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source / "pycs", copy)

    ours = Command([*DETPYC, "normalize", "--quiet", str(copy)], prepare)
    pycs = sorted(str(copy / pyc.name) for pyc in (source / "pycs").iterdir())
    theirs = Command([sys.executable, "-m", "marshalparser.marshalparser", "--fix", "--overwrite", *pycs], prepare)
    return Row("detpyc normalize / marshalparser", "150 pycs of the standard library", 0.03, "", ratio(ours, theirs))


def second_run_row(inputs: Inputs) -> Row:
    """Return the row that compares what `detpyc compile` and compileall need if all pycs are up to date."""
    ours_tree, theirs_tree = inputs.tree("second", "sympy", "mpmath"), inputs.tree("second-stock", "sympy", "mpmath")
    ours = Command([*DETPYC, "compile", "--quiet", "--jobs", "2", str(ours_tree)])
    theirs = Command([sys.executable, "-m", "compileall", "-q", str(theirs_tree)])
    subprocess.run(ours.arguments, check=True)
    subprocess.run(theirs.arguments, check=True)
    return Row("detpyc compile / compileall, second run", "sympy + mpmath", 1.5, "", ratio(ours, theirs))


def memory_rows(inputs: Inputs) -> Iterator[Row]:
    """Yield the rows for the memory of `detpyc wheel`."""
    sympy = inputs.byte_compile(inputs.wheels["sympy"])
    many = inputs.byte_compile(inputs.make_wheel(MANY[-1]))
    yield Row("peak memory of detpyc wheel", "sympy", 250, "MB", lambda: peak_memory(sympy), once=True)
    yield Row(
        "peak memory of detpyc wheel / on sympy",
        f"{MANY[-1]} modules",
        2,
        "",
        lambda: peak_memory(many) / peak_memory(sympy),
        once=True,
    )


def flatness_row(inputs: Inputs) -> Row:
    """Return the row that compares the time per module of a large and of a small wheel."""
    few, many = (inputs.byte_compile(inputs.make_wheel(number)) for number in MANY)
    return Row(
        f"time per module, {MANY[-1]} / {MANY[0]} modules",
        "generated modules of one size",
        1.15,
        "",
        lambda: (timed(many) / MANY[-1]) / (timed(few) / MANY[0]),
    )


def start_rows() -> Iterator[Row]:
    """Yield the rows for the time of starting."""
    version = Command([*DETPYC, "--version"])
    yield Row("detpyc --version", "", 60, "ms", lambda: 1000 * timed(version))
    for hook, backend in (("hatch", "hatchling.builders.hooks.plugin.interface"), ("pdm", "pdm.backend")):
        own = Command([sys.executable, "-c", f"import {backend}, detpyc.hooks.{hook}"])
        bare = Command([sys.executable, "-c", f"import {backend}"])
        yield Row(f"importing the {hook} hook, over {backend}", "", 30, "ms", difference(own, bare))
