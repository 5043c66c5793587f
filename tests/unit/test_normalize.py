"""Normalize: canonical form for what is there already, and nothing else of it changed."""

from __future__ import annotations

import errno
import json
import marshal
import os
import stat
import sys
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

import payloads
import pycs
import trees
import wheels
from bounds import bounded
from detpyc.bytecode.canonical import canonicalize_pyc
from detpyc.bytecode.header import HEADER_SIZE, MAGIC_NUMBERS, InvalidationMode, PycHeader, source_hash
from detpyc.cli import main
from detpyc.compilation import interpreters
from detpyc.errors import DetpycError, SettingsError
from detpyc.limits import MAX_FILE
from detpyc.normalize import normalize_artifact
from detpyc.verify.artifacts import verify_artifact
from payloads import flagged, small_tuple, text

if TYPE_CHECKING:
    from pathlib import Path

HERE = interpreters.current()
UNSUPPORTED = b"\x50\x01\r\n" + bytes(12) + b"N"


def raw(version: tuple[int, int] = HERE.version) -> bytes:
    """Write a pyc of a version that is not in canonical form."""
    (magic_number,) = (number for number, other in MAGIC_NUMBERS.items() if other == version)
    header = PycHeader(magic_number, InvalidationMode.TIMESTAMP, mtime=5, source_size=7).to_bytes()
    return header + payloads.code(version, {"consts": small_tuple(flagged(text("a b")))})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A pyc of each version, and some that cannot be normalized."""
    (tmp_path / "sub").mkdir()
    for version in MAGIC_NUMBERS.values():
        (tmp_path / "sub" / "{}.{}.pyc".format(*version)).write_bytes(raw(version))
    (tmp_path / "pypy.pyc").write_bytes(UNSUPPORTED)
    (tmp_path / "broken.pyc").write_bytes(raw()[:-1])
    return tmp_path


def test_every_version_on_any_python(tree: Path) -> None:
    report = normalize_artifact(tree)
    assert (report.pycs, len(report.changed)) == (len(MAGIC_NUMBERS) + 2, len(MAGIC_NUMBERS))
    assert report.unsupported.keys() == {str(tree / "pypy.pyc")}
    assert "PyPy" in report.unsupported[str(tree / "pypy.pyc")]
    assert "(at offset " in report.malformed[str(tree / "broken.pyc")]
    for version in MAGIC_NUMBERS.values():
        data = (tree / "sub" / "{}.{}.pyc".format(*version)).read_bytes()
        assert data == canonicalize_pyc(raw(version)) != raw(version)
        assert data[:HEADER_SIZE] == raw(version)[:HEADER_SIZE]
    assert (tree / "pypy.pyc").read_bytes() == UNSUPPORTED
    assert (tree / "broken.pyc").read_bytes() == raw()[:-1]
    assert normalize_artifact(tree).changed == ()


def test_what_cpython_wrote(tmp_path: Path) -> None:
    path = tmp_path / "core.pyc"
    code = compile("def f(x):\n    return x, 'a b'\n", "core.py", "exec", dont_inherit=True)
    path.write_bytes(raw()[:HEADER_SIZE] + marshal.dumps(code))
    assert normalize_artifact(path).changed == (str(path),)
    assert marshal.loads(path.read_bytes()[HEADER_SIZE:]) == code  # noqa: S302 - written from what was compiled here


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_mode_and_mtime_stay(tmp_path: Path) -> None:
    path = tmp_path / "core.pyc"
    path.write_bytes(raw())
    path.chmod(0o640)
    os.utime(path, ns=(0, 1_600_000_000_123_456_789))
    normalize_artifact(path)
    status = path.stat()
    assert path.read_bytes() != raw()
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert status.st_mtime_ns == 1_600_000_000_123_456_789


def test_canonical_files_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "core.pyc"
    path.write_bytes(canonicalize_pyc(raw()))
    inode = path.stat().st_ino
    assert normalize_artifact(path).changed == ()
    assert path.stat().st_ino == inode


def test_check_changes_nothing(tree: Path) -> None:
    before = {path: path.read_bytes() for path in tree.rglob("*.pyc")}
    report = normalize_artifact(tree, check=True)
    assert len(report.changed) == len(MAGIC_NUMBERS)
    assert {path: path.read_bytes() for path in tree.rglob("*.pyc")} == before


def test_links_and_pipes(tmp_path: Path) -> None:
    """In a tree links are skipped: their targets are in it as well, or belong to something else."""
    if sys.platform == "win32":
        pytest.skip("links and pipes are POSIX's")
    outside, tree = tmp_path / "outside.pyc", tmp_path / "tree"
    tree.mkdir()
    outside.write_bytes(raw())
    (tree / "link.pyc").symlink_to(outside)
    os.mkfifo(tree / "pipe.pyc")

    with bounded():
        report = normalize_artifact(tree)

    assert (report.changed, [*report.malformed]) == ((), [str(tree / "pipe.pyc")])
    assert outside.read_bytes() == raw()

    normalize_artifact(tree / "link.pyc")
    assert (tree / "link.pyc").is_symlink()
    assert outside.read_bytes() == canonicalize_pyc(raw())


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_what_cannot_be_written(tree: Path) -> None:
    (tree / "sub").chmod(0o500)
    report = normalize_artifact(tree)
    (tree / "sub").chmod(0o700)
    assert report.changed == ()
    assert "cannot be written" in report.malformed[str(tree / "sub/3.12.pyc")]


def test_directory_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beside it was changed, and is told."""
    (tree / "closed").mkdir()
    listed = os.scandir

    def scan(path: str) -> object:
        if path == str(tree / "closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scan)
    report = normalize_artifact(tree)
    assert len(report.changed) == len(MAGIC_NUMBERS)
    assert report.malformed[str(tree / "closed")] == f"cannot be read: {os.strerror(errno.EACCES)}"


@pytest.mark.parametrize("name", ["core.py", "missing", "missing.pyc", "missing.whl"])
def test_what_cannot_be_normalized(tmp_path: Path, name: str) -> None:
    (tmp_path / "core.py").touch()
    with pytest.raises(DetpycError, match=name):
        normalize_artifact(tmp_path / name)


# ---- wheels

FILES = {"core.py": b"x = 1\n", "core.pyc": raw(), "pypy.pyc": UNSUPPORTED, "other.pyc": canonicalize_pyc(raw())}


def test_wheel(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, FILES)
    before = metadata(path)

    report = normalize_artifact(path)

    after = wheels.read(path)
    assert (report.changed, [*report.unsupported], report.malformed) == (("core.pyc",), ["pypy.pyc"], {})
    assert metadata(path) == before
    assert after == wheels.complete({**FILES, "core.pyc": canonicalize_pyc(raw())})


def metadata(path: Path) -> list[object]:
    """Return what the archive says of each member, but RECORD, which is written anew."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()[:-1]
        return [(one.filename, one.date_time, one.external_attr, one.compress_type) for one in members]


def test_wheel_that_is_canonical(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {"core.pyc": canonicalize_pyc(raw())})
    inode = path.stat().st_ino
    assert normalize_artifact(path).changed == ()
    assert path.stat().st_ino == inode


def test_wheel_whose_record_does_not_hold(tmp_path: Path) -> None:
    contents = wheels.complete(FILES)
    path = wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", {**contents, "core.py": b"x = 2\n"})
    with pytest.raises(DetpycError, match=r"RECORD's line for core\.py has a wrong sha256 hash"):
        normalize_artifact(path)


# ---- the command


@pytest.mark.parametrize(
    ("names", "options", "status"),
    [
        (["sub"], ["--check"], 1),
        (["sub"], [], 0),
        (["pypy.pyc"], ["--check"], 0),
        (["broken.pyc", "sub"], ["--check"], 2),
        (["missing", "sub"], [], 2),
    ],
)
def test_exit_status(tree: Path, names: list[str], options: list[str], status: int) -> None:
    assert main(["normalize", "-q", *options, *(str(tree / name) for name in names)]) == status


def test_json(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["normalize", "--json", "--check", str(tree / "sub/3.8.pyc"), str(tree / "missing")])
    assert json.loads(capsys.readouterr().out) == {
        "format": 1,
        "reports": [
            {
                "path": str(tree / "sub/3.8.pyc"),
                "pycs": 1,
                "changed": [str(tree / "sub/3.8.pyc")],
                "unsupported": {},
                "malformed": {},
                "kept-timestamps": {},
            },
            {
                "path": str(tree / "missing"),
                "error": f"{tree / 'missing'}: not a wheel, directory or .pyc file; other archives and images are not"
                " rewritten",
            },
        ],
    }


def test_for_people(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["normalize", str(tree)])
    shown, errors = capsys.readouterr()
    assert f"{tree}: {len(MAGIC_NUMBERS)} of {len(MAGIC_NUMBERS) + 2} pycs normalized\n" in shown
    assert f"skipped {tree / 'pypy.pyc'}: magic number 336 is from PyPy" in shown
    assert f"detpyc: {tree / 'broken.pyc'}: " in errors


def test_what_cannot_be_read_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.build(tmp_path, {"core.py": b"x = 1\n", "core.pyc": raw()[:-1]})
    (tmp_path / "large").mkdir()
    large_wheel = wheels.build(tmp_path / "large", {"large.pyc": bytes(MAX_FILE + 1)})
    large = tmp_path / "large.pyc"
    with large.open("wb") as stream:
        stream.truncate(MAX_FILE + 1)

    assert main(["normalize", str(path), str(large_wheel), str(large)]) == 2

    first, large_member, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"detpyc: {path}: core.pyc: the data ends ")
    assert large_member == f"detpyc: {large_wheel}: large.pyc: has {MAX_FILE + 1} bytes; the limit is {MAX_FILE}"
    assert second == f"detpyc: {large}: has {MAX_FILE + 1} bytes; the limit is {MAX_FILE}"


# ---- temporary files, and directories that are swapped


@pytest.mark.parametrize("check", [False, True])
def test_temporary_files_of_killed_runs(tree: Path, check: bool) -> None:  # noqa: FBT001
    """They are removed even if nothing else is to be done there."""
    wheel = wheels.build(tree / "sub", {"demo.pyc": raw()})
    normalize_artifact(tree)
    stale = [directory / ".detpyc-0123456789abcdef.tmp" for directory in (tree, tree / "sub")]
    for path in stale:
        path.write_bytes(b"unfinished")
    assert normalize_artifact(tree, check=check).changed == ()
    assert [path for path in stale if path.exists()] == (stale if check else [])
    stale[1].write_bytes(b"unfinished")
    assert normalize_artifact(wheel, check=check).changed == ("demo.pyc",)
    assert stale[1].exists() is check


@pytest.mark.skipif(sys.platform == "win32", reason="there are no directory descriptors")
def test_directory_that_is_swapped_for_a_link(tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path.with_name("outside")
    outside.mkdir()
    for path in (tree / "sub").iterdir():
        (outside / path.name).write_bytes(path.read_bytes())
    before = {path: path.read_bytes() for path in outside.iterdir()}
    replace = os.replace

    def swap_and_replace(*arguments: Any, **options: Any) -> None:
        if not (tree / "sub").is_symlink():
            (tree / "sub").rename(tmp_path.with_name("moved"))
            (tree / "sub").symlink_to(outside)
        replace(*arguments, **options)

    monkeypatch.setattr(os, "replace", swap_and_replace)
    report = normalize_artifact(tree)
    assert {path: path.read_bytes() for path in outside.iterdir()} == before
    assert len(report.changed) == 1
    assert "leads out of the tree" in report.malformed[str(tree / "sub" / "3.9.pyc")]


# ---- timestamps

SOURCE = b"x = 1\n"
MTIME = 1_700_000_001
CACHED = f"__pycache__/core.{HERE.cache_tag}.pyc"


def timestamp(mtime: int = MTIME, size: int = len(SOURCE)) -> bytes:
    return pycs.pyc(SOURCE, mtime=mtime, size=size)


def header(data: bytes) -> tuple[str, bytes | None]:
    parsed = PycHeader.parse(data)
    return parsed.mode, parsed.source_hash


@pytest.mark.parametrize("mode", [InvalidationMode.CHECKED_HASH, InvalidationMode.UNCHECKED_HASH])
def test_timestamps_become_hashes(mode: str, tmp_path: Path) -> None:
    path = trees.write(tmp_path, {"core.py": SOURCE, CACHED: timestamp()}) / CACHED
    os.utime(tmp_path / "core.py", (0, MTIME + 0.7))
    report = normalize_artifact(tmp_path, invalidation_mode=mode)
    assert (report.changed, report.kept_timestamps) == ((str(path),), {})
    assert header(path.read_bytes()) == (mode, source_hash(SOURCE, HERE.magic_number))
    assert path.read_bytes()[HEADER_SIZE:] == canonicalize_pyc(timestamp())[HEADER_SIZE:]
    assert normalize_artifact(path, invalidation_mode="checked-hash").changed == ()


@pytest.mark.parametrize(
    ("pyc", "source", "reason"),
    [
        (timestamp(), None, "there is no source"),
        (timestamp(), SOURCE + b"#", "its source has another size"),
        (timestamp(MTIME + 1), SOURCE, "its source has another time"),
    ],
)
def test_timestamps_that_stay(pyc: bytes, source: bytes | None, reason: str, tmp_path: Path) -> None:
    path = trees.write(tmp_path, {CACHED: canonicalize_pyc(pyc)}) / CACHED
    if source is not None:
        (tmp_path / "core.py").write_bytes(source)
        os.utime(tmp_path / "core.py", (0, MTIME))
    report = normalize_artifact(path, invalidation_mode="checked-hash")
    assert (report.changed, report.kept_timestamps) == ((), {str(path): reason})
    assert path.read_bytes() == canonicalize_pyc(pyc)


@pytest.mark.parametrize(("offset", "converted"), [(0, True), (1, True), (2, False), (-1, False)])
def test_timestamps_in_wheels(offset: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, converted: bool) -> None:
    """The date of a member is a local time, and has a resolution of two seconds."""
    if sys.platform == "win32":
        pytest.skip("the time zone cannot be set")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    mtime = int(time.mktime((*wheels.DATE, -1, -1, -1)))
    wheel = wheels.build(tmp_path, {"core.py": SOURCE, CACHED: timestamp(mtime + offset)})
    report = normalize_artifact(wheel, invalidation_mode="checked-hash")
    mode = InvalidationMode.CHECKED_HASH if converted else InvalidationMode.TIMESTAMP
    assert header(wheels.read(wheel)[CACHED])[0] == mode
    assert report.kept_timestamps == ({} if converted else {CACHED: "its source has another time"})
    assert verify_artifact(wheel, [HERE]).findings[0].loads == converted
    monkeypatch.undo()
    time.tzset()


def test_unknown_mode(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        normalize_artifact(tmp_path, invalidation_mode="timestamp")


def test_command_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees.write(tmp_path, {"core.py": SOURCE, CACHED: timestamp(), "gone.pyc": canonicalize_pyc(timestamp())})
    os.utime(tmp_path / "core.py", (0, MTIME))
    assert main(["normalize", "--invalidation-mode", "checked-hash", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path}: 1 of 2 pycs normalized\n    the timestamp stays in {tmp_path / 'gone.pyc'}: there is no source\n"
    )
    assert header((tmp_path / CACHED).read_bytes())[0] == InvalidationMode.CHECKED_HASH
