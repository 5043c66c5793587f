"""What an artifact is follows from its content; a file in one is named after a colon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import images
import trees
import wheels
from detpyc.artifacts.entries import Format
from detpyc.artifacts.opening import open_artifacts, read_located
from detpyc.cli import main
from detpyc.errors import DetpycError
from pycs import HERE, pyc

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"pkg/core.pyc": b"core"}


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    trees.write(tmp_path / "tree", FILES)
    wheels.write(tmp_path / "archive", FILES)
    (tmp_path / "packed").write_bytes(images.tar(FILES, "xz"))
    (tmp_path / "image").write_bytes(images.tar(images.layout([images.tar(FILES)])))
    first, second = images.tar(FILES), images.tar({"pkg/core.pyc": b"arm", "arm.pyc": b"only"})
    images.write_layout(tmp_path / "images", [first], [second])
    return tmp_path


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("tree", [Format.DIRECTORY]),
        ("archive", [Format.ZIP]),
        ("packed", [Format.TAR]),
        ("image", [Format.IMAGE, Format.TAR]),
        ("images", [Format.IMAGE, Format.IMAGE, Format.DIRECTORY]),
    ],
)
def test_formats(name: str, formats: list[Format], artifacts: Path) -> None:
    with open_artifacts(artifacts / name) as found:
        assert [artifact.format for artifact in found] == formats


@pytest.mark.parametrize(
    ("location", "content"),
    [
        *((f"{name}:pkg/core.pyc", b"core") for name in ("tree", "archive", "packed", "image")),
        ("tree/pkg/core.pyc", b"core"),
        ("images:linux/amd64: pkg/core.pyc", b"core"),
        ("images:linux/arm64: pkg/core.pyc", b"arm"),
        ("images:arm.pyc", b"only"),
    ],
)
def test_files_in_artifacts(location: str, content: bytes, artifacts: Path) -> None:
    assert read_located(artifacts / location, 4) == content


@pytest.mark.parametrize(
    ("location", "fault"),
    [
        ("archive:pkg/x.pyc", "archive: has no file pkg/x.pyc"),
        ("images:pkg/core.pyc", "choose from 'linux/amd64: pkg/core.pyc' and 'linux/arm64: pkg/core.pyc'"),
        ("missing:pkg/core.pyc", "missing:pkg/core.pyc: cannot be read: No such file"),
        ("archive:", "cannot be read: No such file"),
        ("tree/pkg/core.pyc:x", "not a wheel, directory, archive"),
    ],
)
def test_files_that_are_missing(location: str, fault: str, artifacts: Path) -> None:
    with pytest.raises(DetpycError, match=fault):
        read_located(artifacts / location, 4)


def test_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.write(tmp_path / "app.pyz", {"core.pyc": pyc()})
    assert main(["inspect", f"{path}:core.pyc"]) == 0
    assert f"magic-number: {HERE.magic_number}" in capsys.readouterr().out
    assert main(["inspect", f"{path}:x.pyc"]) == 2
    assert capsys.readouterr().err == f"detpyc: {path}: has no file x.pyc\n"
