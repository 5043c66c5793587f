"""The paths of pycs, compared with ``importlib``."""

from __future__ import annotations

import importlib.util

import pytest

from detpyc.pyc_paths import PycName, is_cached, parse, pyc_name


@pytest.mark.parametrize("source", ["a.py", "pkg/a.py", "/abs/pkg/a.b.py", "pkg/__init__.py", "pkg/opt-1.py"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_as_importlib_has_it(source: str, level: int) -> None:
    pyc = pyc_name(source, "cpython-312", level)
    optimization = str(level) if level else ""
    own = importlib.util.cache_from_source(source, optimization=optimization)
    tag = importlib.util.cache_from_source("x.py", optimization="").split(".")[1]

    assert pyc.replace("cpython-312", tag) == own
    assert parse(pyc) == PycName(source, "cpython-312", optimization)
    assert is_cached(pyc)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.pyc", ("a.py", None, "")),
        ("pkg/a.opt-1.pyc", ("pkg/a.opt-1.py", None, "")),
        ("pkg/__pycache__/a.pyc", ("pkg/a.py", "", "")),
        ("pkg/__pycache__/a.b.cpython-38.pyc", ("pkg/a.b.py", "cpython-38", "")),
        ("__pycache__/a.pypy39.opt-2.pyc", ("a.py", "pypy39", "2")),
        ("__pycache__/a.cpython-312.opt-x.pyc", ("a.py", "cpython-312", "x")),
        ("__pycache__/a.jython-27.pyc", ("a.py", "jython-27", "")),
        ("__pycache__/a.cpython-312-pytest-8.3.4.pyc", ("a.py", "cpython-312-pytest-8.3.4", "")),
        ("__pycache__/.pyc", (".py", "", "")),
        ("__pycache__/a\n.cpython-312.pyc", ("a\n.py", "cpython-312", "")),
    ],
)
def test_parse(path: str, expected: tuple[str, str | None, str]) -> None:
    assert parse(path) == PycName(*expected)


@pytest.mark.parametrize("path", ["a.pyc", "__pycache__/a.py", "__pycache__/sub/a.pyc", "my__pycache__/a.pyc"])
def test_not_cached(path: str) -> None:
    assert not is_cached(path)
