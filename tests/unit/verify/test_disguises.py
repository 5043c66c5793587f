"""Bytecode in files that are not named like it; tests/hostile has such trees and wheels."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.file_names import mapped_name
from detpyc.verify.disguises import disguise, is_bytecode, may_be_run
from pycs import pyc

if TYPE_CHECKING:
    from pathlib import Path


def test_magic_numbers() -> None:
    for number in MAGIC_NUMBERS:
        assert is_bytecode(number.to_bytes(2, "little") + b"\r\n")
        assert not is_bytecode(number.to_bytes(2, "little") + b"\n\r")
    assert is_bytecode(pyc()[:4])
    assert not is_bytecode(b"")
    assert not is_bytecode(b"#!/u")


@pytest.mark.parametrize(
    ("name", "mode", "run"),
    [
        *(("core.py", 0o644, True), ("Core.PYW", 0o644, True), ("core", 0o644, True), ("a.Zip", 0o644, True)),
        *(("core.txt", 0o644, False), ("core.so", 0o755, True)),
    ],
)
def test_what_may_be_run(name: str, mode: int, run: bool, tmp_path: Path) -> None:  # noqa: FBT001
    (tmp_path / name).touch(mode)
    (entry,) = os.scandir(tmp_path)
    assert may_be_run(entry, mapped_name(name)) is run


def test_archive_that_does_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be decided does not pass."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("core.py", "")
    assert disguise("x.zip", stream) is None

    def exhaust(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(zipfile.ZipFile, "namelist", exhaust)
    stream.seek(0)
    assert disguise("x.zip", stream) == "is an archive with pycs, which are not verified"
    stream.seek(0)
    assert disguise("x.txt", stream) is None
