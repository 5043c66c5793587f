"""Byte-compiling a tree: what is written, kept and removed."""

from __future__ import annotations

import importlib.util
import marshal
import os
import py_compile
import shutil
import stat
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trees
from bounds import bounded
from detpyc.byte_compile import tree as module
from detpyc.byte_compile.tree import TreeOptions, TreeReport, byte_compile_tree
from detpyc.bytecode.canonical import canonicalize
from detpyc.compilation import interpreters
from detpyc.errors import DetpycError
from detpyc.limits import MAX_FILE
from detpyc.replacement import Replacement
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

HERE = interpreters.current()
SOURCES = {
    "pkg/__init__.py": b"",
    "pkg/core.py": b'def f(x, y="two"):\n    return x in {1, "two"}, y, ("two", 1.5), ("two", 1.5)\n',
    "top.py": b"x = 1\n",
}
NAME = ".detpyc-0123456789abcdef.tmp"
PAST = 1_600_000_000_000_000_000
HEADER_SIZE = 16
SKIP = Settings(on_syntax_error="skip")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "tree", SOURCES)


def compiled(path: Path, settings: Settings = SKIP, **options: Any) -> TreeReport:
    report = byte_compile_tree(path, settings, TreeOptions(jobs=1, **options), [HERE])
    assert report.failed == {}
    return report


def pyc_of(source: Path, level: int = 0) -> Path:
    return Path(importlib.util.cache_from_source(source, optimization=level or ""))


def all_pycs(tree: Path, *levels: int) -> dict[Path, bytes]:
    return {
        pyc: pyc.read_bytes() for name in SOURCES for level in levels or (0,) if (pyc := pyc_of(tree / name, level))
    }


def in_the_past(tree: Path) -> None:
    for path in tree.rglob("*"):
        os.utime(path, ns=(PAST, PAST), follow_symlinks=False)


def code_of(pyc: bytes) -> CodeType:
    code: CodeType = marshal.loads(pyc[HEADER_SIZE:])  # noqa: S302 - made here
    return code


def test_pycs(tree: Path) -> None:
    report = compiled(tree)
    pycs = all_pycs(tree)
    assert (report.sources, report.written, report.current) == (3, tuple(sorted(map(str, pycs))), 0)
    assert set(tree.rglob("*.pyc")) == set(pycs)
    for name, content in SOURCES.items():
        pyc = pycs[pyc_of(tree / name)]
        assert pyc[:8] == importlib.util.MAGIC_NUMBER + b"\3\0\0\0"
        assert pyc[8:16] == importlib.util.source_hash(content)
        assert pyc[16:] == canonicalize(pyc[16:], HERE.version)
        assert code_of(pyc) == compile(content, name, "exec", dont_inherit=True)
        assert code_of(pyc).co_filename == name


def test_levels(tree: Path) -> None:
    (tree / "top.py").write_bytes(b'"""Text."""\nassert __doc__\n')
    report = compiled(tree, Settings(optimize=(0, 1, 2)))
    assert len(report.written) == 9
    constants = [code_of(pyc_of(tree / "top.py", level).read_bytes()).co_consts for level in (0, 1, 2)]
    assert ["Text." in found for found in constants] == [True, True, False]
    assert len(pyc_of(tree / "top.py").read_bytes()) > len(pyc_of(tree / "top.py", 1).read_bytes())


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"include": ("pkg/",)}, {"pkg/__init__.py", "pkg/core.py"}),
        ({"exclude": ("__init__.py", "/top.py")}, {"pkg/core.py"}),
        ({"include": ("pkg/",), "exclude": ("core.py",)}, {"pkg/__init__.py"}),
    ],
)
def test_patterns(tree: Path, patterns: dict[str, Any], expected: set[str]) -> None:
    assert compiled(tree, Settings(**patterns)).sources == len(expected)
    assert set(tree.rglob("*.pyc")) == {pyc_of(tree / name) for name in expected}


def test_single_source(tree: Path) -> None:
    assert compiled(tree / "pkg" / "core.py").written == (str(pyc_of(tree / "pkg" / "core.py")),)
    assert code_of(pyc_of(tree / "pkg" / "core.py").read_bytes()).co_filename == "core.py"
    assert len(list(tree.rglob("*.pyc"))) == 1


def test_more_sources_than_are_in_memory_at_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(tree)
    expected = all_pycs(tree)
    monkeypatch.setattr(module, "_BATCH", 2)
    assert len(compiled(tree, force=True).written) == 3
    assert all_pycs(tree) == expected


def test_progress(tree: Path) -> None:
    totals, steps = [], count()

    def step() -> None:
        next(steps)

    def start(total: int) -> Callable[[], None]:
        totals.append(total)
        return step

    byte_compile_tree(tree, Settings(), TreeOptions(), [HERE], start)
    assert (totals, next(steps)) == ([3], 3)


# Existing pycs


def with_header(part: slice, value: bytes) -> Callable[[bytes], bytes]:
    return lambda pyc: pyc[: part.start] + value + pyc[part.stop :]


def not_canonical(pyc: bytes) -> bytes:
    """Write the same code without references."""
    other = pyc[:16] + marshal.dumps(code_of(pyc), 2)
    assert other != pyc
    assert code_of(other) == code_of(pyc)
    return other


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "another magic number": with_header(slice(0, 2), b"\x55\x0d"),
    "no magic number": with_header(slice(0, 4), b"none"),
    "unchecked-hash": with_header(slice(4, 8), b"\1\0\0\0"),
    "timestamp": with_header(slice(4, 8), b"\0\0\0\0"),
    "unknown flags": with_header(slice(4, 8), b"\7\0\0\0"),
    "another hash": with_header(slice(8, 16), b"12345678"),
    "not canonical": not_canonical,
    "another path": lambda pyc: pyc.replace(b"pkg/core.py", b"pkg/care.py"),
    "no code": lambda pyc: pyc[:16] + b"N",
    "cut off in the header": lambda pyc: pyc[:10],
    "cut off": lambda pyc: pyc[:-1],
    "empty": lambda _: b"",
    "something behind it": lambda pyc: pyc + b"\0",
}


def test_up_to_date_pycs_stay(tree: Path) -> None:
    levels = Settings(optimize=(0, 2))
    assert len(compiled(tree, levels).written) == 6
    in_the_past(tree)
    report = compiled(tree, levels)
    assert (report.written, report.current, report.changed) == ((), 6, False)
    assert {path.stat().st_mtime_ns for path in tree.rglob("*")} == {PAST}


@pytest.mark.parametrize("how", SPOILT)
def test_other_pycs_are_written(tree: Path, how: str) -> None:
    compiled(tree)
    pyc = pyc_of(tree / "pkg" / "core.py")
    expected = pyc.read_bytes()
    pyc.write_bytes(SPOILT[how](expected))
    assert pyc.read_bytes() != expected
    in_the_past(tree)
    report = compiled(tree)
    assert (report.written, report.current) == ((str(pyc),), 2)
    assert pyc.read_bytes() == expected
    assert {path for path in tree.rglob("*.pyc") if path.stat().st_mtime_ns != PAST} == {pyc}


def test_edited_source(tree: Path) -> None:
    compiled(tree)
    before = pyc_of(tree / "top.py").read_bytes()
    (tree / "top.py").write_bytes(b"x = 2\n")
    in_the_past(tree)
    assert compiled(tree).written == (str(pyc_of(tree / "top.py")),)
    assert code_of(pyc_of(tree / "top.py").read_bytes()) != code_of(before)


def test_force(tree: Path) -> None:
    compiled(tree)
    expected = all_pycs(tree)
    in_the_past(tree)
    assert (len(compiled(tree, force=True).written), all_pycs(tree)) == (3, expected)
    assert PAST not in {pyc.stat().st_mtime_ns for pyc in expected}


def test_check_changes_nothing(tree: Path) -> None:
    compiled(tree)
    pyc_of(tree / "top.py").unlink()
    (tree / "pkg" / "core.py").write_bytes(b"x =\n")
    (tree / "pkg" / "__init__.py").unlink()
    in_the_past(tree)
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    report = compiled(tree, check=True, prune=True)
    assert report.written == (str(pyc_of(tree / "top.py")),)
    assert set(report.removed) == {str(pyc_of(tree / "pkg" / name)) for name in ("core.py", "__init__.py")}
    assert report.changed
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


# Times


def times_in(pyc: Path) -> tuple[int, int]:
    data = pyc.read_bytes()
    assert data[4:8] == bytes(4)
    return int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little")


@pytest.mark.parametrize(
    ("epoch", "mtime", "expected"),
    [
        (None, 1_700_000_000.9, 1_700_000_000),
        ("1650000000", 1_700_000_000, 1_650_000_000),
        ("1750000000", 1_700_000_000, 1_700_000_000),
        (None, 2**32 + 5, 5),
    ],
)
def test_timestamps(
    tree: Path, epoch: str | None, mtime: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if epoch is None:
        monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    else:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    source = tree / "top.py"
    os.utime(source, (mtime, mtime))
    timestamp = Settings(invalidation_mode="timestamp")
    compiled(tree, timestamp)
    assert times_in(pyc_of(source)) == (expected, source.stat().st_size)
    assert compiled(tree, timestamp).written == ()
    if epoch is None:
        mode = py_compile.PycInvalidationMode.TIMESTAMP
        theirs = py_compile.compile(str(source), str(tree / "theirs.pyc"), invalidation_mode=mode, doraise=True)
        assert times_in(Path(str(theirs))) == times_in(pyc_of(source))


def test_timestamp_or_size_that_changed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    timestamp = Settings(invalidation_mode="timestamp")
    in_the_past(tree)
    compiled(tree, timestamp)
    os.utime(tree / "top.py", ns=(PAST, PAST + 1_000_000_000))
    (tree / "pkg" / "core.py").write_bytes(SOURCES["pkg/core.py"] + b"\n")
    os.utime(tree / "pkg" / "core.py", ns=(PAST, PAST))
    report = compiled(tree, timestamp)
    assert set(report.written) == {str(pyc_of(tree / name)) for name in ("top.py", "pkg/core.py")}


def test_malformed_source_date_epoch(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(DetpycError, match="SOURCE_DATE_EPOCH must be a number of seconds, not 'yesterday'"):
        compiled(tree)
    assert list(tree.rglob("*.pyc")) == []


# Sources that do not compile


@pytest.mark.parametrize("mode", ["checked-hash", "unchecked-hash"])
def test_source_that_no_longer_compiles(tree: Path, mode: str) -> None:
    """With unchecked-hash, Python would silently load what was compiled before the edit."""
    settings = Settings(invalidation_mode=mode, optimize=(0, 1), on_syntax_error="skip")
    compiled(tree, settings)
    in_the_past(tree)
    source = tree / "pkg" / "core.py"
    source.write_bytes(b"x = 1\ny = = 2\n")
    report = compiled(tree, settings)
    assert report.skipped == {str(source): f"CPython {HERE.release}: SyntaxError: line 2: invalid syntax"}
    assert report.removed == (str(pyc_of(source)), str(pyc_of(source, 1)))
    assert (report.written, report.current) == ((), 4)
    assert set(tree.rglob("*.pyc")) == {pyc_of(tree / n, v) for n in ("top.py", "pkg/__init__.py") for v in (0, 1)}
    assert compiled(tree, settings).changed is False


def test_directory_is_removed_with_its_last_pyc(tree: Path) -> None:
    compiled(tree)
    (tree / "top.py").write_bytes(b"x =\n")
    compiled(tree)
    assert not (tree / "__pycache__").exists()
    assert (tree / "pkg" / "__pycache__").exists()


def test_source_that_exhausts_memory_or_stack(tree: Path) -> None:
    """Another machine may have enough: the existing pyc may be right, and stays."""
    compiled(tree)
    pyc = pyc_of(tree / "pkg" / "core.py")
    pyc.write_bytes(before := not_canonical(pyc.read_bytes()))
    (tree / "pkg" / "core.py").write_bytes(b"-" * 100_000 + b"1\n")
    pyc_of(tree / "top.py").unlink()
    report = byte_compile_tree(tree, Settings(), TreeOptions(), [HERE])
    assert list(report.failed) == [str(tree / "pkg" / "core.py")]
    assert report.written == (str(pyc_of(tree / "top.py")),)
    assert pyc.read_bytes() == before


# Links, and others that are not sources


def test_links_out_of_the_tree_are_not_followed(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "pkg").mkdir(parents=True)
    (outside / "other.py").write_bytes(b"x = 3\n")
    (outside / "pkg" / "other.py").write_bytes(b"x = 3\n")
    (tree / "linked.py").symlink_to(outside / "other.py")
    (tree / "linked").symlink_to(outside / "pkg")
    (tree / "loop.py").symlink_to("loop.py")
    (tree / ".#top.py").symlink_to("user@host.1234")
    assert compiled(tree, update_records=True, prune=True).sources == 3
    assert list(outside.rglob("*.pyc")) == []
    assert not pyc_of(tree / "linked.py").exists()


def test_links_in_the_tree_are_followed(tree: Path) -> None:
    (tree / "linked.py").symlink_to("pkg/core.py")
    (tree / "linked").symlink_to("pkg")
    assert compiled(tree).sources == 4
    assert code_of(pyc_of(tree / "linked.py").read_bytes()).co_filename == "linked.py"
    assert compiled(tree).written == ()


def test_tree_that_is_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("tree")
    (tmp_path / "link.py").symlink_to("tree/top.py")
    assert len(compiled(tmp_path / "link").written) == 3
    assert compiled(tree).written == ()
    assert compiled(tmp_path / "link.py").written == (str(pyc_of(tmp_path / "link.py")),)


def test_pycs_that_are_linked_out_of_the_tree(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    other = outside / "other.pyc"
    other.write_bytes(b"theirs")
    (tree / "__pycache__").symlink_to(outside)
    (tree / "pkg" / "__pycache__").mkdir()
    linked = pyc_of(tree / "pkg" / "core.py")
    linked.symlink_to(other)
    report = byte_compile_tree(tree, Settings(), TreeOptions(), [HERE])
    reason = "is a symbolic link that leads out of the tree, and is not followed"
    assert report.failed == {str(tree / "__pycache__"): reason, str(linked): reason}
    assert report.written == (str(pyc_of(tree / "pkg" / "__init__.py")),)
    assert list(outside.iterdir()) == [other]
    assert other.read_bytes() == b"theirs"


def test_pyc_of_a_refused_source_is_not_removed_out_of_the_tree(tree: Path, tmp_path: Path) -> None:
    (tree / "top.py").write_bytes(b"x =\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tree / "__pycache__").symlink_to(outside)
    theirs = outside / pyc_of(tree / "top.py").name
    theirs.write_bytes(b"theirs")
    assert compiled(tree).removed == ()
    assert theirs.exists()


def test_source_that_is_too_large(tree: Path) -> None:
    """It may be sparse, and larger than the memory."""
    with (tree / "top.py").open("wb") as stream:
        stream.truncate(1 << 40)
    with bounded():
        report = byte_compile_tree(tree, Settings(), TreeOptions(), [HERE])
    assert report.failed == {str(tree / "top.py"): f"has {1 << 40} bytes; the limit is {MAX_FILE}"}
    assert len(report.written) == 2


@pytest.mark.parametrize("check", [False, True])
def test_temporary_files_of_killed_runs(tree: Path, check: bool) -> None:  # noqa: FBT001
    """They are removed even if nothing else is to be done there."""
    compiled(tree)
    trees.write(tree, {"demo-1.0.dist-info/RECORD": b""})
    stale = [directory / NAME for directory in (tree, tree / "pkg" / "__pycache__", tree / "demo-1.0.dist-info")]
    for path in stale:
        path.write_bytes(b"unfinished")
    report = compiled(tree, check=check)
    assert not report.changed
    assert [path for path in stale if path.exists()] == (stale if check else [])


def test_temporary_file_in_use(tree: Path) -> None:
    compiled(tree)
    with Replacement(tree / "__pycache__" / "other.pyc", 0o644) as replacement:
        compiled(tree)
        assert replacement.temporary.exists()


def state_of(directory: Path) -> dict[Path, tuple[int, int, int, bytes]]:
    """Return the inode, mode, mtime and content of all that is in a directory, and of the directory itself."""
    found = {}
    for path in (directory, *directory.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[path] = (status.st_ino, status.st_mode, status.st_mtime_ns, content)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="there are no directory descriptors")
@pytest.mark.parametrize("swapped", ["pkg", "pkg/__pycache__"])
@pytest.mark.parametrize(("content", "has_cache"), [(b"x = 2\n", True), (b"x = 2\n", False), (b"x =\n", True)])
def test_directory_that_is_swapped_for_a_link(
    tmp_path: Path,
    swapped: str,
    content: bytes,
    has_cache: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing outside the tree changes, whichever the call before which it is swapped."""
    outside = tmp_path / "outside"
    stranger = {"core.py": b"", "__pycache__/core.py": b""}
    theirs = {f"{cache}{pyc_of(Path(name)).name}": b"theirs" for cache in ("", "__pycache__/") for name in SOURCES}
    trees.write(outside, stranger | theirs)
    before = state_of(outside)
    number = calls = 0

    def swapping(call: Callable[..., Any]) -> Callable[..., Any]:
        def swap_or_not(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == number and (attacked / swapped).is_dir():
                (attacked / swapped).rename(tmp_path / f"moved{number}")
                (attacked / swapped).symlink_to(outside)
            return call(*arguments, **options)

        return swap_or_not

    while number <= calls:
        number, calls = number + 1, 0
        attacked = trees.write(tmp_path / f"tree{number}", SOURCES)
        compiled(attacked)
        trees.write(attacked, {"pkg/core.py": content})
        if not has_cache:
            shutil.rmtree(attacked / "pkg" / "__pycache__")
        with monkeypatch.context() as patch:
            for name in ("mkdir", "open", "fchmod", "replace", "unlink", "rmdir"):
                patch.setattr(os, name, swapping(getattr(os, name)))
            byte_compile_tree(attacked, SKIP, TreeOptions(jobs=1, cache=False), [HERE])
        assert state_of(outside) == before, f"call {number}"
    assert number > 10


def test_what_only_looks_like_a_source_or_a_pyc(tree: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    os.mkfifo(tree / "pipe.py")
    (tree / "directory.py").mkdir()
    (tree / "directory.py" / "module.py").write_bytes(b"")
    (tree / "pkg" / "__pycache__").mkdir()
    (tree / "pkg" / "__pycache__" / "module.py").write_bytes(b"")
    os.mkfifo(pyc_of(tree / "pkg" / "core.py"))
    assert compiled(tree).sources == 4
    assert pyc_of(tree / "pkg" / "core.py").is_file()
    assert pyc_of(tree / "directory.py" / "module.py").is_file()


def test_pyc_that_cannot_be_replaced(tree: Path) -> None:
    pyc = pyc_of(tree / "pkg" / "core.py")
    pyc.mkdir(parents=True)
    report = byte_compile_tree(tree, Settings(), TreeOptions(), [HERE])
    assert report.failed == {str(pyc): "cannot be written: Is a directory"}
    assert len(report.written) == 2
    assert set(pyc.parent.iterdir()) == {pyc, pyc_of(tree / "pkg" / "__init__.py")}


def test_file_in_the_place_of_the_directory(tree: Path) -> None:
    (tree / "pkg" / "__pycache__").write_bytes(b"")
    report = byte_compile_tree(tree, Settings(), TreeOptions(), [HERE])
    assert report.failed == {str(tree / "pkg" / "__pycache__"): "cannot be written: Not a directory"}
    assert report.written == (str(pyc_of(tree / "top.py")),)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "cannot be read: No such file"),
        ("text.txt", "not a directory or source file: expected a name ending in .py"),
    ],
)
def test_path_that_is_not_a_tree(tree: Path, name: str, words: str) -> None:
    (tree / "text.txt").write_bytes(b"")
    with pytest.raises(DetpycError, match=words):
        compiled(tree / name)


# Modes


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600, 0o444, 0o664])
def test_modes_are_as_py_compile_makes_them(tree: Path, tmp_path: Path, mode: int) -> None:
    source = tree / "top.py"
    source.chmod(mode)
    before = os.umask(0)
    try:
        theirs = py_compile.compile(str(source), str(tmp_path / "theirs.pyc"), doraise=True)
    finally:
        os.umask(before)
    compiled(tree)
    assert pyc_of(source).stat().st_mode == Path(str(theirs)).stat().st_mode


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tree: Path, umask: int) -> None:
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (tree / "pkg").chmod(0o2555)
    before = os.umask(umask)
    try:
        compiled(tree)
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tree).as_posix(): stat.S_IMODE(path.stat().st_mode) & 0o777
        for path in tree.rglob("*")
        if path.parent.name == "__pycache__" or path.name == "__pycache__"
    }
    assert modes.pop("__pycache__") == 0o755
    assert modes.pop("pkg/__pycache__") == 0o755
    assert set(modes.values()) == {0o644}


# Recorded paths


@pytest.mark.parametrize(
    ("strip", "prepend", "expected"),
    [
        (None, None, "pkg/core.py"),
        ("{root}", None, "tree/pkg/core.py"),
        ("{root}/", "/", "/tree/pkg/core.py"),
        ("{root}/tree", "/usr/lib", "/usr/lib/pkg/core.py"),
        ("{root}/tree", "lib/", "lib/pkg/core.py"),
        (None, "/somewhere", "{root}/tree/pkg/core.py"),
    ],
)
def test_recorded_path(tree: Path, strip: str | None, prepend: str | None, expected: str) -> None:
    strip = strip and strip.format(root=tree.parent)
    compiled(tree, strip_prefix=strip, prepend_prefix=prepend)
    recorded = code_of(pyc_of(tree / "pkg" / "core.py").read_bytes()).co_filename
    assert recorded == expected.format(root=tree.parent)
    assert compiled(tree, strip_prefix=strip, prepend_prefix=prepend).written == ()


def test_prefix_that_does_not_fit(tree: Path) -> None:
    with pytest.raises(DetpycError, match="does not start with the prefix /build"):
        compiled(tree, strip_prefix="/build")
    assert list(tree.rglob("*.pyc")) == []


# Pruning


def test_prune(tree: Path) -> None:
    compiled(tree, Settings(optimize=(0, 2)))
    shutil.copytree(tree / "pkg", tree / "gone")
    for source in (*(tree / "gone").glob("*.py"), tree / "pkg" / "core.py"):
        source.unlink()
    kept = tree / "pkg" / "sourceless.pyc"
    kept.write_bytes(b"")
    assert not compiled(tree, Settings(optimize=(0, 2))).changed
    report = compiled(tree, prune=True)
    gone = {*(tree / "gone" / name for name in ("__init__.py", "core.py")), tree / "pkg" / "core.py"}
    assert set(report.removed) == {str(pyc_of(source, level)) for source in gone for level in (0, 2)}
    left = {pyc_of(tree / name, level) for name in ("top.py", "pkg/__init__.py") for level in (0, 2)}
    assert set(tree.rglob("*.pyc")) == {kept, *left}
    assert not (tree / "gone" / "__pycache__").exists()


def test_prune_other_tags(tree: Path) -> None:
    compiled(tree)
    cache = tree / "pkg" / "__pycache__"
    others = [cache / f"core.{tag}.pyc" for tag in ("cpython-27", "cpython-27.opt-1", f"{HERE.cache_tag}-pytest-9.0")]
    for other in others:
        other.write_bytes(b"")
    assert not compiled(tree, prune=True).changed
    report = compiled(tree, prune_other_tags=True)
    assert report.removed == tuple(sorted(map(str, others)))
    assert set(tree.rglob("*.pyc")) == set(all_pycs(tree))
