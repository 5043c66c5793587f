"""A tar file or an image as an artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.artifacts.compression import Section
from detpyc.artifacts.entries import Format
from detpyc.artifacts.packed import Packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detpyc.artifacts.entries import Entry
    from detpyc.artifacts.layers import FileSystem

__all__ = ["Layered"]


class Layered(Packed):
    """The files in a tar file, or in the layers of an image."""

    def __init__(self, path: Path, files: FileSystem, *, image: bool = False, label: str = "") -> None:
        """Arrange what was read.

        Args:
            path: of the artifact.
            files: all of them.
            image: whether it is an image, and not a tar file.
            label: what distinguishes it from others in the same artifact.

        """
        self.format = Format.IMAGE if image else Format.TAR
        self._label = label
        found = dict(files.entries())
        self._places = {entry.path: place for entry, place in found.items() if place is not None}
        super().__init__(path, found, files.problems, rooted=image)

    def shown(self, path: str) -> str:
        """Return a path as it is reported: with the label."""
        return f"{self._label}: {path}" if self._label else path

    def section(self, path: str) -> tuple[Section, int]:
        """Return a file as a stream of its own, and its size.

        Raises:
            DetpycError: if the file does not exist.

        """
        place = self._places[self._file(path).path]
        return Section(place.stream, place.offset, place.size), place.size

    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        return self._places[entry.path].chunks()

    def _ends(self, entry: Entry) -> bytes:
        return self._places[entry.path].first_and_last()
