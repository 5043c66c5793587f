"""Sources from elsewhere: found under the path that they have when installed, whichever directory they are in."""

from __future__ import annotations

import io
import tarfile
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from detpyc.errors import DetpycError
from detpyc.verify.sources import open_sources

if TYPE_CHECKING:
    from pathlib import Path


def make_sdist(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_of_an_sdist_in_either_layout(tmp_path: Path) -> None:
    files = {"p-1/src/p/a.py": b"a", "p-1/p/b.py": b"b", "p-1/README": b"", "p-1/lone.py": b"c"}
    with ExitStack() as stack:
        found = open_sources(make_sdist(tmp_path / "p-1.tar.gz", files), stack)

        assert [found[path]() for path in ("p/a.py", "p/b.py", "lone.py")] == [b"a", b"b", b"c"]


def test_the_top_goes_before_src(tmp_path: Path) -> None:
    sdist = make_sdist(tmp_path / "p-1.tar.gz", {"p-1/src/p/a.py": b"below", "p-1/p/a.py": b"top"})
    with ExitStack() as stack:
        assert open_sources(sdist, stack)["p/a.py"]() == b"top"


def test_any_other_directory_if_there_is_only_one(tmp_path: Path) -> None:
    """Backends can be configured for any directory: maturin's is often ``python``."""
    files = {"p-1/python/p/a.py": b"a", "p-1/x/p/b.py": b"one", "p-1/y/p/b.py": b"other", "p-1/x/y/p/a.txt": b""}
    with ExitStack() as stack:
        found = open_sources(make_sdist(tmp_path / "p-1.tar.gz", files), stack)

        assert found["p/a.py"]() == b"a"
        assert "p/b.py" not in found


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00truncated"])
def test_neither_a_wheel_nor_an_sdist(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p-1.tar.gz"
    path.write_bytes(content)
    with ExitStack() as stack, pytest.raises(DetpycError, match=r"p-1\.tar\.gz: not a source distribution") as caught:
        open_sources(path, stack)
    assert "\n" not in str(caught.value)
