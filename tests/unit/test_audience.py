"""Who can install a wheel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email
from packaging.specifiers import SpecifierSet

from detpyc.audience import Audience, required_python
from detpyc.errors import WheelError


@pytest.mark.parametrize(
    ("tag", "requires", "expected"),
    [
        ("py3-none-any", None, None),
        ("py2.py3-none-any", ">=3.8", None),
        ("py312-none-any", "", None),
        ("cp312-cp312-win_amd64", ">=3.12,<3.13", None),
        ("cp38-abi3-manylinux_2_17_x86_64", ">=3.12.7", None),
        ("py3-none-any", "==3.12.3", None),
        ("py3-none-any", "!=3.12.0,!=3.12.1", None),
        ("py3-none-any", ">=3.13", "Requires-Python (>=3.13) excludes CPython 3.12"),
        ("py3-none-any", "<3.12", "Requires-Python (<3.12) excludes CPython 3.12"),
        ("py3-none-any", "!=3.12.*", "Requires-Python (!=3.12.*) excludes CPython 3.12"),
        ("py3-none-any", "<4,>=3.12.1000", "Requires-Python (<4,>=3.12.1000) excludes CPython 3.12"),
        ("py3-none-any", "==3.12.0rc1", "Requires-Python (==3.12.0rc1) excludes CPython 3.12"),
        ("py2-none-any", None, "no CPython 3.12 can install a wheel with the tag py2-none-any"),
        ("py313-none-any", None, "no CPython 3.12 can install a wheel with the tag py313-none-any"),
        (
            "cp311-cp311-win_amd64",
            ">=3.11",
            "no CPython 3.12 can install a wheel with the tag cp311-cp311-win_amd64",
        ),
    ],
)
def test_who_can_install_it(tag: str, requires: str | None, expected: str | None) -> None:
    assert Audience(tag, requires).exclusion((3, 12)) == expected


@pytest.mark.parametrize(
    "requires", [">=3.7", ">=3.12", ">=3.12.0", ">=3.12.99", ">=3.13", ">=3.13.0", ">=3.100", ">=3.012"]
)
def test_common_requirement_is_read_as_packaging_does(requires: str) -> None:
    releases = [f"3.12.{patch}" for patch in range(100)]
    allowed = any(SpecifierSet(requires).contains(release) for release in releases)
    assert (Audience("py3-none-any", requires).exclusion((3, 12)) is None) == allowed


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (b"", None),
        (b"Name: x\n\nRequires-Python: >=3.8\n", None),  # in the description
        (b"Name: x\nRequires-Python: >=3.8\n", ">=3.8"),
        (b"Name: x\nRequires-Python: >=3.8, <4\n", "<4,>=3.8"),
        (b"name: x\r\nREQUIRES-PYTHON: >=3.8,\r\n <4\r\n", "<4,>=3.8"),
        (b"Requires-Python:\n", ""),
    ],
)
def test_requires_python(metadata: bytes, expected: str | None) -> None:
    assert required_python(metadata) == expected


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (b"Requires-Python: three\n", "METADATA has the Requires-Python 'three', which is not a list of versions"),
        (
            b"Requires-Python: >=3.8\nRequires-Python: >=3.9\n",
            "METADATA has more than one Requires-Python, or one that is not UTF-8",
        ),
        (b"Requires-Python: \xff\n", "METADATA has more than one Requires-Python, or one that is not UTF-8"),
    ],
)
def test_requires_python_that_cannot_be_read(metadata: bytes, reason: str) -> None:
    with pytest.raises(WheelError) as caught:
        required_python(metadata)
    assert str(caught.value) == reason


def test_long_requires_python_is_not_shown_whole() -> None:
    with pytest.raises(WheelError) as caught:
        required_python(b"Requires-Python: " + b"x" * 10_000)
    assert len(str(caught.value)) < 200


@given(st.binary(max_size=50))
def test_any_metadata(data: bytes) -> None:
    """It is read as `packaging` reads it, or refused."""
    metadata = b"Requires-Python: " + data
    try:
        found = required_python(metadata)
    except WheelError:
        return
    assert (found is None) == ("requires_python" not in parse_email(metadata)[0])
