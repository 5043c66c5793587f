"""What bytecode an artifact is required to have."""

from __future__ import annotations

import pytest

from detpyc.errors import SettingsError
from detpyc.loading import Loader
from detpyc.verify.requirements import Requirement, unmet

V312 = (3, 12)


@pytest.mark.parametrize(
    ("text", "version", "level"),
    [
        ("cpython-312", (3, 12), 0),
        ("cpython-38:0", (3, 8), 0),
        ("cpython-315:1", (3, 15), 1),
        ("cpython-39:2", (3, 9), 2),
    ],
)
def test_requirement(text: str, version: tuple[int, int], level: int) -> None:
    assert Requirement.parse(text) == Requirement(text, version, level)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (text, "does not begin with a cache tag of CPython 3.8 to 3.15, such as cpython-312")
            for text in ["", "3.12", "cpython-37", "cpython-316", "pypy310", "cpython-3.12", " cpython-312", ":1"]
        ),
        *(
            (f"cpython-312:{level}", "does not end in an optimization level: 0, 1, 2")
            for level in ["", "3", "-1", "01", "opt-1", "0:1", "1 ", "²"]
        ),
    ],
)
def test_malformed_requirement(text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Requirement.parse(text)
    assert str(caught.value) == f"{text!r} {reason}"


def test_long_requirement_is_not_shown_whole() -> None:
    with pytest.raises(SettingsError) as caught:
        Requirement.parse("x" * 1000)
    assert len(str(caught.value)) < 200


A, A1, OTHER = "__pycache__/a.cpython-312.pyc", "__pycache__/a.cpython-312.opt-1.pyc", "__pycache__/a.cpython-311.pyc"


@pytest.mark.parametrize(
    ("sources", "loaders", "expected"),
    [
        (["a.py"], [(A, Loader(V312, 0))], {"cpython-312:1": ("a.py",)}),
        (["a.py"], [(A, Loader(V312, 0)), (A1, Loader(V312, 1))], {}),
        (
            ["a.py", "b.py"],
            [(A, Loader(V312, 0)), (A1, Loader(V312, 1))],
            {"cpython-312": ("b.py",), "cpython-312:1": ("b.py",)},
        ),
        (["a.py"], [(OTHER, Loader((3, 11), 0))], {"cpython-312": ("a.py",), "cpython-312:1": ("a.py",)}),
        ([], [("a.pyc", Loader(V312, None))], {}),  # without sources
        (["b.py"], [("a.pyc", Loader(V312, None))], {"cpython-312": ("b.py",), "cpython-312:1": ("b.py",)}),
        ([], [("a.pyc", Loader((3, 11), None))], {"cpython-312": (), "cpython-312:1": ()}),
        ([], [], {"cpython-312": (), "cpython-312:1": ()}),
    ],
)
def test_unmet(sources: list[str], loaders: list[tuple[str, Loader]], expected: dict[str, tuple[str, ...]]) -> None:
    requirements = [Requirement.parse(text) for text in ("cpython-312", "cpython-312:1")]
    assert dict(unmet(requirements, sources, loaders)) == expected
