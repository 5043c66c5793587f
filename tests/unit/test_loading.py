"""Which Pythons load which pycs of a wheel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email
from packaging.specifiers import SpecifierSet

from detpyc.bytecode.header import MAGIC_NUMBERS, PycHeader
from detpyc.errors import WheelError
from detpyc.loading import Audience, Loader, PlacedPyc, find_loaders, required_python

MAGIC = {version: number for number, version in MAGIC_NUMBERS.items()}
HASHED = PycHeader(MAGIC[3, 12], "checked-hash", source_hash=bytes(8))
UNCHECKED = PycHeader(MAGIC[3, 12], "unchecked-hash", source_hash=bytes(8))
TIMESTAMP = PycHeader(MAGIC[3, 12], "timestamp", mtime=0, source_size=0)
ANY = Audience("py3-none-any")


def loader(path: str | None, header: PycHeader | None = HASHED, audience: Audience = ANY) -> Loader | str:
    """Return what loads one pyc beside ``pkg/mod.py``, or why nothing does."""
    found = find_loaders([PlacedPyc("name", path, header)], {"pkg/mod.py"}, audience)
    assert found.loaders.keys() | found.never.keys() == {"name"}
    return found.loaders["name"] if "name" in found.loaders else found.never["name"]


@pytest.mark.parametrize(
    ("path", "header", "expected"),
    [
        ("pkg/__pycache__/mod.cpython-312.pyc", HASHED, Loader((3, 12), 0)),
        ("pkg/__pycache__/mod.cpython-312.pyc", UNCHECKED, Loader((3, 12), 0)),
        ("pkg/__pycache__/mod.cpython-312.opt-1.pyc", HASHED, Loader((3, 12), 1)),
        ("pkg/__pycache__/mod.cpython-312.opt-2.pyc", HASHED, Loader((3, 12), 2)),
        ("pkg/other.pyc", HASHED, Loader((3, 12), None)),
        ("pkg/other.pyc", TIMESTAMP, Loader((3, 12), None)),
        ("pkg/mod.pyc", HASHED, "its source is beside it, and is imported in its place"),
        (
            "pkg/__pycache__/mod.cpython-312.pyc",
            TIMESTAMP,
            "its header has the mtime of its source, and installers do not keep that",
        ),
        (
            "pkg/__pycache__/other.cpython-312.pyc",
            HASHED,
            "its source is missing, and without it no pyc in __pycache__ is loaded",
        ),
        ("pkg/__pycache__/mod.cpython-311.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.cpython-312.opt-3.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.cpython-312-pytest-8.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.cpython-312.pyc", None, "it is not a pyc of a supported CPython"),
        (None, HASHED, "it is not installed where modules are imported from"),
    ],
)
def test_what_loads_a_pyc(path: str | None, header: PycHeader | None, expected: Loader | str) -> None:
    assert loader(path, header) == expected


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
    audience = Audience(tag, None if requires is None else SpecifierSet(requires))
    assert audience.exclusion((3, 12)) == expected
    found = loader("pkg/__pycache__/mod.cpython-312.pyc", HASHED, audience)
    assert found == (Loader((3, 12)) if expected is None else expected)


def test_all_that_load_some() -> None:
    names = ["mod.cpython-313.pyc", "mod.cpython-39.opt-2.pyc", "mod.cpython-39.pyc"]
    versions = [(3, 13), (3, 9), (3, 9)]
    pycs = [
        PlacedPyc(name, f"pkg/__pycache__/{name}", PycHeader(MAGIC[version], "checked-hash", source_hash=bytes(8)))
        for name, version in zip(names, versions, strict=True)
    ]
    found = find_loaders(pycs, {"pkg/mod.py"}, ANY)
    assert found.by == ("3.9", "3.9 -OO", "3.13")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (b"", None),
        (b"Name: x\n\nRequires-Python: >=3.8\n", None),  # in the description
        (b"Name: x\nRequires-Python: >=3.8, <4\n", "<4,>=3.8"),
        (b"name: x\r\nREQUIRES-PYTHON: >=3.8,\r\n <4\r\n", "<4,>=3.8"),
        (b"Requires-Python:\n", ""),
    ],
)
def test_requires_python(metadata: bytes, expected: str | None) -> None:
    found = required_python(metadata)
    assert (None if found is None else str(found)) == expected


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
