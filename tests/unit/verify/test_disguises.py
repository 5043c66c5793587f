"""Bytecode in files that are not named like it; tests/hostile has such trees and wheels."""

from __future__ import annotations

import errno
import io
import zipfile

import pytest

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.file_names import mapped_name
from detpyc.verify.disguises import disguise, is_bytecode, may_be_run
from pycs import pyc


def test_magic_numbers() -> None:
    for number in MAGIC_NUMBERS:
        assert is_bytecode(number.to_bytes(2, "little") + b"\r\n")
        assert not is_bytecode(number.to_bytes(2, "little") + b"\n\r")
    assert is_bytecode(pyc()[:4])
    assert not is_bytecode(b"")
    assert not is_bytecode(b"#!/u")


@pytest.mark.parametrize("name", ["core.py", "Core.PYW", "core", "a.Zip", "core.py.", "a.pyzw", "a.exe", "core.pyo"])
def test_what_may_be_run(name: str) -> None:
    assert may_be_run(mapped_name(name))


@pytest.mark.parametrize("name", ["core.txt", "core.so", "METADATA.json"])
def test_what_is_data(name: str) -> None:
    assert not may_be_run(mapped_name(name))


class WithoutEnd(io.BytesIO):
    """A stream as of a file in Linux's ``/proc``."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence:
            raise OSError(errno.EINVAL, "Invalid argument")
        return super().seek(offset)


def test_file_without_an_end() -> None:
    assert disguise("mtab", WithoutEnd(b"proc /proc")) is None
    assert disguise("mtab", WithoutEnd(pyc())) is not None


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
    assert disguise("x.zip", stream) == "is an archive with pycs, which are not verified here; verify it on its own"
