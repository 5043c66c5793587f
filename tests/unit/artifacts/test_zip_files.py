"""ZIP files that are not wheels; tests/hostile has those that readers disagree on."""

from __future__ import annotations

import time
import zipapp
from typing import TYPE_CHECKING

import pytest

import trees
import wheels
from detpyc.artifacts.compression import Budget
from detpyc.artifacts.entries import Entry, Format, Kind
from detpyc.artifacts.opening import open_artifacts
from detpyc.errors import DetpycError, TooLargeError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"pkg/core.py": b"core", "__main__.py": b"main"}


def read(path: Path) -> dict[str, bytes]:
    with open_artifacts(path) as (archive,):
        assert archive.format is Format.ZIP
        return {name: archive.read(name, 100) for name, entry in archive.entries.items() if entry.kind is Kind.FILE}


def test_entries(tmp_path: Path) -> None:
    path = wheels.write(tmp_path / "x.zip", {"pkg/": b"", **FILES})
    with open_artifacts(path) as (archive,):
        assert archive.entries["pkg"].kind is Kind.DIRECTORY
        mtime = int(time.mktime((*wheels.DATE, -1, -1, -1)))
        assert archive.entries["pkg/core.py"] == Entry("pkg/core.py", Kind.FILE, 4, mtime, 0o664)


def test_zipapp(tmp_path: Path) -> None:
    """Its offsets count from the start of the file."""
    source = trees.write(tmp_path / "source", FILES)
    zipapp.create_archive(source, tmp_path / "app.pyz", "/usr/bin/env python3")
    assert read(tmp_path / "app.pyz") == FILES


def test_program_before_an_archive(tmp_path: Path) -> None:
    """Offsets count from the start of the archive, as of what ``cat`` joins."""
    archive = wheels.write(tmp_path / "x.zip", FILES).read_bytes()
    (tmp_path / "x.pex").write_bytes(b"#!/bin/sh\nexec python3 $0\n" + archive)
    assert read(tmp_path / "x.pex") == FILES


@pytest.mark.parametrize(
    ("before", "fault"),
    [
        (b"MZ", "has 2 bytes before the archive that do not start with #!"),
        (b"#!x\nPK\3\4", "has parts of another archive before it"),
        (b"#!x\n" + bytes(1 << 20), "has 1048580 bytes before the archive; the limit is 1048576"),
    ],
)
@pytest.mark.parametrize("relative", [True, False])
def test_refused_programs(before: bytes, fault: str, relative: bool, tmp_path: Path) -> None:  # noqa: FBT001
    source = trees.write(tmp_path / "source", FILES)
    path = tmp_path / "x.pyz"
    if relative:
        path.write_bytes(before + wheels.write(tmp_path / "x.zip", FILES).read_bytes())
    else:
        path.write_bytes(before)
        with path.open("r+b") as stream:
            stream.seek(len(before))
            zipapp.create_archive(source, stream)
    with pytest.raises(DetpycError, match=fault), open_artifacts(path):
        pass


def test_damaged_member(tmp_path: Path) -> None:
    path = wheels.forge(wheels.write(tmp_path / "x.zip", FILES), "pkg/core.py", crc=1)
    with open_artifacts(path) as (archive,), pytest.raises(DetpycError, match="CRC-32 is wrong"):
        archive.read("pkg/core.py", 100)


def test_much_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read of all members together is limited."""
    path = wheels.write(tmp_path / "x.zip", {"a": bytes(600), "b": bytes(600)})
    monkeypatch.setattr("detpyc.artifacts.zip_files.Budget", lambda: Budget(1000))
    with open_artifacts(path) as (archive,):
        assert archive.read("a", 600) == bytes(600)
        with pytest.raises(TooLargeError, match="has more than 1000 bytes when decompressed"):
            archive.read("b", 600)
