"""Names that some systems or unpackers take for one file."""

from __future__ import annotations

import pytest

from detpyc.file_names import is_short_name, mapped_name


@pytest.mark.parametrize(
    "name",
    [
        "__PYCACHE__",
        "__PyCache__",
        "__pycache__.",
        "__pycache__. . ",
        "__pycache__ ",
        "__pycache__::$DATA",
        "__pycache__::$INDEX_ALLOCATION",
        "__pycache__:$I30:$INDEX_ALLOCATION",
        "__pycache__::$Data ",
        "__py\u200ccache__",
        "\ufeff__pycache__",
        "__pycache__\u2060"[:-1] + "\u206a",
        "__pycache__\xad",
        "__pycache__\U000e0001",
        "\x01__pycache__",
        "__pycache__\x7f",
        "?_pycache__",
        "__pycache_:",
        "__pycache__;1",
        "__pycache__;",
    ],
)
def test_cache_by_other_names(name: str) -> None:
    assert name != "__pycache__"
    assert mapped_name(name) == "__pycache__"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("caf\xe9.py", "cafe\u0301.py"),
        ("STRASSE.py", "stra\xdfe.py"),
        ("\u212bngstr\xf6m.py", "\xe5ngstro\u0308m.py"),
        ("\u0130.py", "i\u0307.py"),
        ("\u03a3.py", "\u03c2.py"),
        ("\u0131.py", "I.py"),
        ("a:b.py", "a_b.py"),
        ("caf\xe9.py;12", "cafe\u0301.py"),
    ],
)
def test_twins(name: str, other: str) -> None:
    assert mapped_name(name) == mapped_name(other)


@pytest.mark.parametrize("name", ["core.py", "core.pyi", "core.cpython-312.pyc", "a b", ".hidden", "x;y", "x;1y"])
def test_other_names_stay(name: str) -> None:
    assert mapped_name(name) == name


@pytest.mark.parametrize("name", ["CORE_L~1.PY", "core_l~1.pyc", "__PYCA~1", "A~12", "AB1C~1.PY", "core_l~1.py."])
def test_short_names(name: str) -> None:
    assert is_short_name(name)


@pytest.mark.parametrize("name", ["core.py~", "~1", "a_long_name~1.py", "core.~1~", "core~1.toml", "a~b.py"])
def test_names_that_are_not_short_ones(name: str) -> None:
    assert not is_short_name(name)
