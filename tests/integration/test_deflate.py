"""Wheels built with another zlib: zlib-ng from PyPI replaces that of another machine."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hatchling.build import build_wheel
from installer.sources import WheelFile
from zlib_ng import zlib_ng

import wheels
from detpyc.cli import main
from projects import add_settings, copy_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "hatch-names"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that builds a project with one of the two, in Hatch and in detpyc."""
    compressors = {"zlib": zlib.compressobj, "zlib-ng": zlib_ng.compressobj}

    def build(with_what: str, *settings: str) -> Path:
        project = copy_project(NAME, tmp_path / with_what)
        for setting in settings:
            add_settings(project, setting)
        monkeypatch.chdir(project)
        used = []

        def compressobj(*arguments: Any) -> object:
            used.append(arguments)
            return compressors[with_what](*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(zlib, "compressobj", compressobj)
            path = project / "dist" / build_wheel(str(project / "dist"))
        assert used
        return path

    return build


def test_stored_wheels_are_one(build: Callable[..., Path]) -> None:
    """Deflated ones differ, although their contents are equal."""
    deflated = [build(compressor) for compressor in ("zlib", "zlib-ng")]
    contents = [wheels.read(path) for path in deflated]
    assert contents[0] == contents[1]
    assert deflated[0].read_bytes() != deflated[1].read_bytes()

    stored = [build(compressor, 'compression = "stored"') for compressor in ("zlib", "zlib-ng")]
    assert stored[0].read_bytes() == stored[1].read_bytes()
    with WheelFile.open(stored[0]) as source:
        source.validate_record()


def test_stored_and_normalized_wheels_are_one(build: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """From a backend without detpyc, at another time."""
    monkeypatch.setenv("DETPYC_DISABLE", "1")
    pair = []
    for compressor, epoch in [("zlib", "1500000000"), ("zlib-ng", "1600000000")]:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        pair.append(build(compressor))
    assert not [name for name in wheels.read(pair[0]) if name.endswith(".pyc")]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for options, same in [
        ([], False),
        (["--normalize-archive"], False),
        (["--compression", "stored"], False),
        (["--compression", "stored", "--normalize-archive"], True),
    ]:
        for wheel in pair:
            results = wheel.parent / "results"
            assert main(["wheel", "--quiet", *options, "--output-dir", str(results), str(wheel)]) == 0
        one, other = (wheel.parent / "results" / wheel.name for wheel in pair)
        assert (one.read_bytes() == other.read_bytes()) is same
    with WheelFile.open(other) as source:
        source.validate_record()
