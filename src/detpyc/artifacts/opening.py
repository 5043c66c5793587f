"""Open an artifact, whatever its format."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.artifacts.directories import Directory, is_image_layout
from detpyc.artifacts.entries import Format
from detpyc.errors import DetpycError
from detpyc.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.artifacts.entries import Artifact

__all__ = ["open_artifacts", "read_located"]


@contextmanager
def open_artifacts(path: Path, *, whole: bool = False) -> Iterator[tuple[Artifact, ...]]:
    """Open a directory, a ZIP or tar file, an OCI image layout or an archive by ``docker save``.

    What a file is follows from its content. An image comes with what else is in its layout, and with others for other
    platforms.

    Args:
        path: of the artifact.
        whole: whether any file is read, in any order, and not those only that verification needs.

    Raises:
        DetpycError: if it is something else, is damaged or cannot be read, or if programs would read it differently.

    """
    with ExitStack() as stack:
        try:
            artifacts = _open(path, stack, whole=whole)
        except DetpycError as error:
            error.path = error.path or os.fspath(path)
            raise
        yield artifacts


def read_located(path: Path, limit: int) -> bytes:
    """Read a file, on disk or in an archive or an image, as in ``app.zip:package/module.pyc``.

    Args:
        path: of the file; or of the archive, a colon, and the path in it, as `Artifact.shown` returns it.
        limit: its largest size, in bytes.

    Raises:
        DetpycError: if no file or more than one has that name, or it cannot be read.

    """
    location = str(path)
    at = len(location) if path.exists() else location.rfind(":")
    while at > 0:
        outer, name = Path(location[:at]), location[at + 1 :]
        if name and outer.exists():
            return _read_inside(outer, name, limit)
        at = location.rfind(":", 0, at)
    return read_file(path, limit)


def _read_inside(path: Path, name: str, limit: int) -> bytes:
    with open_artifacts(path) as artifacts:
        found = [artifact for artifact in artifacts if artifact.find(_inside(artifact, name)) is not None]
        if not found:
            raise DetpycError(f"has no file {name}", path=path)
        if len(found) > 1:
            shown = " and ".join(repr(artifact.shown(name)) for artifact in found)
            raise DetpycError(f"has several files {name}; choose from {shown}", path=path)
        return found[0].read(_inside(found[0], name), limit)


def _inside(artifact: Artifact, name: str) -> str:
    """Return the path of a file in an artifact by its path as it is shown."""
    if artifact.format is Format.DIRECTORY:
        return f"{artifact.root}/{name}" if artifact.root else name
    return name.removeprefix(artifact.shown(""))


def _open(path: Path, stack: ExitStack, *, whole: bool) -> tuple[Artifact, ...]:
    if path.is_dir() and not is_image_layout(path):
        return (Directory(path),)
    from detpyc.artifacts.archives import open_archive  # noqa: PLC0415 - not needed for most artifacts

    return open_archive(path, stack, whole=whole)
