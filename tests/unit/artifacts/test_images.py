"""Which images there are in a layout or an archive, and what is wrong with some."""

from __future__ import annotations

import gzip
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

import images
import trees
from detpyc.artifacts.entries import Format, Kind
from detpyc.artifacts.opening import open_artifacts
from detpyc.errors import DetpycError
from images import blob, descriptor, digest, document, tar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST: dict[str, images.Content] = {"usr/lib/a.py": b"a", "lib": "usr/lib", "old.py": b"old"}
BASE = tar(FIRST)
MIDDLE = gzip.compress(tar({"usr/lib/b.py": b"b"}), mtime=0)
TOP = tar({".wh.old.py": b"", "new.py": b"new"})
LAYERS = BASE, MIDDLE, TOP
PLAIN = BASE, gzip.decompress(MIDDLE), TOP


def write(path: Path, files: dict[str, bytes], compression: str = "") -> Path:
    path.write_bytes(tar(files, compression))
    return path


def contents(path: Path) -> list[dict[str, tuple[bytes, str | None]]]:
    """Return what is in each image, with the layers; nothing else may be listed."""
    with open_artifacts(path) as artifacts:
        *found, outside = artifacts
        assert outside.format is not Format.IMAGE
        assert [entry.path for entry in outside.listing(outside.root) if entry.kind is Kind.FILE] == []
        return [
            {
                artifact.shown(entry.path): (artifact.read(entry.path, 100), entry.layer)
                for entry in artifact.entries.values()
                if entry.kind is Kind.FILE
            }
            for artifact in found
        ]


def expected(*layers: str) -> dict[str, tuple[bytes, str]]:
    return {"usr/lib/a.py": (b"a", layers[0]), "usr/lib/b.py": (b"b", layers[1]), "new.py": (b"new", layers[2])}


def test_layout_in_a_directory(tmp_path: Path) -> None:
    path = images.write_layout(tmp_path / "oci", LAYERS)
    assert contents(path) == [expected(*map(digest, LAYERS))]


@pytest.mark.parametrize("compression", ["", "gz", "xz"])
def test_layout_in_an_archive(compression: str, tmp_path: Path) -> None:
    path = write(tmp_path / "oci.tar", images.layout(LAYERS), compression)
    assert contents(path) == [expected(*map(digest, LAYERS))]


@pytest.mark.parametrize("compression", ["", "bz2"])
def test_docker_save(compression: str, tmp_path: Path) -> None:
    path = write(tmp_path / "image.tar", images.docker(PLAIN), compression)
    assert contents(path) == [expected("0/layer.tar", "1/layer.tar", "2/layer.tar")]


def test_docker_save_with_links_between_layers(tmp_path: Path) -> None:
    """As Docker wrote layers that occur twice, before version 25."""
    files: dict[str, bytes | str] = {**images.docker([BASE, BASE])}
    path = tmp_path / "image.tar"
    path.write_bytes(tar({**files, "1/layer.tar": "../0/layer.tar"}))
    (found,) = contents(path)
    assert found["old.py"] == (b"old", "1/layer.tar")


def test_both_formats_at_once(tmp_path: Path) -> None:
    """As Docker writes them since version 25; if they do not describe the same image, both are read."""
    files = images.layout(PLAIN)
    saved = {"Config": blob(images.config(PLAIN)), "Layers": [blob(layer) for layer in PLAIN]}
    both = {**files, "manifest.json": document([saved])}
    assert len(contents(write(tmp_path / "same.tar", both))) == 1
    other = images.docker([TOP])
    first, second = contents(write(tmp_path / "other.tar", {**images.layout([BASE]), **other}))
    assert {path.partition(": ")[2] for path in (*first, *second)} == {"usr/lib/a.py", "old.py", "new.py"}


def test_several_platforms(tmp_path: Path) -> None:
    path = write(tmp_path / "oci.tar", images.layout([BASE], [TOP]))
    first, second = contents(path)
    assert set(first) == {"linux/amd64: usr/lib/a.py", "linux/amd64: old.py"}
    assert set(second) == {"linux/arm64: new.py"}


def test_links_begin_at_the_root(tmp_path: Path) -> None:
    files: dict[str, images.Content] = {"usr/lib/a.py": b"a", "app/lib": "/usr/lib"}
    with open_artifacts(images.write_layout(tmp_path / "oci", [tar(files)])) as (image, _):
        assert image.read("app/lib/a.py", 1) == b"a"
        assert image.problems == []


def test_attestations_are_no_images(tmp_path: Path) -> None:
    """As buildx adds them to an index."""
    files = images.layout([BASE])
    statement = b"{}"
    attestation = document(
        {"config": descriptor(b"{}", images.CONFIG), "layers": [descriptor(statement, "application/vnd.in-toto+json")]}
    )
    index = json.loads(files["index.json"])
    index["manifests"].append(descriptor(attestation, images.MANIFEST))
    files |= {"index.json": document(index), blob(attestation): attestation, blob(statement): statement}
    assert len(contents(write(tmp_path / "oci.tar", files))) == 1


def test_what_else_is_in_a_layout(tmp_path: Path) -> None:
    """A directory does not become an image, and nothing else, by three files in it."""
    files = images.layout(LAYERS)
    for path in (
        trees.write(tmp_path / "oci", {**files, "evil.pyc": b""}),
        write(tmp_path / "x", {**files, "evil.pyc": b""}),
    ):
        with open_artifacts(path) as (_, outside):
            assert [entry.name for entry in outside.listing(outside.root) if entry.kind is Kind.FILE] == ["evil.pyc"]


def test_tar_with_some_other_manifest(tmp_path: Path) -> None:
    """As those of web applications and browser extensions."""
    for content in (b"{}", b"[]", b"[1]", b"\xff", b"[" * 10_000):
        with open_artifacts(write(tmp_path / "x.tar", {"manifest.json": content, "a.py": b""})) as (archive,):
            assert archive.format is Format.TAR


def changed(files: dict[str, bytes], **fields: Any) -> dict[str, bytes]:
    """Change the manifest of the only image of a layout."""
    index = json.loads(files["index.json"])
    before = files["blobs/sha256/" + index["manifests"][0]["digest"].partition(":")[2]]
    after = document({**json.loads(before), **fields})
    return {**files, blob(after): after, "index.json": document({"manifests": [descriptor(after, images.MANIFEST)]})}


def typed(media_type: str) -> dict[str, bytes]:
    return images.layout([BASE], media_type=media_type)


def without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path != name}


def saved(**fields: Any) -> dict[str, bytes]:
    files = images.docker([BASE])
    (manifest,) = json.loads(files["manifest.json"])
    return {**files, "manifest.json": document([{**manifest, **fields}])}


LAYOUT = images.layout([BASE])
LONG_S: dict[str, Any] = {"layer\u017f": []}  # in Go, another name for layers
REFUSED: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "missing layer": (lambda: without(LAYOUT, blob(BASE)), f"layer {digest(BASE)}|blobs/sha256/.*: not a regular file"),
    "another layer": (lambda: {**LAYOUT, blob(BASE): TOP}, "does not have the digest"),
    "another config": (lambda: {**LAYOUT, blob(images.config([BASE])): b"{}"}, "does not have the digest"),
    "damaged index": (lambda: {**LAYOUT, "index.json": b"{"}, "index.json: is not a JSON document"),
    "deep index": (lambda: {**LAYOUT, "index.json": b"[" * 100_000}, "index.json: is not a JSON document"),
    "name that occurs twice": (lambda: {**LAYOUT, "index.json": b'{"a": 1, "a": 1}'}, "is not a JSON document"),
    "another letter for s": (
        lambda: changed(LAYOUT, **LONG_S),
        "without 'layers' or with several",
    ),
    "layer that is a pyc": (
        lambda: {**saved(Layers=["core.pyc"]), "core.pyc": BASE},
        "core.pyc: is a part of an image by the manifest, and a pyc by its name",
    ),
    "manifest and index": (lambda: changed(LAYOUT, Manifests=[]), "has a manifest that is an index as well"),
    "no images": (lambda: {**LAYOUT, "index.json": b'{"manifests": []}'}, "has no images"),
    "index in itself": (
        lambda: {
            **LAYOUT,
            "index.json": document({"manifests": [descriptor(b'{"manifests": []}', "")] * 200}),
            blob(b'{"manifests": []}'): b'{"manifests": []}',
        },
        "has more than 100 manifests",
    ),
    "two lists of layers": (lambda: changed(LAYOUT, Layers=[]), "malformed manifest, without 'layers' or with several"),
    "layers in capitals": (
        lambda: {**LAYOUT, "index.json": b'{"Manifests": []}'},
        "malformed manifest, without 'manifests'",
    ),
    "no list": (lambda: changed(LAYOUT, layers="x"), "'layers' is not a list"),
    "no strings": (lambda: changed(LAYOUT, layers=[{"digest": 1}]), "something that is not a string"),
    "bad digest": (lambda: changed(LAYOUT, layers=[{"digest": "sha256:../../x", "mediaType": ""}]), "has the digest"),
    "many layers": (
        lambda: changed(LAYOUT, layers=[descriptor(BASE, images.TAR)] * 1001),
        "has 1001 layers; the limit is 1000",
    ),
    "unknown type": (
        lambda: typed("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
        "has the media type '.*encrypted'",
    ),
    "unknown compression": (
        lambda: typed("application/vnd.oci.image.layer.v1.tar+brotli"),
        r"has the media type '.*\+brotli'",
    ),
    "wrong compression": (lambda: typed(images.GZIP), "is compressed with None, and its media type says gzip"),
    "missing file": (lambda: saved(Layers=["x/layer.tar"]), "x/layer.tar: not a regular file"),
    "layer outside": (lambda: saved(Layers=["../layer.tar"]), "not a regular file"),
    "too few digests": (lambda: saved(Layers=["0/layer.tar"] * 2), "has 1 layers, and manifest.json has 2"),
    "other content": (lambda: {**images.docker([BASE]), "0/layer.tar": TOP}, "does not have the digest"),
    "layer that is no archive": (lambda: images.layout([b"x" * 600]), "not a tar file, or damaged: layer sha256:"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    make, fault = REFUSED[case]
    path = write(tmp_path / "image.tar", make())
    with pytest.raises(DetpycError, match=fault) as caught, open_artifacts(path):
        pass
    assert caught.value.path == str(path)


def test_devices_in_images(tmp_path: Path) -> None:
    files: dict[str, images.Content] = {"dev/null": images.header(tarfile.CHRTYPE), "a.py": b""}
    with open_artifacts(images.write_layout(tmp_path / "oci", [tar(files)])) as (image, _):
        assert image.entries["dev/null"].kind is Kind.OTHER
