"""Open an artifact, whatever its format."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from detpyc.artifacts.compression import compression_of, decompressed
from detpyc.artifacts.directories import Directory
from detpyc.artifacts.entries import Format, Kind
from detpyc.artifacts.images import DOCKER, OCI, is_docker_manifest, read_images
from detpyc.artifacts.layers import FileSystem, Store
from detpyc.artifacts.tar_files import Layered
from detpyc.artifacts.zip_files import ZipFile
from detpyc.errors import DetpycError
from detpyc.files import open_regular, read_file
from detpyc.limits import MAX_MANIFEST
from detpyc.tar_headers import MalformedTarError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.artifacts.entries import Artifact
    from detpyc.tar_headers import Seekable

__all__ = ["open_artifacts", "read_located"]

_USTAR = slice(257, 262)
_START = 512  # bytes; a block of a tar file
_ZIP = b"PK"


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
            artifacts = _open(path, stack, Store(whole=whole))
        except MalformedTarError as error:
            raise DetpycError(f"not a tar file, or damaged: {error.reason}", path=path) from error
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
        DetpycError: if there is no such file or more than one, or it cannot be read.

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


def _open(path: Path, stack: ExitStack, store: Store) -> tuple[Artifact, ...]:
    stack.callback(store.close)
    if path.is_dir():
        return _open_directory(path, stack, store)
    stream = stack.enter_context(open_regular(path))
    start = stream.read(_START)
    if compression_of(start) is not None or start[_USTAR] == b"ustar":
        return _open_tar(path, stream, store)
    if start.startswith(_ZIP) or zipfile.is_zipfile(stream):
        return (ZipFile(path, stream),)
    raise DetpycError("not a wheel, directory, archive, container image or .pyc file", path=path)


def _open_directory(path: Path, stack: ExitStack, store: Store) -> tuple[Artifact, ...]:
    directory = Directory(path)
    if not all((path / name).is_file() for name in OCI):
        return (directory,)
    images, used = read_images(path, _Layout(path, stack), store, oci=True, docker=False)
    directory.ignored = {(path / name).as_posix() for name in used}
    return (*images, directory)


def _open_tar(path: Path, stream: BinaryIO, store: Store) -> tuple[Artifact, ...]:
    archive = _read_tar(path, stream, os.fstat(stream.fileno()).st_size, store)
    oci = all(_is_file(archive, name) for name in OCI)
    docker = _is_file(archive, DOCKER) and is_docker_manifest(archive.read(DOCKER, MAX_MANIFEST))
    if not (oci or docker):
        return (archive,)
    content = decompressed(stream, store.budget)
    if content is not stream and not store.whole:  # each layer is read on its own
        archive = _read_tar(path, *store.copy(content), store)
    images, used = read_images(path, archive, store, oci=oci, docker=docker)
    archive.ignored = {archive.real(name) for name in used}
    return (*images, archive)


def _read_tar(path: Path, stream: Seekable, size: int, store: Store) -> Layered:
    files = FileSystem(store)
    files.add_tar(stream, size)
    return Layered(path, files)


def _is_file(archive: Layered, name: str) -> bool:
    entry = archive.find(name)
    return entry is not None and entry.kind is Kind.FILE


class _Layout:
    """The files of an image layout in a directory; see `images.Files`."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack

    def section(self, path: str) -> tuple[BinaryIO, int]:
        """Return a file as a stream, and its size."""
        stream = self._stack.enter_context(open_regular(self._path / path))
        return stream, os.fstat(stream.fileno()).st_size
