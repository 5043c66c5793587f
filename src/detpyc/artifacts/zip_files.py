"""A ZIP file as an artifact: what is deployed to AWS Lambda, a zipapp, a PEX, an egg, or any other.

A zipapp begins with a line for the system (``#!``) or with a shell script, then comes the archive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from detpyc.artifacts.compression import Budget
from detpyc.artifacts.entries import Entry, Format, Kind
from detpyc.artifacts.packed import Packed
from detpyc.wheel.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detpyc.wheel.zip_format import Member

__all__ = ["ZipFile"]

_MODE = 0o777
_ZIP64_SINCE = (3, 13)  # the first CPython whose zipimport reads ZIP64 records


class ZipFile(Packed):
    """A ZIP file in which every reader finds the same members."""

    format = Format.ZIP

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        """Read the directory of the archive.

        Args:
            path: of the file.
            stream: its bytes; it must stay open while the artifact is used.

        Raises:
            WheelError: if it is damaged, or readers would not find the same members; see `Archive`.

        """
        self._archive = Archive(stream, zipapp=True)
        self._budget = Budget()
        if self._archive.zip64:
            self.imported_since = _ZIP64_SINCE
        super().__init__(path, map(_entry, self._archive.members.values()), rooted=False)

    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        for chunk in self._archive.chunks(entry.path):
            self._budget.spend(len(chunk))
            yield chunk


def _entry(member: Member) -> Entry:
    kind = Kind.DIRECTORY if member.is_directory else Kind.FILE
    mode = member.external_attributes >> 16 & _MODE
    name = member.name.removesuffix("/")
    return Entry(name, kind, member.size, member.local_mtime, mode, unpacked_mtime=member.mtime)
