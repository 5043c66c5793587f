"""Tar archives and container images, written by `tarfile`, `json` and `hashlib` alone."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Content = bytes | str | tarfile.TarInfo

MTIME = 1_600_000_000
TAR, GZIP = "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST, CONFIG = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def tar(files: Mapping[str, Content] | Iterable[tuple[str, Content]], compression: str = "") -> bytes:
    """Return a tar archive.

    Args:
        files: by path: the content of a file, the target of a link as a string, or a header.
        compression: as in the modes of `tarfile`.

    """
    stream = io.BytesIO()
    pairs = files.items() if hasattr(files, "items") else files
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, content in pairs:
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.name = name
            info.mtime = MTIME
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            elif isinstance(content, bytes):
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    return stream.getvalue()


def header(kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return the header of something that is not a regular file."""
    info = tarfile.TarInfo("x")
    info.type, info.linkname = kind, target
    return info


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(content: bytes) -> str:
    return "blobs/sha256/" + hashlib.sha256(content).hexdigest()


def document(content: object) -> bytes:
    return json.dumps(content).encode()


def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def config(layers: Sequence[bytes], architecture: str = "amd64") -> bytes:
    diff_ids = [digest(gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer) for layer in layers]
    return document({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}})


def manifest(layers: Sequence[bytes], architecture: str = "amd64", media_type: str | None = None) -> dict[str, Any]:
    """Return the manifest of an image; the media types of its layers are right unless one is given."""
    types = [media_type or (GZIP if layer.startswith(b"\x1f\x8b") else TAR) for layer in layers]
    return {
        "schemaVersion": 2,
        "config": descriptor(config(layers, architecture), CONFIG),
        "layers": [descriptor(layer, kind) for layer, kind in zip(layers, types, strict=True)],
    }


def layout(*images: Sequence[bytes], media_type: str | None = None) -> dict[str, bytes]:
    """Return the files of an image layout: of one image, or of some for different platforms."""
    architectures = ("amd64", "arm64", "riscv64")
    files = {"oci-layout": LAYOUT}
    manifests = []
    for layers, architecture in zip(images, architectures, strict=False):
        content = document(manifest(layers, architecture, media_type))
        manifests.append(descriptor(content, MANIFEST))
        files |= {blob(item): item for item in (*layers, config(layers, architecture), content)}
    index = document({"schemaVersion": 2, "manifests": manifests})
    if len(images) > 1:  # as builders for several platforms write it
        files[blob(index)] = index
        index = document({"schemaVersion": 2, "manifests": [descriptor(index, INDEX)]})
    return {**files, "index.json": index}


def docker(layers: Sequence[bytes]) -> dict[str, bytes]:
    """Return the files of an archive by ``docker save``."""
    content = config(layers)
    name = hashlib.sha256(content).hexdigest() + ".json"
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    saved = [{"Config": name, "RepoTags": ["demo:latest"], "Layers": paths}]
    return {**dict(zip(paths, layers, strict=True)), name: content, "manifest.json": document(saved)}


def write_layout(directory: Path, *images: Sequence[bytes]) -> Path:
    return trees.write(directory, layout(*images))
