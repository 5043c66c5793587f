"""Open ZIP and tar files and images; what this takes is not loaded for directories and wheels."""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, BinaryIO

from detpyc.artifacts.compression import compression_of, decompressed
from detpyc.artifacts.directories import IMAGE_LAYOUT, Directory
from detpyc.artifacts.images import DOCKER, is_docker_manifest, read_images
from detpyc.artifacts.layers import FileSystem, Store
from detpyc.artifacts.tar_files import Layered
from detpyc.artifacts.zip_files import ZipFile
from detpyc.errors import DetpycError
from detpyc.files import open_regular
from detpyc.limits import MAX_MANIFEST
from detpyc.tar_headers import MalformedTarError

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from detpyc.artifacts.entries import Artifact
    from detpyc.tar_headers import Seekable

__all__ = ["open_archive"]

_USTAR = slice(257, 262)
_START = 512  # bytes; a block of a tar file
_ZIP = b"PK"


def open_archive(path: Path, stack: ExitStack, *, whole: bool) -> tuple[Artifact, ...]:
    """Open a ZIP or tar file, an OCI image layout or an archive by ``docker save``; see `open_artifacts`.

    Args:
        path: of the artifact.
        stack: closes it.
        whole: whether any file is read, in any order.

    Raises:
        DetpycError: if it is something else, is damaged or cannot be read, or if programs would read it differently.

    """
    store = Store(whole=whole)
    stack.callback(store.close)
    try:
        return _open(path, stack, store)
    except MalformedTarError as error:
        raise DetpycError(f"not a tar file, or damaged: {error.reason}", path=path) from error


def _open(path: Path, stack: ExitStack, store: Store) -> tuple[Artifact, ...]:
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
    images, used = read_images(path, _Layout(path, stack), store, oci=True, docker=False)
    directory.ignored = {(path / name).as_posix() for name in used}
    return (*images, directory)


def _open_tar(path: Path, stream: BinaryIO, store: Store) -> tuple[Artifact, ...]:
    archive = _read_tar(path, stream, os.fstat(stream.fileno()).st_size, store)
    oci = all(archive.is_file(name) for name in IMAGE_LAYOUT)
    docker = archive.is_file(DOCKER) and is_docker_manifest(archive.read(DOCKER, MAX_MANIFEST))
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


class _Layout:
    """The files of an image layout in a directory; see `images.Files`."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack

    def section(self, path: str) -> tuple[BinaryIO, int]:
        """Return a file as a stream, and its size."""
        stream = self._stack.enter_context(open_regular(self._path / path))
        return stream, os.fstat(stream.fileno()).st_size
