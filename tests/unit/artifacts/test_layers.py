"""What is seen of layers that lie over each other, and of tar files, which have one."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

import images
from detpyc.artifacts import layers
from detpyc.artifacts.entries import Entry, Kind
from detpyc.artifacts.layers import FileSystem, Store
from detpyc.errors import DetpycError, TooLargeError
from images import Content, header, tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.close()


def laid(store: Store, *contents: dict[str, Content], compression: str = "") -> FileSystem:
    files = FileSystem(store)
    for number, content in enumerate(contents):
        data = tar(content, compression)
        files.add_layer(io.BytesIO(data), len(data), f"layer {number}")
    return files


def seen(files: FileSystem) -> dict[str, tuple[str | bytes, str | None]]:
    """Return the content of files, the target of links, with the layer that it comes from."""
    return {
        entry.path: (b"".join(place.chunks()) if place is not None else entry.target, entry.layer)
        for entry, place in files.entries()
        if entry.kind is not Kind.DIRECTORY
    }


def test_later_layers_replace(store: Store) -> None:
    lower: dict[str, Content] = {"a": b"0", "b": b"0", "d/e": b"0", "f/g/h": b"0", "l": "a"}
    upper: dict[str, Content] = {
        "a": b"1",
        "d": b"1",
        "f": header(tarfile.DIRTYPE),
        "f/i": b"1",
        "l": header(tarfile.DIRTYPE),
    }
    files = laid(store, lower, upper)
    assert seen(files) == {
        "a": (b"1", "layer 1"),
        "b": (b"0", "layer 0"),
        "d": (b"1", "layer 1"),
        "f/g/h": (b"0", "layer 0"),
        "f/i": (b"1", "layer 1"),
    }
    assert files.problems == []


def test_whiteouts(store: Store) -> None:
    """They hide what is in lower layers, wherever they are in their own."""
    lower: dict[str, Content] = {"a": b"0", "d/e": b"0", "d/f": b"0", "g/h": b"0", "g/i": b"0"}
    upper: dict[str, Content] = {
        "a": b"1",
        ".wh.a": b"",
        "g/h": b"1",
        "g/.wh..wh..opq": b"",
        "d/.wh.e": b"",
        ".wh..wh.plnk": b"",
    }
    files = laid(store, lower, upper, {".wh.d": b""})
    assert seen(files) == {"a": (b"1", "layer 1"), "g/h": (b"1", "layer 1")}
    assert files.problems == []


@pytest.mark.parametrize("whiteout", [".wh.x", "d/.wh.x", "a/.wh.x", "l/.wh.e", "x/.wh..wh..opq"])
def test_whiteouts_of_nothing(whiteout: str, store: Store) -> None:
    lower: dict[str, Content] = {"a": b"0", "d/e": b"0", "l": "d"}
    files = laid(store, lower, {whiteout: b""})
    assert files.problems == [f"{whiteout}: is a whiteout of nothing, in layer layer 1"]
    assert set(seen(files)) == {"a", "d/e", "l"}


@pytest.mark.parametrize("whiteout", [".wh.", "d/.wh...", ".wh.."])
def test_unsafe_whiteouts(whiteout: str, store: Store) -> None:
    with pytest.raises(DetpycError, match="has the unsafe whiteout"):
        laid(store, {"d/e": b"0"}, {whiteout: b""})


@pytest.mark.parametrize(
    ("upper", "problem"),
    [
        ({"l/x": b""}, "l/x: is below a file or a link, which programs unpack differently"),
        ({"a/x": b""}, "a/x: is below a file or a link, which programs unpack differently"),
        ({"h": header(tarfile.LNKTYPE, "x")}, "h: is a hard link to x, which is not a file before it"),
        ({"h": header(tarfile.LNKTYPE, "l")}, "h: is a hard link to l, which is not a file before it"),
    ],
)
def test_what_programs_unpack_differently(upper: dict[str, Content], problem: str, store: Store) -> None:
    files = laid(store, {"a": b"0", "d/e": b"0", "l": "d"}, upper)
    assert files.problems == [problem]
    assert set(seen(files)) == {"a", "d/e", "l"}


def test_duplicates(store: Store) -> None:
    data = tar([("a", b"0"), ("d", header(tarfile.DIRTYPE)), ("d", header(tarfile.DIRTYPE)), ("./a", b"1")])
    files = FileSystem(store)
    files.add_tar(io.BytesIO(data), len(data))
    assert files.problems == ["a: occurs twice"]
    assert seen(files) == {"a": (b"1", None)}


def test_directory_in_place_of_a_file(store: Store) -> None:
    """Python's `tarfile` leaves the file before 3.12."""
    data = tar([("a.pyc", b"0"), ("a.pyc", header(tarfile.DIRTYPE)), ("a.pyc", header(tarfile.DIRTYPE))])
    files = FileSystem(store)
    files.add_tar(io.BytesIO(data), len(data))
    assert files.problems == ["a.pyc: occurs twice"]


def test_hard_links(store: Store) -> None:
    files = laid(store, {"a.py": b"0"}, {"b.py": header(tarfile.LNKTYPE, "./a.py")}, compression="gz")
    assert seen(files) == {"a.py": (b"0", "layer 0"), "b.py": (b"0", "layer 1")}


def test_entries(store: Store) -> None:
    script = tarfile.TarInfo("x")
    script.mode, script.size = 0o755, 0
    contents: dict[str, Content] = {
        "bin/run": script,
        "null": header(tarfile.CHRTYPE),
        "l": "bin/run",
        "./": header(tarfile.DIRTYPE),
    }
    found = dict(laid(store, contents).entries())
    run = Entry("bin/run", Kind.FILE, 0, images.MTIME, 0o755, layer="layer 0")
    assert found.keys() == {run, *(entry for entry in found if entry.kind is not Kind.FILE)}
    assert {entry.path: entry.kind for entry in found} == {
        "bin": Kind.DIRECTORY,
        "bin/run": Kind.FILE,
        "null": Kind.OTHER,
        "l": Kind.LINK,
    }


def test_times_with_fractions(store: Store) -> None:
    """Extended headers have them; the import system compares whole seconds."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.py")
        info.mtime = 1_600_000_000.75
        archive.addfile(info)
    files = FileSystem(store)
    files.add_tar(stream, len(stream.getvalue()))
    assert [entry.mtime for entry, _ in files.entries()] == [1_600_000_000]


@pytest.mark.parametrize("compression", ["", "gz"])
def test_what_is_kept(compression: str, store: Store) -> None:
    """Of large files that are not modules, the ends are, if Python could run them."""
    large = bytes(3 << 20)
    contents: dict[str, Content] = {
        "a.py": b"source",
        "run": b"\xa7\r\r\n" + large,
        "archive": b"head" + large + b"PK\5\6" + bytes(18),
        "data": b"head" + large + b"tail",
    }
    places = {entry.path: place for entry, place in laid(store, contents, compression=compression).entries()}
    ends = {path: place.first_and_last() for path, place in places.items() if place is not None}
    assert ends["a.py"] == b"source"
    assert ends["run"].startswith(b"\xa7\r\r\n")
    assert ends["archive"].startswith(b"head")
    assert ends["archive"].endswith(b"PK\5\6" + bytes(18))
    assert ends["data"] == b"" if compression else ends["data"].endswith(b"tail")
    assert max(map(len, ends.values())) < 2 << 20


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "parent": (lambda: tar({"../x": b""}), "has the unsafe path"),
    "absolute": (lambda: tar({"/x": b""}), "has the unsafe path"),
    "sparse": (lambda: tar({"x": header(tarfile.GNUTYPE_SPARSE)}), "of the unknown type"),
    "truncated": (lambda: tar({"x": bytes(9000)})[:5000], "x is truncated"),
    "truncated gzip": (lambda: tar({"x": bytes(9000)}, "gz")[:-20], "cannot be decompressed"),
    "empty": (lambda: b"", "the archive is empty"),
    "lone zeros": (
        lambda: tar({"x": b""})[:512] + bytes(512) + tar({"y": b""}),
        "something behind a single block of zeros",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, store: Store) -> None:
    make, fault = REFUSED[case]
    data = make()
    with pytest.raises(DetpycError, match=fault):
        FileSystem(store).add_tar(io.BytesIO(data), len(data))


def test_limits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers count together."""
    monkeypatch.setattr(layers, "MAX_ENTRIES", 3)
    laid(store, {"a": b"", "b": b""}, {"c": b""})
    with pytest.raises(TooLargeError, match="has more than 3 members, which is the limit"):
        laid(store, {"d": b""})
    monkeypatch.setattr(layers, "MAX_ENTRIES", 10)
    monkeypatch.setattr(layers, "MAX_CONTENTS", 10)
    with pytest.raises(TooLargeError, match="has more than 10 bytes that have to be decompressed first"):
        laid(store, {"a.py": bytes(6)}, {"b.py": bytes(6)}, compression="gz")
