"""Which Pythons load which pycs, by each rule of each finder."""

from __future__ import annotations

import pytest

from detpyc.audience import Audience
from detpyc.bytecode.header import MAGIC_NUMBERS, PycHeader
from detpyc.loading import Finder, Loader, Loading, PlacedPyc, Surroundings, extension_modules, find_loaders

MAGIC = {version: number for number, version in MAGIC_NUMBERS.items()}
MTIME = 1_700_000_001
EPOCH = 315_532_800  # 1980-01-01
HASHED = PycHeader(MAGIC[3, 12], "checked-hash", source_hash=bytes(8))
UNCHECKED = PycHeader(MAGIC[3, 12], "unchecked-hash", source_hash=bytes(8))
TIMESTAMP = PycHeader(MAGIC[3, 12], "timestamp", mtime=MTIME, source_size=0)
CACHED, BESIDE = "pkg/__pycache__/mod.cpython-312.pyc", "pkg/mod.pyc"
HERE = Loader((3, 12))
ANY_LEVEL = Loader((3, 12), None)
INSTALLED = Surroundings({"pkg/mod.py"}.__contains__, finders=(Finder.INSTALLED,), audience=Audience("py3-none-any"))

NOT_KEPT = "its header has the mtime of its source, and installers do not keep that"
EPOCH_REASON = "its header has the mtime of its source, and the archive dates the source 1980-01-01"
OTHER_MTIME = "its header has the mtime of its source, and the archive has another time for the source"
STALE = "its header does not match its source, which is compiled instead"
PACKAGE = "a package of its name is beside it, and is imported in its place"
EXTENSION = "an extension module is beside it, and is imported in its place"
MODULE = "a module with the name of its package is beside that, and is imported in its place"
NOT_LISTED = "its package has neither __init__.py nor an entry in the archive, and zipimport does not find it"
NOT_IN_CACHE = "zipimport does not look into __pycache__"


def loader(path: str | None, header: PycHeader | None = HASHED, around: Surroundings = INSTALLED) -> Loader | str:
    """Return what loads one pyc beside ``pkg/mod.py``, or why nothing does."""
    return what_loads(PlacedPyc("name", path, header), around)


def what_loads(pyc: PlacedPyc, around: Surroundings) -> Loader | str:
    found = find_loaders([pyc], around)
    assert found.loaders.keys() | found.never.keys() == {"name"}
    return found.loaders["name"] if "name" in found.loaders else found.never["name"]


def around(*files: str, finder: Finder = Finder.DIRECTORY, windows: bool = False) -> Surroundings:
    return Surroundings(files.__contains__, extension_modules(files), (finder,), windows=windows)


@pytest.mark.parametrize(
    ("path", "header", "expected"),
    [
        ("pkg/__pycache__/mod.cpython-312.pyc", HASHED, Loader((3, 12), 0)),
        ("pkg/__pycache__/mod.cpython-312.pyc", UNCHECKED, Loader((3, 12), 0)),
        ("pkg/__pycache__/mod.cpython-312.opt-1.pyc", HASHED, Loader((3, 12), 1)),
        ("pkg/__pycache__/mod.cpython-312.opt-2.pyc", HASHED, Loader((3, 12), 2)),
        ("pkg/other.pyc", HASHED, Loader((3, 12), None)),
        ("pkg/other.pyc", TIMESTAMP, Loader((3, 12), None)),
        ("pkg/mod.pyc", HASHED, "its source is beside it, and is imported in its place"),
        (
            "pkg/__pycache__/mod.cpython-312.pyc",
            TIMESTAMP,
            "its header has the mtime of its source, and installers do not keep that",
        ),
        (
            "pkg/__pycache__/other.cpython-312.pyc",
            HASHED,
            "its source is missing, and without it no pyc in __pycache__ is loaded",
        ),
        ("pkg/__pycache__/mod.cpython-311.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.cpython-312.opt-3.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.cpython-312-pytest-8.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.pyc", HASHED, "no CPython looks for a pyc of that name"),
        ("pkg/__pycache__/mod.cpython-312.pyc", None, "it is not a pyc of a supported CPython"),
        (None, HASHED, "it is not installed where modules are imported from"),
    ],
)
def test_what_loads_a_pyc(path: str | None, header: PycHeader | None, expected: Loader | str) -> None:
    assert loader(path, header) == expected


def test_nobody_can_install_it() -> None:
    audience = Audience("py313-none-any")
    found = loader(CACHED, HASHED, Surroundings({"pkg/mod.py"}.__contains__, audience=audience))
    assert found == "no CPython 3.12 can install a wheel with the tag py313-none-any"


def test_all_that_load_some() -> None:
    names = ["mod.cpython-313.pyc", "mod.cpython-39.opt-2.pyc", "mod.cpython-39.pyc"]
    versions = [(3, 13), (3, 9), (3, 9)]
    pycs = [
        PlacedPyc(name, f"pkg/__pycache__/{name}", PycHeader(MAGIC[version], "checked-hash", source_hash=bytes(8)))
        for name, version in zip(names, versions, strict=True)
    ]
    assert find_loaders(pycs, INSTALLED).by == ("3.9", "3.9 -OO", "3.13")


@pytest.mark.parametrize(
    ("versions", "levels", "expected"),
    [
        ((), (), {}),
        ([(3, 12)], [0, 2], {}),
        ([(3, 11)], (), dict.fromkeys("ab", "its magic number is that of CPython 3.12")),
        ((), [0], {"a": "its name is for optimization level 2"}),
    ],
)
def test_narrowed(versions: list[tuple[int, int]], levels: list[int], expected: dict[str, str]) -> None:
    """What is sourceless is loaded at any level."""
    loading = Loading({"a": Loader((3, 12), 2), "b": ANY_LEVEL}, {"c": "because"}).narrowed(versions, levels)
    assert loading.never == {"c": "because", **expected}
    assert loading.loaders.keys() == {"a", "b"} - expected.keys()


# ---- the path finder


@pytest.mark.parametrize(
    ("header", "matches", "unpacked", "expected"),
    [
        (HASHED, False, None, STALE),
        (UNCHECKED, False, None, HERE),
        (TIMESTAMP, True, None, HERE),
        (TIMESTAMP, False, None, STALE),
        (TIMESTAMP, True, MTIME, HERE),
        (TIMESTAMP, False, MTIME, STALE),
        (TIMESTAMP, True, MTIME - 1, OTHER_MTIME),
        (TIMESTAMP, True, EPOCH, EPOCH_REASON),
        (HASHED, True, EPOCH, HERE),
    ],
)
def test_headers_in_a_directory(
    header: PycHeader, unpacked: int | None, expected: Loader | str, *, matches: bool
) -> None:
    pyc = PlacedPyc("name", CACHED, header, matches, unpacked)
    assert what_loads(pyc, around("pkg/mod.py")) == expected


@pytest.mark.parametrize(
    ("path", "other", "expected"),
    [
        (CACHED, "pkg/mod/__init__.py", PACKAGE),
        (CACHED, "pkg/mod/__init__.pyc", PACKAGE),
        (CACHED, "pkg/mod/__init__.cpython-312-x86_64-linux-gnu.so", PACKAGE),
        (CACHED, "pkg/mod/other.py", HERE),
        (CACHED, "pkg/mod.cpython-312-x86_64-linux-gnu.so", EXTENSION),
        (CACHED, "pkg/mod.cpython-312-darwin.so", EXTENSION),
        (CACHED, "pkg/mod.abi3.so", EXTENSION),
        (CACHED, "pkg/mod.abi3-x86_64-linux-gnu.so", HERE),
        (CACHED, "pkg/mod.abi3t.so", HERE),
        (CACHED, "pkg/mod.so", EXTENSION),
        (CACHED, "pkg/mod.cpython-311-x86_64-linux-gnu.so", HERE),
        (CACHED, "pkg/mod.cpython-312t-x86_64-linux-gnu.so", HERE),
        (CACHED, "pkg/mod.cpython-312d-x86_64-linux-gnu.so", HERE),
        (CACHED, "pkg/mod.so.1", HERE),
        (CACHED, "mod.so", HERE),
        (CACHED, "pkg/mod.pyd", HERE),
        ("pkg/other.pyc", "pkg/other.so", EXTENSION),
        ("pkg/other.pyc", "pkg/other/__init__.py", PACKAGE),
        ("pkg/other.pyc", "pkg/mod.so", ANY_LEVEL),
    ],
)
def test_what_is_found_before_it(path: str, other: str, expected: Loader | str) -> None:
    assert loader(path, HASHED, around("pkg/mod.py", other)) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("pkg/mod.pyd", EXTENSION),
        ("pkg/mod.cp312-win_amd64.pyd", EXTENSION),
        ("pkg/mod.cp311-win_amd64.pyd", HERE),
        ("pkg/mod.so", HERE),
    ],
)
def test_what_is_found_before_it_on_windows(other: str, expected: Loader | str) -> None:
    assert loader(CACHED, HASHED, around("pkg/mod.py", other, windows=True)) == expected


@pytest.mark.parametrize(
    ("other", "since"),
    [
        ("pkg/mod.abi3-aarch64-linux-gnu.so", (3, 13)),
        ("pkg/mod.abi3t.so", (3, 15)),
        ("pkg/mod.abi3t-aarch64-linux-gnu.so", (3, 15)),
    ],
)
def test_stable_abi(other: str, since: tuple[int, int]) -> None:
    for version, number in MAGIC.items():
        cached = CACHED.replace("312", "{}{}".format(*version))
        header = PycHeader(number, "checked-hash", source_hash=bytes(8))
        expected = EXTENSION if version >= since else Loader(version)
        assert loader(cached, header, around("pkg/mod.py", other)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a/b/mod.py", "a.py"], MODULE),
        (["a/b/mod.py", "a/b.pyc"], MODULE),
        (["a/b/mod.py", "a/b.txt"], HERE),
        (["a/b/mod.py", "a.py", "a/__init__.py"], HERE),
    ],
)
def test_module_in_place_of_a_namespace_package(files: list[str], expected: Loader | str) -> None:
    cached, beside = "a/b/__pycache__/mod.cpython-312.pyc", "a/b/mod.pyc"
    tree, archive = around(*files), around(*files, finder=Finder.ZIP)
    wheel = tree._replace(finders=(Finder.INSTALLED,), audience=Audience("py3-none-any"))
    assert loader(cached, HASHED, wheel) == expected
    assert loader(beside, HASHED, archive) == (expected if expected == MODULE else ANY_LEVEL)
    assert loader(cached, HASHED, tree) == HERE  # the directory may be on sys.path


def test_extension_module_in_place_of_a_namespace_package() -> None:
    """Unlike zipimport, the path finder finds them."""
    cached, beside = "a/b/__pycache__/mod.cpython-312.pyc", "a/b/mod.pyc"
    for files, in_wheel, in_archive in (
        (["a/b/mod.py", "a/b.so"], MODULE, ANY_LEVEL),
        (["a/b/mod.py", "a.py", "a/__init__.abi3.so"], HERE, MODULE),
    ):
        tree, archive = around(*files), around(*files, finder=Finder.ZIP)
        assert loader(cached, HASHED, tree._replace(audience=Audience("py3-none-any"))) == in_wheel
        assert loader(beside, HASHED, archive) == in_archive


def test_package() -> None:
    path = "pkg/__pycache__/__init__.cpython-312.pyc"
    files = "pkg/__init__.py", "pkg.py", "pkg.so"
    assert loader(path, HASHED, around(*files)) == HERE
    assert loader(path, HASHED, around(*files, "pkg/__init__.abi3.so")) == EXTENSION


# ---- in a ZIP file


@pytest.mark.parametrize(
    ("path", "files", "header", "expected"),
    [
        (CACHED, ["pkg/mod.py"], HASHED, NOT_IN_CACHE),
        (BESIDE, ["pkg/mod.py"], HASHED, ANY_LEVEL),
        (BESIDE, [], TIMESTAMP, ANY_LEVEL),
        (BESIDE, ["pkg/mod/__init__.py"], HASHED, PACKAGE),
        (BESIDE, ["pkg/mod/__init__.pyc"], HASHED, PACKAGE),
        (BESIDE, ["pkg/mod.so"], HASHED, ANY_LEVEL),
        ("pkg/__init__.pyc", ["pkg/__init__.py"], HASHED, ANY_LEVEL),
    ],
)
def test_places_in_a_zip(path: str, files: list[str], header: PycHeader, expected: Loader | str) -> None:
    assert loader(path, header, around(*files, finder=Finder.ZIP)) == expected


@pytest.mark.parametrize(
    ("version", "files", "listed", "expected"),
    [
        ((3, 13), ["a/b/mod.py"], [], NOT_LISTED),
        ((3, 13), ["a/b/mod.py"], ["a"], NOT_LISTED),
        ((3, 13), ["a/b/mod.py", "a/__init__.py"], ["a/b"], Loader((3, 13), None)),
        ((3, 13), ["a/b/mod.py", "a/__init__.pyc", "a/b/__init__.py"], [], Loader((3, 13), None)),
        ((3, 14), ["a/b/mod.py"], [], Loader((3, 14), None)),
    ],
)
def test_namespace_packages_in_a_zip(
    version: tuple[int, int], files: list[str], listed: list[str], expected: Loader | str
) -> None:
    header = PycHeader(MAGIC[version], "checked-hash", source_hash=bytes(8))
    surroundings = around(*files, finder=Finder.ZIP)._replace(is_listed=listed.__contains__)
    assert loader("a/b/mod.pyc", header, surroundings) == expected


def test_zip64() -> None:
    surroundings = around(finder=Finder.ZIP)._replace(zip_since=(3, 13))
    assert loader("mod.pyc", HASHED, surroundings) == "zipimport does not read ZIP64 archives before CPython 3.13"
    assert loader("mod.pyc", HASHED, surroundings._replace(finders=(Finder.DIRECTORY,))) == ANY_LEVEL


@pytest.mark.parametrize(
    ("header", "matches", "zipped", "expected"),
    [
        (HASHED, False, MTIME, STALE),
        (UNCHECKED, False, MTIME, ANY_LEVEL),
        (TIMESTAMP, True, MTIME, ANY_LEVEL),
        (TIMESTAMP, True, MTIME - 1, ANY_LEVEL),
        (TIMESTAMP, True, MTIME + 1, ANY_LEVEL),
        (TIMESTAMP, True, MTIME - 2, OTHER_MTIME),
        (TIMESTAMP, True, None, OTHER_MTIME),
        (TIMESTAMP, True, EPOCH + 3600, EPOCH_REASON),
        (TIMESTAMP, False, MTIME, STALE),
    ],
)
def test_headers_in_a_zip(header: PycHeader, zipped: int | None, expected: Loader | str, *, matches: bool) -> None:
    pyc = PlacedPyc("name", BESIDE, header, matches, None, zipped)
    assert what_loads(pyc, around("pkg/mod.py", finder=Finder.ZIP)) == expected


@pytest.mark.parametrize(
    ("path", "header", "expected"),
    [
        (CACHED, HASHED, HERE),
        (CACHED, TIMESTAMP, NOT_KEPT),
        (BESIDE, HASHED, ANY_LEVEL),
        (BESIDE, TIMESTAMP, "its source is beside it, and is imported in its place"),
    ],
)
def test_one_of_several_finders(path: str, header: PycHeader, expected: Loader | str) -> None:
    """A PEX runs as an archive, and then unpacked."""
    both = Surroundings({"pkg/mod.py"}.__contains__, finders=(Finder.INSTALLED, Finder.ZIP))
    assert what_loads(PlacedPyc("name", path, header, zipped=EPOCH), both) == expected
