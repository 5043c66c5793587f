"""The problems of an untrusted wheel, within bounds."""

from __future__ import annotations

from itertools import count

from detpyc.limits import MAX_MESSAGE, MAX_PROBLEMS
from detpyc.wheel.problems import limited


def test_few() -> None:
    assert limited(["b", "a", "b"]) == ("b", "a")
    assert limited([]) == ()


def test_many() -> None:
    assert limited(map(str, range(MAX_PROBLEMS))) == tuple(map(str, range(MAX_PROBLEMS)))
    *first, last = limited(map(str, range(MAX_PROBLEMS + 1)))
    assert (first, last) == (list(map(str, range(MAX_PROBLEMS))), "and more problems")


def test_without_end() -> None:
    assert limited(map(str, count()))[-1] == "and more problems"


def test_long() -> None:
    (problem,) = limited(["x" * 10_000])
    assert problem == "x" * MAX_MESSAGE + "... (10000 characters)"
