from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detpyc.artifacts.entries import Entry, Format, Kind
from detpyc.artifacts.packed import Packed
from detpyc.errors import DetpycError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Archive(Packed):
    """Files whose content is their path."""

    format = Format.TAR

    def _chunks(self, entry: Entry) -> Iterator[bytes]:
        yield entry.path.encode()


def link(path: str, target: str) -> Entry:
    return Entry(path, Kind.LINK, target=target)


ENTRIES = [
    Entry("usr/lib/a.py", Kind.FILE, 12),
    Entry("usr/empty", Kind.DIRECTORY),
    link("lib", "usr/lib"),
    link("usr/lib64", "../lib"),
    link("absolute", "/usr/./lib/"),
    link("file", "lib64/../lib/a.py"),
    link("module", "usr/lib64/a.py"),
    link("circle", "usr/circle"),
    link("usr/circle", "../circle"),
    link("itself", "itself/x"),
    link("out", "../lib"),
    link("nowhere", ""),
]


def archive(*, rooted: bool = True) -> Archive:
    return Archive(Path("x.tar"), ENTRIES, rooted=rooted)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("", ""),
        ("usr", "usr"),
        ("usr/lib/a.py", "usr/lib/a.py"),
        ("lib", "usr/lib"),
        ("lib/a.py", "usr/lib/a.py"),
        ("usr/lib64/a.py", "usr/lib/a.py"),
        ("absolute/a.py", "usr/lib/a.py"),
        ("module", "usr/lib/a.py"),
        ("out", "usr/lib"),  # the root is its own parent
        ("usr/empty/..", "usr"),
    ],
)
def test_path_that_leads_somewhere(path: str, real: str) -> None:
    opened = archive()
    for _ in range(2):  # the second time, it is known where links lead
        assert opened.real(path) == real
        found = opened.find(path)
        assert found is not None
        assert found.path == path
        assert found.kind is (Kind.FILE if real.endswith(".py") else Kind.DIRECTORY)


@pytest.mark.parametrize(
    "path", ["x", "circle", "usr/circle", "itself", "nowhere", "file", "lib/a.py/b", "lib/a.py/..", "circle/.."]
)
def test_path_that_leads_nowhere(path: str) -> None:
    opened = archive()
    for _ in range(2):
        assert opened.real(path) == path
        assert opened.find(path) is None
        with pytest.raises(DetpycError):
            opened.read(path, 100)


@pytest.mark.parametrize("path", ["absolute", "out", ".."])
def test_path_that_leads_out(path: str) -> None:
    """An archive that is not a whole file system may be unpacked anywhere."""
    assert archive(rooted=False).find(path) is None


def test_directories_without_entries() -> None:
    assert {
        path: entry.kind for path, entry in archive().entries.items() if entry.kind is Kind.DIRECTORY
    } == dict.fromkeys(["usr", "usr/lib", "usr/empty"], Kind.DIRECTORY)


def test_listing() -> None:
    opened = archive()
    assert [entry.path for entry in opened.listing("usr")] == ["usr/circle", "usr/empty", "usr/lib", "usr/lib64"]
    assert [entry.path for entry in opened.listing("usr/lib64")] == ["usr/lib64/a.py"]
    assert opened.listing("usr/empty") == []
    assert [entry.name for entry in opened.listing("")][-1] == "usr"
    with pytest.raises(DetpycError, match="has no directory x"):
        opened.listing("x")


def test_read() -> None:
    opened = archive()
    assert opened.read("lib/a.py", 12) == opened.read("module", 12) == b"usr/lib/a.py"
    with opened.open_ends("lib/a.py") as stream:
        assert stream.read() == b"usr/lib/a.py"
    assert list(opened.chunks("lib/a.py")) == [b"usr/lib/a.py"]
    with pytest.raises(TooLargeError, match=r"lib/a\.py: has 12 bytes; the limit is 11"):
        opened.read("lib/a.py", 11)
    with pytest.raises(DetpycError, match="usr: not a regular file"):
        opened.read("usr", 100)


def test_long_chains_of_links_take_time_that_is_linear() -> None:
    number = 20_000
    chain = [link(f"{index}", f"{index + 1}") for index in range(number)]
    opened = Archive(Path("x.tar"), [*chain, Entry(f"{number}", Kind.FILE)], rooted=True)
    assert {opened.real(entry.path) for entry in chain} == {f"{number}"}
