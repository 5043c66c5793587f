"""The files of the compile cache: complete or not there, and never an error."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from detpyc.compilation import store
from detpyc.compilation.cache_location import cache_directory, find_store, read_size, size_limit
from detpyc.compilation.store import CACHE_SIZE, Store
from detpyc.errors import DetpycError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = [bytes([17 * number]) * 32 for number in range(10)]
HEAD = 32  # bytes of a file before the value
DAY = 86_400


@pytest.fixture
def files(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def path_of(files: Store, key: bytes) -> Path:
    return files.directory / key.hex()[:1] / key.hex()[1:]


def age(files: Store, key: bytes, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path_of(files, key), (then, then))


@pytest.mark.parametrize("value", [b"", b"value", bytes(1 << 20)])
def test_value_is_returned(files: Store, value: bytes) -> None:
    assert files.get(KEYS[0]) is None
    files.put(KEYS[0], value)
    assert files.get(KEYS[0]) == value
    assert Store(files.directory).get(KEYS[0]) == value
    assert files.get(KEYS[1]) is None


def test_every_changed_byte_is_noticed(files: Store) -> None:
    files.put(KEYS[0], b"value")
    path = path_of(files, KEYS[0])
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        assert files.get(KEYS[0]) is None
        path.write_bytes(whole[:index])
        assert files.get(KEYS[0]) is None
    path.write_bytes(whole + b"\0")
    assert files.get(KEYS[0]) is None
    files.put(KEYS[0], b"value")
    assert files.get(KEYS[0]) == b"value"


def test_file_under_another_name_is_not_used(files: Store) -> None:
    for key in KEYS[:2]:
        files.put(key, key)
    path_of(files, KEYS[0]).replace(path_of(files, KEYS[1]))
    assert files.get(KEYS[1]) is None


def make_directory(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    os.mkfifo(path)


def make_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"")
    path.symlink_to(other)


@pytest.mark.parametrize("make", [make_directory, make_pipe, make_link])
def test_what_is_not_a_file_is_not_read(files: Store, make: Callable[[Path], None]) -> None:
    files.put(KEYS[0], b"value")
    path_of(files, KEYS[0]).unlink()
    make(path_of(files, KEYS[0]))
    assert files.get(KEYS[0]) is None
    files.put(KEYS[0], b"value")  # replaces a file or a link


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("function", ["open", "write", "replace", "mkdir"])
def test_failure_to_write_is_ignored(files: Store, function: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk or a read-only file system: nothing is left behind, and no more is tried."""
    files.put(KEYS[0], b"value")
    genuine = getattr(os, function)

    def fail(*arguments: Any, **named: Any) -> Any:
        if function == "open" and not arguments[1] & os.O_CREAT:
            return genuine(*arguments, **named)
        raise OSError(number, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        files.put(KEYS[1], b"other")
        assert not files.writable
        files.finish()
    assert (files.get(KEYS[0]), files.get(KEYS[1])) == (b"value", None)
    assert list(files.directory.rglob(".*")) == []
    files.put(KEYS[2], b"third")
    assert files.get(KEYS[2]) is None


def test_write_in_pieces(files: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: genuine(descriptor, data[:7]))
    files.put(KEYS[0], b"a value of some length")
    assert files.get(KEYS[0]) == b"a value of some length"


def test_interrupted_write_leaves_nothing(files: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.put(KEYS[0], b"value")
    assert [path.name for path in files.directory.rglob("*") if path.is_file()] == []


def test_cleared_meanwhile(files: Store) -> None:
    files.put(KEYS[0], b"value")
    assert Store(files.directory).clear().number == 1
    assert files.get(KEYS[0]) is None
    files.put(KEYS[0], b"value")
    assert files.get(KEYS[0]) == b"value"


@pytest.mark.skipif(sys.platform == "win32", reason="has no modes")
@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o720])
def test_directory_that_others_may_enter_is_not_used(tmp_path: Path, mode: int) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    with pytest.raises(DetpycError, match="set it to 700"):
        Store(tmp_path / "cache")


@pytest.mark.skipif(sys.platform == "win32", reason="has no owners")
def test_directory_of_another_user_is_not_used(files: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: files.directory.stat().st_uid + 1)
    with pytest.raises(DetpycError, match="belongs to another user"):
        Store(files.directory)


def test_link_to_a_directory_is_not_used(files: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(files.directory)
    with pytest.raises(DetpycError, match="cannot be used"):
        Store(tmp_path / "link")


@pytest.mark.skipif(sys.platform == "win32", reason="has no descriptors of directories")
def test_directory_that_is_replaced_meanwhile(files: Store, tmp_path: Path) -> None:
    """Others may be able to rename the directories above."""
    files.put(KEYS[0], b"value")
    files.directory.rename(tmp_path / "moved")
    files.directory.mkdir(mode=0o700)
    assert files.get(KEYS[0]) == b"value"
    files.put(KEYS[1], b"value")
    assert list(files.directory.iterdir()) == []


def test_what_is_used_stays(files: Store) -> None:
    for index, key in enumerate(KEYS):
        files.put(key, bytes(1000 - HEAD))
        age(files, key, (10 - index) * DAY)
    assert files.get(KEYS[0]) is not None  # and so it was used
    assert files.prune(3000) == (7, 7000)
    assert [key for key in KEYS if files.get(key) is not None] == [KEYS[0], KEYS[8], KEYS[9]]
    assert files.files() == (3, 3000)
    assert files.clear() == (3, 3000)
    assert list(files.directory.iterdir()) == []


def test_it_does_not_grow_without_end(tmp_path: Path) -> None:
    files = Store(tmp_path / "cache", limit=5000)
    for index, key in enumerate(KEYS):
        files.put(key, bytes(1000 - HEAD))
        age(files, key, (10 - index) * DAY)
        files.finish()
        assert files.files().size <= 5000
    assert files.get(KEYS[-1]) is not None


def test_it_is_counted_again_after_many_runs(files: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAX_RUNS", 3)
    for _ in range(5):
        files.put(KEYS[0], bytes(1000))
        files.finish()
    assert (files.directory / "added").stat().st_size <= 4 * 8
    assert files.get(KEYS[0]) == bytes(1000)


def test_what_a_killed_process_left_is_removed(files: Store) -> None:
    files.put(KEYS[0], b"value")
    old, new = (path_of(files, KEYS[0]).with_name(name) for name in (".old", ".new"))
    for path in (old, new):
        path.write_bytes(b"part")
    os.utime(old, (time.time() - DAY,) * 2)
    files.prune(CACHE_SIZE)
    assert (old.exists(), new.exists(), files.get(KEYS[0])) == (False, True, b"value")


def test_many_processes_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from detpyc.compilation.store import Store\n"
        "files = Store(Path(sys.argv[1]), limit=40_000)\n"
        "keys = [bytes([number]) * 32 for number in range(20)]\n"
        "for number in range(200):\n"
        "    key = keys[number % 20]\n"
        "    assert files.get(key) in (None, key * 100)\n"
        "    files.put(key, key * 100)\n"
        "    if number % 20 == 0: files.finish()\n"
        "assert files.writable"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "cache")]
    processes = [subprocess.Popen(command) for _ in range(16)]
    assert [process.wait() for process in processes] == [0] * 16
    files = Store(tmp_path / "cache")
    files.prune(40_000)
    assert files.files().size <= 40_000
    assert list(files.directory.rglob(".*")) == []


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_directory({}).parent == Path(platformdirs.user_cache_dir("detpyc", appauthor=False))
    assert cache_directory({"DETPYC_CACHE_DIR": str(tmp_path)}).parent == tmp_path
    monkeypatch.chdir(tmp_path)
    assert cache_directory({"DETPYC_CACHE_DIR": "there"}).parent == tmp_path / "there"
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: "~/.cache/detpyc")
    with pytest.raises(DetpycError, match="DETPYC_CACHE_DIR"):
        cache_directory({})
    assert find_store() is None
    assert list(tmp_path.iterdir()) == []


def test_cache_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("DETPYC_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert find_store() is None


def test_cache_that_is_only_read(files: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DETPYC_CACHE_DIR", str(tmp_path / "none"))
    assert find_store(writable=False) is None
    files.put(KEYS[0], b"value")
    age(files, KEYS[0], DAY)
    before = path_of(files, KEYS[0]).stat()
    reading = Store(files.directory, writable=False)
    reading.put(KEYS[1], b"value")
    assert (reading.get(KEYS[0]), reading.get(KEYS[1])) == (b"value", None)
    assert path_of(files, KEYS[0]).stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1000", 1000), ("2k", 2048), ("500M", 500 << 20), ("2G", CACHE_SIZE * 2)]
)
def test_size(text: str, size: int) -> None:
    assert read_size(text) == size
    assert size_limit({"DETPYC_CACHE_SIZE": text}) == size


@pytest.mark.parametrize("text", ["x", "-1", "1.5G", "G", "1T", "1GB", "²", "9" * 100])
def test_wrong_size(text: str) -> None:
    with pytest.raises(SettingsError, match="DETPYC_CACHE_SIZE must be a size such as 500M or 2G"):
        size_limit({"DETPYC_CACHE_SIZE": text})


def test_default_size() -> None:
    assert size_limit({}) == size_limit({"DETPYC_CACHE_SIZE": ""}) == CACHE_SIZE
