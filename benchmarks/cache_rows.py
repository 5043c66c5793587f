"""The rows of the benchmark for the compile cache: warm against compiling, and what filling it costs."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import uv

from inputs import DETPYC, fresh
from measuring import Command, Row, ratio, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inputs import Inputs

# The goals. Both sides of uv's rows install the wheel, which takes a third of uv's time for Django.
COMPILEALL = {"django": 0.40, "sympy": 0.15}
UV = {"django": 0.6, "sympy": 0.3}


def cache_rows(inputs: Inputs, project: str) -> Iterator[Row]:
    """Yield the rows for one project."""
    wheel = inputs.wheels[project]
    warm = {"DETPYC_CACHE_DIR": str(inputs.directory / f"warm-{project}")}
    ours = inputs.byte_compile(wheel, "--cache", environment=warm)
    timed(ours)
    yield Row("detpyc wheel, cache warm / without a cache", project, 0.30, "", ratio(ours, inputs.byte_compile(wheel)))
    yield from tree_rows(inputs, project, warm)
    yield uv_row(inputs, project, warm)


def tree_rows(inputs: Inputs, project: str, warm: dict[str, str]) -> Iterator[Row]:
    """Yield the rows for byte-compiling a fresh copy of a tree."""
    tree = inputs.tree(f"sources-{project}", project)
    copy = inputs.directory / f"copy-{project}"
    cold = inputs.directory / f"cold-{project}"

    def prepare() -> None:
        fresh(tree, copy)
        shutil.rmtree(cold, ignore_errors=True)

    compiling = [*DETPYC, "compile", "--quiet", "--jobs", "2", str(copy)]
    ours = Command(compiling, prepare, warm)
    theirs = Command([sys.executable, "-m", "compileall", "-q", "-j2", str(copy)], prepare)
    filling = Command(compiling, prepare, {"DETPYC_CACHE_DIR": str(cold)})
    without = Command([*compiling, "--no-cache"], prepare)
    timed(ours)
    name = "detpyc compile, cache warm / compileall -j2"
    yield Row(name, project, COMPILEALL[project], "", ratio(ours, theirs))
    yield Row("detpyc compile, cache cold / --no-cache", project, 1.05, "", ratio(filling, without))


def uv_row(inputs: Inputs, project: str, warm: dict[str, str]) -> Row:
    """Return the row for installing a wheel by uv and then byte-compiling it, or letting uv do both."""
    target = inputs.directory / f"installed-{project}"
    cache = {"UV_CACHE_DIR": str(inputs.directory / "uv-cache"), "UV_NO_CONFIG": "1"}
    options = ["--quiet", "--offline", "--no-deps", "--python", sys.executable, "--target", str(target)]
    installing = [uv.find_uv_bin(), "pip", "install", *options, str(inputs.wheels[project])]

    def prepare() -> None:
        shutil.rmtree(target, ignore_errors=True)

    install = Command(installing, prepare, cache)
    ours = Command([*DETPYC, "compile", "--quiet", "--jobs", "2", str(target)], environment=warm)
    theirs = Command([*installing, "--compile-bytecode"], prepare, cache)
    timed(install)  # so that uv has unpacked the wheel
    timed(ours)
    return Row(
        "uv pip install + detpyc compile, cache warm / uv --compile-bytecode",
        project,
        UV[project],
        "",
        lambda: (timed(install) + timed(ours)) / timed(theirs),
    )
