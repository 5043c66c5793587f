"""Find the images in an OCI image layout or in an archive by ``docker save``, and lay their layers over each other.

The formats are those of the OCI's image specification ("Image Layout", "Image Index", "Image Manifest") and of Docker's
image specification from 1.2 on. Every image is read, whatever its platform.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from detpyc.artifacts.compression import Section, compression_of, decompressed
from detpyc.artifacts.directories import IMAGE_LAYOUT
from detpyc.artifacts.layers import FileSystem
from detpyc.artifacts.tar_files import Layered
from detpyc.errors import DetpycError, TooLargeError
from detpyc.file_names import mapped_name
from detpyc.limits import MAX_IMAGES, MAX_LAYERS, MAX_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detpyc.artifacts.layers import Store
    from detpyc.tar_headers import Seekable

__all__ = ["DOCKER", "Files", "is_docker_manifest", "read_images"]

DOCKER = "manifest.json"  # which archives by `docker save` have

_CHUNK = 1 << 20  # bytes
_DIGEST = re.compile("(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")
_CONFIG = re.compile("(?:.*/)?([0-9a-f]{64})(?:[.]json)?")  # the name of a config is its digest
_MAX_NESTED = 4  # indexes in each other; most have one
_ATTESTATION = "application/vnd.in-toto+json"
# The compression of a layer by its media type, without what the vendors put before it.
_MEDIA = re.compile(
    r"application/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar)"
    r"(?:[.+](?P<compression>\w+))?"
)
_COMPRESSIONS = {None: None, "gzip": "gzip", "zstd": "Zstandard"}


def is_docker_manifest(content: bytes) -> bool:
    """Return whether a ``manifest.json`` is that of an archive by ``docker save``, sound or not."""
    try:
        images = json.loads(content)
    except (ValueError, RecursionError):
        return False
    # Docker does not heed the letter case of names.
    return isinstance(images, list) and any(
        isinstance(image, dict) and "layers" in map(str.casefold, image) for image in images
    )


class Files(Protocol):
    """The files of a layout."""

    def section(self, path: str) -> tuple[Seekable, int]:
        """Return a file as a stream, and its size.

        Raises:
            DetpycError: if the file does not exist.

        """


class _Layer(NamedTuple):
    """A layer of an image.

    Attributes:
        name: by which it is reported.
        path: of its file.
        digest: of the file; of its decompressed content, if it comes from the image's config.
        media_type: None if it is not known.

    """

    name: str
    path: str
    digest: str | None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class _Image:
    platform: str
    layers: tuple[_Layer, ...]


def read_images(path: Path, files: Files, store: Store, *, oci: bool, docker: bool) -> tuple[list[Layered], set[str]]:
    """Read every image.

    Args:
        path: of the artifact.
        files: that are in it.
        store: for what is needed of compressed layers.
        oci: whether it is an image layout.
        docker: whether it is an archive by ``docker save``; it may be both.

    Returns:
        The images, and the paths of the files that they consist of.

    Raises:
        DetpycError: if a file is missing or malformed, or does not have the digest that it should have.

    """
    layout = _Layout(files)
    found = [*(layout.of_index() if oci else ()), *(layout.of_manifest() if docker else ())]
    # An archive may describe one image in both ways.
    images = list({tuple(layer.path for layer in image.layers): image for image in found}.values())
    if not images:
        raise DetpycError("has no images")
    labels = [image.platform for image in images]
    read = []
    for number, image in enumerate(images):
        label = f"{labels[number]} ({number + 1})" if labels.count(labels[number]) > 1 else labels[number]
        read.append(Layered(path, layout.lay(image, store), image=True, label=label if len(images) > 1 else ""))
    return read, layout.used


class _Layout:
    """The files of a layout, and what is found in them.

    Attributes:
        used: the paths of the files that belong to images.

    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.used: set[str] = set()
        self._checked: set[tuple[str, str]] = set()
        self._manifests = 0

    def of_index(self) -> Iterator[_Image]:
        """Yield the images of an image layout."""
        self.used.update(IMAGE_LAYOUT)
        yield from self._of_document(self._document("index.json"), 0)

    def of_manifest(self) -> Iterator[_Image]:
        """Yield the images in an archive by ``docker save``."""
        images = self._document(DOCKER)
        self.used.add(DOCKER)
        if not isinstance(images, list) or len(images) > MAX_IMAGES:
            raise DetpycError(f"{DOCKER} is malformed, or has more than {MAX_IMAGES} images")
        for image in images:
            config_path = _string(image, "Config")
            digest = _CONFIG.fullmatch(config_path)
            config = self._document(config_path, None if digest is None else f"sha256:{digest[1]}")
            paths = _strings(_list(image, "Layers"))
            digests = _strings(_list(_member(config, "rootfs"), "diff_ids"))
            if len(digests) != len(paths):
                raise DetpycError(f"{config_path} has {len(digests)} layers, and {DOCKER} has {len(paths)}")
            layers = (
                _Layer(path, posixpath.normpath(path), digest) for path, digest in zip(paths, digests, strict=True)
            )
            yield _Image(_platform(config), tuple(layers))

    def _of_document(self, document: object, depth: int) -> Iterator[_Image]:
        """Yield the images of an index or a manifest."""
        self._manifests += 1
        if depth > _MAX_NESTED or self._manifests > MAX_IMAGES:
            raise DetpycError(f"has more than {MAX_IMAGES} manifests, or more than {_MAX_NESTED} levels of them")
        names = {*map(str.casefold, document)} if isinstance(document, dict) else set()
        if "manifests" in names:
            if "layers" in names:  # a runtime takes it for the one or the other
                raise DetpycError("has a manifest that is an index as well")
            for descriptor in _list(document, "manifests"):
                yield from self._of_document(self._described(descriptor), depth + 1)
            return
        layers = tuple(map(_layer, _list(document, "layers")))
        if layers and all(layer.media_type == _ATTESTATION for layer in layers):
            self.used.update(layer.path for layer in layers)  # what is known of another image
            return
        yield _Image(_platform(self._described(_member(document, "config"))), layers)

    def _described(self, descriptor: object) -> object:
        digest = _string(descriptor, "digest")
        return self._document(_blob(digest), digest)

    def _document(self, path: str, digest: str | None = None) -> object:
        """Read a JSON document, and compare it with its digest."""
        stream, size = self._open(path)
        if size > MAX_MANIFEST:
            raise TooLargeError(f"{path}: has {size} bytes; the limit is {MAX_MANIFEST}")
        data = stream.read(size)
        if digest is not None:
            _compare(path, digest, [data])
        try:
            return json.loads(data, object_pairs_hook=_distinct)
        except (ValueError, RecursionError) as error:
            raise DetpycError(f"{path}: is not a JSON document") from error

    def _open(self, path: str) -> tuple[Seekable, int]:
        if mapped_name(path).endswith(".pyc"):  # it would not be judged, and may be both
            raise DetpycError(f"{path}: is a part of an image by the manifest, and a pyc by its name")
        self.used.add(path)
        return self.files.section(path)

    def lay(self, image: _Image, store: Store) -> FileSystem:
        """Lay the layers of an image over each other."""
        if len(image.layers) > MAX_LAYERS:
            raise TooLargeError(f"has {len(image.layers)} layers; the limit is {MAX_LAYERS}")
        files = FileSystem(store)
        for layer in image.layers:
            stream, size = self._open(layer.path)
            try:
                self._check(layer, stream, store)
                files.add_layer(Section(stream, 0, size), size, layer.name)
            except DetpycError as error:
                error.reason = f"layer {layer.name} {error.reason}"
                raise
        return files

    def _check(self, layer: _Layer, stream: Seekable, store: Store) -> None:
        """Compare a layer with its media type and its digest."""
        if layer.media_type is not None:
            media = _MEDIA.fullmatch(layer.media_type)
            if media is None or media["compression"] not in _COMPRESSIONS:
                raise DetpycError(f"has the media type {layer.media_type!r:.100}, which is not supported")
            stream.seek(0)
            actual, named = compression_of(stream.read(8)), _COMPRESSIONS[media["compression"]]
            if actual != named:
                raise DetpycError(f"is compressed with {actual}, and its media type says {named}")
        if layer.digest is not None and (layer.path, layer.digest) not in self._checked:
            content = stream if layer.media_type is not None else decompressed(stream, store.budget)
            _compare("", layer.digest, _chunks(content))
            self._checked.add((layer.path, layer.digest))


def _chunks(stream: Seekable) -> Iterator[bytes]:
    stream.seek(0)
    while chunk := stream.read(_CHUNK):
        yield chunk


def _compare(path: str, digest: str, chunks: Iterator[bytes] | list[bytes]) -> None:
    algorithm, _, expected = digest.partition(":")
    if not _DIGEST.fullmatch(digest):
        raise DetpycError(f"has the digest {digest!r:.100}, which is not supported")
    hasher = hashlib.new(algorithm)
    for chunk in chunks:
        hasher.update(chunk)
    if hasher.hexdigest() != expected:
        raise DetpycError(f"{path}: does not have the digest {digest}".removeprefix(": "))


def _layer(descriptor: object) -> _Layer:
    digest = _string(descriptor, "digest")
    return _Layer(digest, _blob(digest), digest, _string(descriptor, "mediaType"))


def _blob(digest: str) -> str:
    """Return the path of a blob in an image layout."""
    if not _DIGEST.fullmatch(digest):
        raise DetpycError(f"has the digest {digest!r:.100}, which is not supported")
    return "blobs/{}/{}".format(*digest.split(":"))


def _platform(config: object) -> str:
    """Return the platform that a config is for, e.g. ``linux/arm64/v8``."""
    fields = config if isinstance(config, dict) else {}
    return "/".join(str(fields[name])[:20] for name in ("os", "architecture", "variant") if fields.get(name))


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of a JSON document; of a name that occurs twice, programs take the one or the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _member(document: object, name: str) -> object:
    # What is written in Go does not heed the letter case of names, nor that of Unicode's other letters for s and k.
    names = [key for key in document if key.casefold() == name.casefold()] if isinstance(document, dict) else []
    if not isinstance(document, dict) or names != [name]:
        raise DetpycError(f"has a malformed manifest, without {name!r} or with several")
    return document[name]


def _list(document: object, name: str) -> list[object]:
    value = _member(document, name)
    if not isinstance(value, list):
        raise DetpycError(f"has a malformed manifest, whose {name!r} is not a list")
    return value


def _string(document: object, name: str) -> str:
    return _strings([_member(document, name)])[0]


def _strings(values: list[object]) -> list[str]:
    found = [value for value in values if isinstance(value, str)]
    if len(found) < len(values):
        raise DetpycError("has a malformed manifest, with something that is not a string")
    return found
