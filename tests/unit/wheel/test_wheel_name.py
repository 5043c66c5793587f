"""The names of wheels' files."""

from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename

from detpyc.errors import WheelError
from detpyc.wheel.wheel_name import normalized, parse_name


@pytest.mark.parametrize(
    "name",
    [
        "rich-15.0.0-py3-none-any.whl",
        "Foo.bar_Baz2-0-py2.py3-none-any.whl",
        "numpy-2024.10.1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "a-1.0-cp39-abi3-win_amd64.whl",
        "a-01.0-py3-none-any.whl",
        "a-1.0rc1-py3-none-any.whl",
        "a-1.0+local.1-py3-none-any.whl",
        "a-1!1.0.post1-py3-none-any.whl",
        "a-1.0-1build-py3-none-any.whl",
        "a_-1.0-PY3-none-any.whl",
    ],
)
def test_name_and_version_are_those_of_packaging(name: str) -> None:
    project, version, _, _ = parse_wheel_filename(name)
    assert parse_name(name) == (project, str(version))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a.whl",
        "a-1.0-py3-none-any.zip",
        "a-1.0-py3-none-any.whl\n",
        "a-1.0-py3-any.whl",
        "a-1.0-x-py3-none-any.whl",
        "-1.0-py3-none-any.whl",
        "a__b-1.0-py3-none-any.whl",
        "a-one-py3-none-any.whl",
        "a-1.-py3-none-any.whl",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(WheelError, match="its name is not a wheel's: "):
        parse_name(name)


@pytest.mark.parametrize("name", ["rich", "Foo.Bar", "a-_.b", "__a..B", "\u00c4_\u0130"])
def test_normalized_name_is_that_of_packaging(name: str) -> None:
    assert normalized(name) == canonicalize_name(name)
