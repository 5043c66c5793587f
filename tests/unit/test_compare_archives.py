"""The differences between archives, images and directories."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

import images
import trees
import wheels
from detpyc.compare import compare_artifacts
from detpyc.errors import DetpycError
from pycs import PYC, pyc

if TYPE_CHECKING:
    from pathlib import Path


def test_archives_and_images(tmp_path: Path) -> None:
    """Whatever they are, only the contents count."""
    files: dict[str, images.Content] = {
        "pkg/core.py": b"x = 1\n",
        "pkg/link": "core.py",
        "pkg/data": bytes(9),
        PYC: pyc(),
    }
    changed = {**files, "pkg/core.py": b"x = 2\n", "pkg/link": "data", "new": b"", PYC: pyc(b"x = 1000\n")}
    paths = [tmp_path / name for name in ("a.tar", "a.tar.gz", "oci.tar")]
    paths[0].write_bytes(images.tar(files))
    paths[1].write_bytes(images.tar(reversed(files.items()), "gz"))
    paths[2].write_bytes(images.tar(images.layout([gzip.compress(images.tar(files), mtime=0)])))
    (tmp_path / "b.tar.xz").write_bytes(images.tar(changed, "xz"))
    for path in paths:
        assert compare_artifacts(paths[0], path).same
        found = compare_artifacts(path, tmp_path / "b.tar.xz")
        assert (found.only_a, found.only_b) == ((), ("new",))
        assert {
            name: {difference.kind for difference in item} - {"encoding"} for name, item in found.changed.items()
        } == {
            "pkg/core.py": {"content"},
            "pkg/link": {"content"},
            PYC: {"header", "code"},
        }


def test_zip_and_directory(tmp_path: Path) -> None:
    files = {"pkg/core.py": b"x = 1\n", "main": b""}
    directory = trees.write(tmp_path / "a", files)
    archive = wheels.write(tmp_path / "a.zip", files)
    assert compare_artifacts(directory, archive).same
    (directory / "pkg/core.py").write_bytes(b"x = 2\n")
    (difference,) = compare_artifacts(archive, directory).changed["pkg/core.py"]
    assert str(difference) == "content from byte 4 on: b'1\\n' against b'2\\n'"


def test_several_images(tmp_path: Path) -> None:
    layer = images.tar({"a": b""})
    images.write_layout(tmp_path / "one", [layer])
    images.write_layout(tmp_path / "two", [layer], [layer, layer])
    with pytest.raises(DetpycError, match="two: has 2 images, and only one can be compared"):
        compare_artifacts(tmp_path / "one", tmp_path / "two")
