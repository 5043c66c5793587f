"""Byte-compile the modules of a wheel."""

from __future__ import annotations

from typing import Any

import pytest

from detpyc.byte_compile import modules
from detpyc.byte_compile.modules import Module, compile_sources
from detpyc.compilation.interpreters import current
from detpyc.compilation.pool import Pool
from detpyc.settings import Settings

KIB = 1 << 10


@pytest.mark.parametrize(
    ("sizes", "levels", "jobs", "expected"),
    [
        ([], (0,), None, 1),
        ([1 * KIB, 62 * KIB], (0,), None, 1),
        ([1 * KIB, 63 * KIB], (0,), None, 2),
        ([32 * KIB], (0, 1, 2), None, 2),
        ([500 * KIB], (0,), None, 3),
        ([500 * KIB], (0,), 1, 1),
        ([1 * KIB], (0,), 8, 8),
    ],
)
def test_small_wheels_start_fewer_workers(
    sizes: list[int], levels: tuple[int, ...], jobs: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int | None] = []

    class Watched(Pool):
        def __init__(self, interpreter: Any, jobs: int | None) -> None:
            started.append(jobs)
            super().__init__(interpreter, 1)

    monkeypatch.setattr(modules, "Pool", Watched)
    monkeypatch.setattr(modules, "usable_processors", lambda: 3)
    sources = [Module(f"m{size}.py", f"m{size}.py", size, lambda: b"x = 1\n") for size in sizes]
    (compiled,) = compile_sources(sources, [current()], Settings(optimize=levels), jobs)
    assert started == [expected]
    assert compiled.pycs.keys() == {source.name for source in sources}
