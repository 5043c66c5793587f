"""The compile cache never changes a byte, whatever its state: it only saves time."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import trees
import wheels
from command_line import COMMAND, detpyc, done, unchanged
from detpyc.compilation import interpreters
from detpyc.compilation.cache_location import find_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

PROCESSES = 16
MODULES = {
    "pkg/__init__.py": b"",
    "pkg/sets.py": b"def f(x):\n    return x in {1, 'two', None}, ('two', 1.5), ('two', 1.5), 0.3 ** 33.3\n",
    "pkg/broken.py": b"def f(:\n",
    "pkg/coded.py": "# coding: latin-1\nname = 'é'\n".encode("latin-1"),
    "pkg/café.py": b'"""Documented."""\nassert __debug__\n',
    **{f"pkg/module_{number}.py": b"class A:\n    value = %d\n" % number for number in range(3)},
}
LEVELS = ("--optimize", "0", "--optimize", "2")


def compile_tree(tree: Path, *options: str, **run: Any) -> dict[str, bytes]:
    """Byte-compile a fresh tree, and return its pycs."""
    shutil.rmtree(tree, ignore_errors=True)
    trees.write(tree, MODULES)
    done("compile", *LEVELS, *options, tree, **run)
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*.pyc")}


def compile_wheel(directory: Path, *options: str, **run: Any) -> dict[str, bytes]:
    """Byte-compile a fresh wheel, and return it."""
    directory.mkdir(exist_ok=True)
    path = wheels.build(directory, MODULES)
    done("wheel", "--on-syntax-error", "skip", *LEVELS, *options, path, **run)
    return {path.name: path.read_bytes()}


BOTH = pytest.mark.parametrize(
    ("compiled", "on"), [(compile_tree, ()), (compile_wheel, ("--cache",))], ids=["tree", "wheel"]
)


def cache_directory() -> Path:
    store = find_store()
    assert store is not None
    return store.directory


def cache_files() -> list[Path]:
    return sorted(path for path in cache_directory().glob("?/*") if path.is_file())


@BOTH
def test_cold_and_warm(compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], tmp_path: Path) -> None:
    expected = compiled(tmp_path / "there", "--no-cache")
    assert cache_files() == []
    assert compiled(tmp_path / "there", *on) == expected
    files = cache_files()
    assert len(files) > 2 * (len(MODULES) - 1)
    assert compiled(tmp_path / "elsewhere", *on) == expected
    assert {path for path in cache_files() if path not in files} == set() or compiled is compile_tree


@BOTH
@pytest.mark.parametrize("region", [0, 0.5, 1])
def test_half_corrupted(
    compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], region: float, tmp_path: Path
) -> None:
    """Every second file, one byte of each region of a file in turn: `test_every_changed_byte_is_noticed` has all."""
    expected = compiled(tmp_path / "there", *on)
    for path in cache_files()[::2]:
        content = bytearray(path.read_bytes())
        content[int(region * (len(content) - 1))] ^= 0x20
        path.write_bytes(content)
    assert compiled(tmp_path / "there", *on) == expected
    assert compiled(tmp_path / "there", *on) == expected


@BOTH
def test_pruned_meanwhile(compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], tmp_path: Path) -> None:
    expected = compiled(tmp_path / "there", *on)
    script = (
        "import sys; from detpyc.compilation.cache_location import find_store\n"
        "while True: find_store().clear(); find_store().prune(3000)"
    )
    pruning = subprocess.Popen([sys.executable, "-c", script])
    try:
        for _ in range(2):
            assert compiled(tmp_path / "there", *on) == expected
    finally:
        pruning.kill()
        pruning.wait()


@BOTH
def test_many_processes_at_once(compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], tmp_path: Path) -> None:
    expected = compiled(tmp_path / "there", "--no-cache")
    running = []
    for number in range(PROCESSES):
        directory = tmp_path / str(number)
        if compiled is compile_tree:
            command = ["compile", *LEVELS, str(trees.write(directory, MODULES))]
        else:
            directory.mkdir()
            path = wheels.build(directory, MODULES)
            command = ["wheel", "--on-syntax-error", "skip", *LEVELS, *on, str(path)]
        running.append(subprocess.Popen([*COMMAND, *command, "-q", "-j", "1"]))
    assert [process.wait() for process in running] == [0] * PROCESSES
    for number in range(PROCESSES):
        files = (tmp_path / str(number)).rglob("*.pyc" if compiled is compile_tree else "*.whl")
        assert {str(path.relative_to(tmp_path / str(number))): path.read_bytes() for path in files} == expected


def read_only(directory: Path) -> None:
    for path in [directory, *directory.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)


def replaced_by_a_file(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.write_bytes(b"")


def open_to_others(directory: Path) -> None:
    directory.chmod(0o777)


def readable_by_others(directory: Path) -> None:
    directory.chmod(0o755)


def of_another_user(directory: Path) -> None:
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(directory, 65534, -1)


def with_a_full_device_for_every_file(directory: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no such devices")
    for path in directory.glob("?/*"):
        path.unlink()
        path.symlink_to("/dev/full")


def with_a_pipe_for_every_file(directory: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    for path in directory.glob("?/*"):
        path.unlink()
        os.mkfifo(path)


@BOTH
@pytest.mark.parametrize(
    "spoil",
    [
        read_only,
        replaced_by_a_file,
        open_to_others,
        readable_by_others,
        of_another_user,
        with_a_pipe_for_every_file,
        with_a_full_device_for_every_file,
    ],
)
def test_cache_that_cannot_be_used(
    compiled: Callable[..., dict[str, bytes]],
    on: tuple[str, ...],
    spoil: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    expected = compiled(tmp_path / "there", *on)
    directory = cache_directory()
    spoil(directory)
    assert compiled(tmp_path / "there", *on) == expected
    directory.chmod(stat.S_IRWXU)


@BOTH
def test_read_only_directory(
    compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], unprivileged: tuple[str, ...], tmp_path: Path
) -> None:
    """Root could write to it."""
    expected = compiled(tmp_path / "there", "--no-cache")
    directory = cache_directory()
    read_only(directory)
    assert compiled(tmp_path / "there", *on, prefix=unprivileged) == expected
    assert cache_files() == []
    directory.chmod(stat.S_IRWXU)


def mounted(directory: Path, script: str) -> tuple[str, ...]:
    """Return a command that runs another one where a script has mounted a file system on a directory."""
    prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script, str(directory))
    trial = shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False)
    if not trial or trial.returncode:
        pytest.skip("file systems cannot be mounted")
    return prefix


@BOTH
def test_read_only_mount(compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], tmp_path: Path) -> None:
    expected = compiled(tmp_path / "there", "--no-cache")
    prefix = mounted(cache_directory(), 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"')
    for warm in (False, True):
        if warm:
            compiled(tmp_path / "there", *on)
        for path in cache_files():
            os.utime(path, (0, 0))  # a cache that can be written to would note that they are used
        with unchanged(cache_directory()):
            assert compiled(tmp_path / "there", *on, prefix=prefix) == expected
        assert bool(cache_files()) == warm


@BOTH
def test_full_disk(compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], tmp_path: Path) -> None:
    expected = compiled(tmp_path / "there", "--no-cache")
    listing = tmp_path / "listing"
    script = f'mount -t tmpfs -o size=16k,mode=700 none "$0"; "$@"; find "$0" -mindepth 2 -type f > "{listing}"'
    assert compiled(tmp_path / "there", *on, prefix=mounted(cache_directory(), script)) == expected
    assert 0 < len(listing.read_text().splitlines()) <= 4  # as many as have room
    compiled(tmp_path / "there", *on)
    assert len(cache_files()) > 2 * 4


@BOTH
@pytest.mark.skipif(sys.platform == "win32", reason="has other locks")
def test_file_system_without_locks(
    compiled: Callable[..., dict[str, bytes]], on: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = compiled(tmp_path / "there", "--no-cache")
    script = (
        "import errno, fcntl\n"
        "def flock(*_):\n"
        f"    open({str(tmp_path / 'tried')!r}, 'w').close()\n"
        "    raise OSError(errno.ENOLCK, '')\n"
        "fcntl.flock = flock\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(trees.write(tmp_path / "path", {"sitecustomize.py": script.encode()})))
    for _ in range(2):
        assert compiled(tmp_path / "there", *on) == expected
        assert len(cache_files()) > 2 * (len(MODULES) - 1)
    assert (tmp_path / "tried").exists()


def copied_interpreter(python: Path) -> Interpreter:
    """Copy the running interpreter to a path, which runs there with the library where it was."""
    python.parent.mkdir(exist_ok=True)
    shutil.copy(os.path.realpath(sys.executable), python)
    return interpreters.describe(python)


@pytest.mark.skipif(sys.platform != "linux", reason="a copy of the executable does not run elsewhere")
def test_rebuilt_interpreter_under_the_same_path(tmp_path: Path) -> None:
    """It says of itself what it said before, and its results are kept under other keys."""
    python = tmp_path / "bin" / "python"
    before = copied_interpreter(python)
    expected = compile_tree(tmp_path / "there", "-i", str(python))
    cached = cache_files()
    with python.open("ab") as file:
        file.write(b"rebuilt")
    assert interpreters.describe(python).same_release(before)
    assert compile_tree(tmp_path / "there", "-i", str(python)) == expected
    assert len(cache_files()) >= 2 * len(cached) - 5


def test_another_interpreter_under_the_same_path(
    before_and_from_312: tuple[Interpreter, Interpreter], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    older, newer = before_and_from_312
    expected = [
        compile_tree(tmp_path / "there", "--no-cache", "-i", interpreter.path) for interpreter in (older, newer)
    ]
    found = []
    for interpreter in (older, newer, older, newer):
        python.unlink(missing_ok=True)
        python.write_text(f'#!/bin/sh\nexec "{interpreter.path}" "$@"\n')
        python.chmod(0o755)
        found.append(compile_tree(tmp_path / "there", "-i", str(python)))
    assert found == expected * 2


def test_pyc_of_another_patch_release(two_releases: tuple[Interpreter, Interpreter], tmp_path: Path) -> None:
    """Whether it stays does not depend on the cache."""
    one, other = two_releases
    source = b"def f(x):\n    return sum(y for y in x if y)\n"
    results = []
    for cached in ("--no-cache", "--cache"):
        compile_tree(tmp_path / "warm", cached, "-i", other.path)
        tree = trees.write(tmp_path / cached, {"module.py": source})
        warm = trees.write(tmp_path / f"{cached} warm", {"module.py": source})
        done("compile", cached, "-i", other.path, warm)
        done("compile", "--no-cache", "-i", one.path, tree)
        done("compile", cached, "-i", other.path, tree)
        results.append([path.read_bytes() for directory in (tree, warm) for path in directory.rglob("*.pyc")])
    assert results[0] == results[1]
    assert results[0][0] != results[0][1]


def test_wheel_and_tree_share_what_is_compiled(tmp_path: Path) -> None:
    compile_wheel(tmp_path / "wheel", "--cache")
    before = cache_files()
    compile_tree(tmp_path / "tree")
    assert len(cache_files()) == len(before) + 1  # what is known of the tree


def test_deflate_implementation_is_part_of_the_key(tmp_path: Path) -> None:
    (path,) = compile_wheel(tmp_path / "one", "--cache")
    before = cache_files()
    script = (
        "import sys, zlib; zlib.ZLIB_RUNTIME_VERSION = 'another'; sys.argv[0] = 'detpyc'\n"
        "from detpyc.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    wheel = wheels.build(tmp_path, MODULES)
    command = [sys.executable, "-c", script, "wheel", "--cache", "-q", "--on-syntax-error", "skip", *LEVELS, str(wheel)]
    subprocess.run(command, check=True)
    assert wheel.read_bytes() == (tmp_path / "one" / path).read_bytes()
    assert len(cache_files()) == len(before) + 2 * (len(MODULES) - 1)
    assert zlib.ZLIB_RUNTIME_VERSION != "another"


def with_setting(value: str) -> Mapping[str, str]:
    return {**os.environ, "DETPYC_CACHE": value}


def test_only_those_use_it_that_should(tmp_path: Path) -> None:
    compile_wheel(tmp_path / "default")
    assert cache_files() == []
    path = wheels.build(tmp_path, MODULES)
    done("wheel", "--on-syntax-error", "skip", path, env=with_setting("1"))
    assert cache_files() != []
    done("cache", "clear")
    tree = trees.write(tmp_path / "tree", MODULES)
    done("compile", tree, env=with_setting("0"))
    done("compile", "--check", tree)
    assert cache_files() == []
    for artifact in (path, tree):
        assert detpyc("verify", artifact, env=with_setting("1")).returncode in {0, 1}
    assert cache_files() == []
    done("wheel", "--no-cache", "--like", path, wheels.build(tmp_path / "default", MODULES), env=with_setting("1"))
    assert cache_files() == []
    done("wheel", "--cache", "--like", path, wheels.build(tmp_path / "default", MODULES))
    assert cache_files() != []


def test_command(tmp_path: Path) -> None:
    compile_tree(tmp_path / "tree")
    number = len(cache_files())
    assert f"cache-1: {number} files, " in done("cache", "info").stdout
    assert done("cache", "prune", "--max-size", "1G", "--json").returncode == 0
    assert done("cache", "prune", "--max-size", "0").stdout.endswith("left: 0 files, 0 of 0 bytes\n")
    compile_tree(tmp_path / "tree")
    assert f"cache-1: {number} files removed, " in done("cache", "clear").stdout
    assert cache_files() == []
    assert detpyc("cache", "prune", "--max-size", "much").returncode == 2
    cache_directory().chmod(0o755)
    assert "set it to 700" in done("cache", "info").stdout
    completed = detpyc("cache", "clear")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "its mode is 755; set it to 700" in completed.stderr
