"""The pycs of a tree that are known to be up to date: it saves work, and is used only where it applies."""

from __future__ import annotations

import marshal
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

import trees
from detpyc.byte_compile import known
from detpyc.byte_compile.known import KnownPycs
from detpyc.byte_compile.tree import TreeOptions, TreeReport, byte_compile_tree
from detpyc.compilation import interpreters, pool
from detpyc.compilation.cache_location import find_store
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = interpreters.current()
DEFAULT = Settings()
SOURCES = {
    "pkg/__init__.py": b"",
    "pkg/core.py": b"def f(x):\n    return x in {1, 'two'}, ('two', 1.5), ('two', 1.5)\n",
    "top.py": b"x = 1\n",
}
PAST = 1_600_000_000_000_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "tree", SOURCES)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gains the paths of the sources that are sent to workers."""
    genuine: Callable[..., object] = pool.byte_compile
    paths: list[str] = []

    def byte_compile(interpreter: object, sources: list[pool.Source], *rest: object, **options: object) -> object:
        paths.extend(source.path for source in sources)
        return genuine(interpreter, sources, *rest, **options)

    monkeypatch.setattr(pool, "byte_compile", byte_compile)
    return paths


def compiled(tree: Path, settings: Settings = DEFAULT, **options: Any) -> TreeReport:
    report = byte_compile_tree(tree, settings, TreeOptions(jobs=1, **options), [HERE])
    assert report.failed == {}
    return report


def pycs(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*.pyc")}


def cache_files(cache_home: Path) -> list[Path]:
    return sorted(path for path in cache_home.rglob("*") if path.is_file())


def entry_of(tree: Path) -> Path:
    """Return the file that has the keys of a tree."""
    store = find_store()
    assert store is not None
    name = KnownPycs(str(tree), None).entry.hex()
    return store.directory / name[:1] / name[1:]


@pytest.fixture
def cache(tree: Path) -> Path:
    """Return the file with the keys of a tree that was byte-compiled, without any other."""
    compiled(tree)
    forget_code(tree)
    return entry_of(tree)


def forget_code(tree: Path) -> None:
    """Remove all of the compile cache but the keys of a tree."""
    store = find_store()
    assert store is not None
    for path in cache_files(store.directory):
        if path != entry_of(tree):
            path.unlink()


@pytest.mark.parametrize("mode", ["checked-hash", "unchecked-hash", "timestamp"])
@pytest.mark.parametrize("levels", [(0,), (0, 2)])
def test_nothing_is_sent_to_a_worker_twice(tree: Path, mode: str, levels: tuple[int, ...], sent: list[str]) -> None:
    settings = Settings(invalidation_mode=mode, optimize=levels)
    compiled(tree, settings)
    assert sorted(sent) == sorted(SOURCES)
    sent.clear()
    report = compiled(tree, settings)
    assert (report.sources, report.current, report.changed, sent) == (3, 3 * len(levels), False, [])
    (tree / "top.py").write_bytes(b"x = 2\n")
    os.utime(tree / "top.py", ns=(PAST, PAST))
    assert len(compiled(tree, settings).written) == len(levels)
    assert sent == ["top.py"]


def test_pycs_that_a_worker_checked_are_known(tree: Path, sent: list[str]) -> None:
    compiled(tree, cache=False)
    sent.clear()
    assert not compiled(tree).changed
    assert sorted(sent) == sorted(SOURCES)
    sent.clear()
    assert not compiled(tree).changed
    assert sent == []


def test_interpreters_and_levels_in_turn(tree: Path, sent: list[str]) -> None:
    for level in (0, 1, 2):
        compiled(tree, Settings(optimize=(level,)))
    sent.clear()
    for level in (2, 1, 0):
        compiled(tree, Settings(optimize=(level,)))
    assert sent == []


def test_source_that_was_edited_and_back(tree: Path, sent: list[str]) -> None:
    """A pyc is known to be up to date for one source only."""
    compiled(tree)
    pyc = next((tree / "__pycache__").iterdir())
    before = pyc.read_bytes()
    (tree / "top.py").write_bytes(b"x = 2\n")
    compiled(tree)
    forget_code(tree)
    sent.clear()
    pyc.write_bytes(before)
    assert compiled(tree).written == (str(pyc),)
    assert sent == ["top.py"]
    (tree / "top.py").write_bytes(SOURCES["top.py"])
    assert compiled(tree).written == (str(pyc),)
    assert pyc.read_bytes() == before


def test_pyc_that_was_tampered_with(tree: Path, cache: Path) -> None:
    """Its header is as before, and so is its time."""
    assert cache.exists()
    expected = pycs(tree)
    for name, content in expected.items():
        path = tree / name
        status = path.stat()
        path.write_bytes(content[:16] + marshal.dumps(marshal.loads(content[16:]), 2))  # noqa: S302 - made here
        assert path.read_bytes() != content
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(compiled(tree).written) == 3
    assert pycs(tree) == expected


def test_recorded_path(tree: Path, sent: list[str]) -> None:
    compiled(tree)
    assert len(compiled(tree, strip_prefix=str(tree), prepend_prefix="/usr").written) == 3
    assert len(compiled(tree).written) == 3
    sent.clear()
    assert not compiled(tree).changed
    assert sent == []


def test_pycs_that_changed_places(tree: Path) -> None:
    """The same pyc is right in one place and not in the other."""
    (tree / "twin.py").write_bytes(SOURCES["top.py"])
    compiled(tree)
    expected = pycs(tree)
    one, other = sorted((tree / "__pycache__").iterdir())
    shutil.copy(other, one)
    assert compiled(tree).written == (str(one),)
    assert pycs(tree) == expected


def test_force(tree: Path, sent: list[str]) -> None:
    compiled(tree)
    forget_code(tree)
    sent.clear()
    assert len(compiled(tree, force=True).written) == 3
    assert sorted(sent) == sorted(SOURCES)
    sent.clear()
    assert not compiled(tree).changed
    assert sent == []


def test_single_source(tree: Path, sent: list[str]) -> None:
    compiled(tree / "top.py")
    sent.clear()
    assert compiled(tree / "top.py").current == 1
    assert sent == []


# The file


def test_each_tree_has_its_own(tree: Path, cache_home: Path, tmp_path: Path, sent: list[str]) -> None:
    other = shutil.copytree(tree, tmp_path / "other")
    compiled(tree)
    compiled(other)
    files = cache_files(cache_home)
    assert entry_of(tree).read_bytes() != entry_of(other).read_bytes()
    (tmp_path / "link").symlink_to("tree")
    sent.clear()
    assert not compiled(tmp_path / "link").changed
    assert (sent, cache_files(cache_home)) == ([], files)
    (other / "top.py").write_bytes(b"x = 2\n")
    assert len(compiled(other).written) == 1
    assert not compiled(tree).changed


def test_keys_are_secret(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a pyc could be forged that has the key of another one: SipHash with a known key can be inverted."""
    compiled(tree)
    first = KnownPycs(str(tree), find_store())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    compiled(tree)
    second = KnownPycs(str(tree), find_store())
    assert len(first.old_set) == len(second.old_set) == 3
    assert first.old_set.isdisjoint(second.old_set)
    (tree / "top.py").write_bytes(b"x = 2\n")
    compiled(tree)
    assert KnownPycs(str(tree), find_store()).secret == second.secret


def test_only_the_user_can_read_it(cache: Path) -> None:
    assert cache.stat().st_mode & 0o777 == 0o600
    assert [parent.stat().st_mode & 0o777 for parent in cache.parents[:2]] == [0o700, 0o700]


def test_what_learned_nothing_writes_nothing(tree: Path, cache: Path) -> None:
    before = cache.stat()
    compiled(tree)
    assert cache.stat() == before


@pytest.mark.parametrize("options", [{"cache": False}, {"check": True}])
def test_no_cache_is_written(tree: Path, cache_home: Path, options: dict[str, Any]) -> None:
    compiled(tree, cache=False)
    compiled(tree, **options)
    assert cache_files(cache_home) == []


def test_no_cache_is_read(tree: Path, cache: Path, sent: list[str]) -> None:
    assert cache.exists()
    assert not compiled(tree, cache=False).changed
    assert sorted(sent) == sorted(SOURCES)


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda data: data[:-5],
    "cut off between two": lambda data: data[:-16],
    "cut off in the digest": lambda data: data[:9],
    "garbage": lambda data: os.urandom(len(data)),
    "one bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "something behind it": lambda data: data + bytes(16),
}


@pytest.mark.parametrize("how", MALFORMED)
def test_malformed_cache_is_ignored(tree: Path, cache: Path, how: str, sent: list[str]) -> None:
    expected, before = pycs(tree), cache.read_bytes()
    cache.write_bytes(MALFORMED[how](before))
    assert cache.read_bytes() != before
    assert not compiled(tree).changed
    assert sorted(sent) == sorted(SOURCES)
    assert (pycs(tree), len(cache.read_bytes())) == (expected, len(before))
    sent.clear()
    assert not compiled(tree).changed
    assert sent == []


@pytest.mark.parametrize("other", [b"canonical form 2", b"detpyc 9"])
def test_another_release_has_its_own(other: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    before = KnownPycs("/tree", None).entry
    monkeypatch.setattr(known, "_TITLE", other)
    assert KnownPycs("/tree", None).entry != before


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    path.unlink()
    os.mkfifo(path)


def replace_by_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.parametrize("replace", [replace_by_directory, replace_by_pipe, replace_by_loop])
def test_cache_that_cannot_be_read(tree: Path, cache: Path, replace: Callable[[Path], None]) -> None:
    replace(cache)
    assert not compiled(tree).changed
    (tree / "top.py").write_bytes(b"x = 2\n")
    assert len(compiled(tree).written) == 1


def test_cache_directory_that_cannot_be_made(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(compiled(tree).written) == 3
    assert not compiled(tree).changed


def test_user_without_a_home(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: "~/.cache/detpyc")
    assert len(compiled(tree).written) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_it_does_not_grow_without_end(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest is kept."""
    monkeypatch.setattr(known, "_ROOM", 0)
    runs = [[bytes([run, number]) * 8 for number in range(10)] for run in range(20)]
    for run in runs:
        this = KnownPycs("/tree", find_store())
        for key in run:
            this.add(key)
        this.write()
    last = KnownPycs("/tree", find_store())
    assert [all(map(last.lookup, run)) for run in runs] == [False] * 12 + [True] * 8
    (file,) = cache_files(cache_home)
    assert file.stat().st_size < 81 * 16 + 100
