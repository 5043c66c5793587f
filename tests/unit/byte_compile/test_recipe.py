"""The settings with which a wheel can be made again, from what it records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc import __version__
from detpyc.byte_compile.recipe import Recipe
from detpyc.errors import DetpycError
from detpyc.provenance import FILE_NAME, Bytecode, Provenance
from detpyc.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

NEWER = Bytecode("3.13.0", "cpython-313", 3571, 1, "unchecked-hash")


def wheel(directory: Path, *bytecode: Bytecode, **members: bytes) -> Path:
    """Write a wheel with provenance."""
    dist_info = "demo-1.0.dist-info"
    recorded = {f"{dist_info}/{FILE_NAME}": Provenance(bytecode, "stored", normalized=True).to_json()}
    return wheels.build(directory, {**wheels.MODULES, **recorded, **members})


def test_recipe(tmp_path: Path) -> None:
    shape = ("unchecked-hash", ("demo/",), ("tests/",))
    path = wheel(
        tmp_path,
        *(Bytecode("3.13.0", "cpython-313", 3571, level, *shape) for level in (2, 0)),
        *(Bytecode("3.9.18", "cpython-39", 3425, level, *shape, {"demo/new.py": "no"}) for level in (0, 2)),
    )
    assert Recipe.of(path) == Recipe(
        Settings(("3.9.18", "3.13.0"), (0, 2), *shape, on_syntax_error="skip", compression="stored"),
        normalized=True,
        date=wheels.DATE,
        detpyc=__version__,
        generator="tests",
    )


@pytest.mark.parametrize(
    "other",
    [
        NEWER._replace(release="3.12.1", cache_tag="cpython-312", magic_number=3531, optimize=0),
        NEWER._replace(optimize=0, invalidation_mode="checked-hash"),
        NEWER._replace(optimize=0, include=("demo/",)),
        NEWER._replace(optimize=0, exclude=("demo/",)),
        NEWER._replace(optimize=0, layout="sourceless"),
    ],
)
def test_no_recipe_of_several_runs(other: Bytecode, tmp_path: Path) -> None:
    with pytest.raises(DetpycError, match=r"\.whl: was made by several runs with different settings"):
        Recipe.of(wheel(tmp_path, NEWER, other))


def test_no_recipe_with_wrong_patterns(tmp_path: Path) -> None:
    with pytest.raises(DetpycError, match=r"\.whl: detpyc\.json\.include must be a list of gitignore patterns"):
        Recipe.of(wheel(tmp_path, NEWER._replace(include=("!",))))


def test_no_recipe_without_provenance(tmp_path: Path) -> None:
    with pytest.raises(DetpycError, match=r"\.whl: has no detpyc\.json, which records how a wheel was made"):
        Recipe.of(wheels.build(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "rewritten"),
    [(b"", b"", False), (b"\n", b"\r\n", True), (b"demo/core.py,", b'"demo/core.py",', True)],
    ids=["as detpyc writes it", "other line ends", "quoted"],
)
def test_whether_another_tool_wrote_the_wheel_last(old: bytes, new: bytes, *, rewritten: bool, tmp_path: Path) -> None:
    path = wheel(tmp_path, NEWER)
    contents, record = wheels.read(path), "demo-1.0.dist-info/RECORD"
    assert old in contents[record]
    contents[record] = contents[record].replace(old, new) if old else contents[record]
    assert Recipe.of(wheels.write(path, contents)).rewritten is rewritten
    wheels.write(path, {name: content for name, content in contents.items() if name != record})
    assert Recipe.of(path).rewritten
