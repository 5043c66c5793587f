"""Wheels made as another one says that it was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.cli import main

if TYPE_CHECKING:
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
FILES = {**wheels.MODULES, "demo/new.py": b"def f(:\n", "demo/tests/x.py": b"x = 1\n"}
INFO = "demo-1.0.dist-info"

RECIPES = {
    "plain": ["--on-syntax-error", "skip"],
    "all": [
        *("--optimize", "1", "--optimize", "2", "--invalidation-mode", "unchecked-hash", "--include", "demo/"),
        *("--exclude", "tests/", "--on-syntax-error", "skip", "--compression", "stored", "--normalize-archive"),
    ],
    "sourceless": ["--layout", "sourceless", "--exclude", "new.py", "--compression", "stored"],
}


def copies(directory: Path, number: int) -> list[Path]:
    """Write a wheel several times, in directories of their own."""
    found = []
    for index in range(number):
        (directory / str(index)).mkdir()
        found.append(wheels.build(directory / str(index), FILES))
    return found


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_wheel(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says; and the settings do make another wheel than there would be without."""
    first, second, third = copies(tmp_path, 3)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert main(["wheel", "--quiet", *RECIPES[recipe], str(first)]) == 0
    (made,) = first.parent.iterdir()
    monkeypatch.setenv("DETPYC_OPTIMIZE", "0")
    monkeypatch.setenv("DETPYC_COMPRESSION", "deflated")
    assert main(["wheel", "--quiet", "--like", str(made), str(second)]) == 0
    (again,) = second.parent.iterdir()
    assert again.name == made.name
    assert again.read_bytes() == made.read_bytes()
    assert main(["wheel", "--quiet", "--optimize", "0", "--exclude", "new.py", str(third)]) == 0
    assert third.read_bytes() != made.read_bytes()


@pytest.mark.parametrize(("epoch", "date"), [(None, (2001, 9, 9, 1, 46, 40)), ("1500000000", (2017, 7, 14, 2, 40, 0))])
def test_date(epoch: str | None, date: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other wheel's, unless SOURCE_DATE_EPOCH is set."""
    first, second = copies(tmp_path, 2)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert main(["wheel", "--quiet", *RECIPES["all"], str(first)]) == 0
    if epoch is None:
        monkeypatch.delenv("SOURCE_DATE_EPOCH")
    else:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert main(["wheel", "--quiet", "--like", str(first), str(second)]) == 0
    assert wheels.dates(second) == {date}


def test_a_wheel_like_itself(tmp_path: Path) -> None:
    (path,) = copies(tmp_path, 1)
    assert main(["wheel", "--quiet", *RECIPES["plain"], str(path)]) == 0
    content = path.read_bytes()
    assert main(["wheel", "--quiet", "--like", str(path), str(path)]) == 0
    assert path.read_bytes() == content


def test_normalized_all_the_same(tmp_path: Path) -> None:
    """Normalization is not a setting, and may be requested beside ``--like``."""
    first, second = copies(tmp_path, 2)
    assert main(["wheel", "--quiet", *RECIPES["plain"], str(first)]) == 0
    assert main(["wheel", "--quiet", "--like", str(first), "--normalize-archive", str(second)]) == 0
    assert json.loads(wheels.read(second)[f"{INFO}/detpyc.json"])["archive"]["normalized"] is True


def test_settings_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = copies(tmp_path, 2)
    assert main(["wheel", "--quiet", *RECIPES["plain"], str(first)]) == 0
    content = second.read_bytes()
    options = ["--optimize", "1", "-i", "3.12", "--no-provenance"]
    assert main(["wheel", "--like", str(first), *options, str(second)]) == 2
    assert capsys.readouterr().err == (
        f"detpyc: --like reads the settings from {first}; omit --interpreter, --optimize, --no-provenance\n"
    )
    assert second.read_bytes() == content


def test_wheel_that_does_not_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = copies(tmp_path, 2)
    for path in (first, tmp_path / "missing.whl"):
        assert main(["wheel", "--like", str(path), str(second)]) == 2
        assert capsys.readouterr().err.startswith(f"detpyc: {path}: ")
