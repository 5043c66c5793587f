"""The names of members."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds import bounded
from detpyc.file_names import mapped_name
from detpyc.limits import MAX_DEPTH, MAX_MEMBERS, MAX_PATH
from detpyc.wheel.member_names import Conflict, conflicts, mapped_path, name_problems


@pytest.mark.parametrize(
    "path", ["demo/core.py", "Demo/CORE.py", "a./b", "a /b", "a/b.", "a/b ", "a:x/b", "\xc9/", "a/"]
)
def test_paths_are_mapped_part_by_part(path: str) -> None:
    assert mapped_path(path) == "/".join(map(mapped_name, path.split("/")))


def test_good_names() -> None:
    names = [
        "demo/",
        "demo/core.py",
        "demo.py",
        "demo/..core.py",
        "demo/core..",
        "a" * MAX_PATH,
        "d/" * 99 + "x",
    ]
    assert name_problems(names) == ()


@pytest.mark.parametrize("parts", [("", "/"), ("a", "/", ".", "\\", "\0", ":")])
def test_whatever_leads_elsewhere_is_a_problem(parts: tuple[str, ...]) -> None:
    """The quick test for what to examine overlooks nothing."""
    for name in map("".join, product(parts, repeat=5)):
        components = name.removesuffix("/").split("/")
        leads_elsewhere = (
            name.startswith("/")
            or not {"\\", "\0"}.isdisjoint(name)
            or name[1:2] == ":"
            or any(not component.rstrip(".") for component in components)
        )
        assert bool(name_problems([name])) == leads_elsewhere, name


@pytest.mark.parametrize("name", ["...", ".../a", "a/.. /b", "a/...", "a/::$DATA", "a/\u200c/b", "\ufeff", " /a"])
def test_parts_that_some_systems_ignore(name: str) -> None:
    assert name_problems([name]) == (f"{name!r}: has a part that some systems ignore",)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("x" * (MAX_PATH + 1), f"{'x' * 100}... (4097 characters): has 4097 characters; the limit is {MAX_PATH}"),
        ("d/" * MAX_DEPTH + "x", f"{'d/' * 50}... (201 characters): has 101 parts; the limit is {MAX_DEPTH}"),
    ],
)
def test_limits(name: str, problem: str) -> None:
    assert name_problems([name]) == (problem,)


def test_conflicts() -> None:
    def found(*names: str) -> list[Conflict]:
        return list(conflicts((mapped_path(name), name) for name in names))

    assert found("a", "b/c", "b/d", "bc", "b.c") == []
    assert found("a/", "a/b", "a/c/", "a/c/d") == []
    assert found("x", "y", "X") == [Conflict("x", "X", "x", inside=False)]
    assert found("b/c/d", "a", "B") == [Conflict("b", "b/c/d", "B", inside=True)]
    assert found("a/", "a/") == [Conflict("a", "a/", "a/", inside=False)]
    assert found("b/", "b") == [Conflict("b", "b", "b/", inside=False)]
    # Characters that sort before the separator do not hide what is in a directory of the name.
    assert found("b", "b b", "b!", "b-c", "b/c") == [Conflict("b", "b/c", "b", inside=True)]


@given(st.lists(st.text("ab/", min_size=1, max_size=6), max_size=8))
def test_conflicts_are_what_a_file_system_would_refuse(names: list[str]) -> None:
    names = [name for name in names if not name.startswith("/") and "//" not in name]
    files = [name for name in names if not name.endswith("/")]
    paths = [name.removesuffix("/") for name in names]
    refused = len(set(paths)) < len(paths) or any(path.startswith(f"{file}/") for file in files for path in paths)
    assert bool(list(conflicts((name, name) for name in names))) == refused


@bounded()
def test_many_deep_names() -> None:
    noise = random.Random(0)  # noqa: S311 - the test must be repeatable
    directories = "/".join(f"{noise.random()}" for _ in range(90))
    names = [f"{number}/{directories}" for number in range(MAX_MEMBERS // 16)]
    assert name_problems(names) == ()
