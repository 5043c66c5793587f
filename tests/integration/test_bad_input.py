"""Bad input: a clear message, exit status 2, and every file as it was."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import wheels
from command_line import COMMAND, detpyc, done, unchanged

if sys.platform == "win32":
    pytest.skip("signals, mounts and the interpreters that misbehave need POSIX", allow_module_level=True)

import resource

from fakes import Fakes, locked

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator

INFO = "demo-1.0.dist-info"
NAME = "demo-1.0-py3-none-any.whl"
FULL = Path("/dev/full")
CORE = wheels.MODULES["demo/core.py"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory in which there is something else as well."""
    path = tmp_path / "dist"
    path.mkdir()
    (path / "neighbour.whl").write_bytes(b"somebody else's")
    return path


@pytest.fixture
def wheel(directory: Path) -> Path:
    """A good wheel."""
    return wheels.build(directory)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    path = tmp_path / "fakes"
    path.mkdir()
    return Fakes(path, monkeypatch)


def refused(completed: subprocess.CompletedProcess[str], *words: str) -> None:
    """Check that the message says what is wrong, without a traceback."""
    assert completed.returncode == 2
    assert completed.stderr.startswith(("detpyc: ", "usage: "))
    assert "Traceback" not in completed.stderr
    assert [word for word in words if word not in completed.stderr] == []
    assert completed.stdout == ""


# ---- wheels that are malformed or damaged


def written(contents: dict[str, bytes], name: str = NAME, **options: Any) -> Callable[[Path], Path]:
    return lambda directory: wheels.write(directory / name, contents, **options)


def with_members(**members: bytes) -> Callable[[Path], Path]:
    """Add members that RECORD lists."""
    return written(wheels.complete({**wheels.MODULES, **members}))


def with_names(*names: str) -> Callable[[Path], Path]:
    """Add members of some names, which RECORD lists."""
    contents = wheels.complete({**wheels.MODULES, **dict.fromkeys(names, b"")})
    pairs = [pair for name, content in contents.items() for pair in [(name, content)] * max(names.count(name), 1)]
    return lambda directory: wheels.write(directory / NAME, pairs)


def with_record(old: bytes, new: bytes) -> Callable[[Path], Path]:
    """Change RECORD."""
    contents = wheels.complete()
    record = contents[f"{INFO}/RECORD"]
    assert old in record
    return written({**contents, f"{INFO}/RECORD": record.replace(old, new)})


def without(name: str) -> Callable[[Path], Path]:
    return written({path: content for path, content in wheels.complete().items() if path != name})


def forged(attribute: str, value: int) -> Callable[[Path], Path]:
    """Write another value for one member in the archive's directory."""

    def forge(info: zipfile.ZipInfo) -> None:
        if info.filename == "demo/core.py":
            setattr(info, attribute, value)

    return written(wheels.complete(), forge=forge)


def damaged(**fields: int) -> Callable[[Path], Path]:
    """Write other values for one member in both of its headers."""
    return lambda directory: wheels.forge(wheels.build(directory), "demo/core.py", **fields)


def truncated(share: float) -> Callable[[Path], Path]:
    def write(directory: Path) -> Path:
        path = wheels.build(directory)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    return write


def no_archive(content: bytes) -> Callable[[Path], Path]:
    def write(directory: Path) -> Path:
        path = directory / NAME
        path.write_bytes(content)
        return path

    return write


HASH = wheels.sha256(CORE).encode()
OTHER_HASH = wheels.sha256(b"other").encode()

UNSOUND = {
    "no ZIP": (no_archive(b"This is a text.\n" * 100), ["not a ZIP archive"]),
    "empty": (no_archive(b""), ["not a ZIP archive"]),
    "truncated at the end": (truncated(0.99), ["not a ZIP archive, or is truncated"]),
    "truncated in the middle": (truncated(0.5), ["not a ZIP archive, or is truncated"]),
    "name without a tag": (written(wheels.complete(), "demo-1.0.whl"), ["its name is not a wheel's", "demo-1.0.whl"]),
    "name of a ZIP": (written(wheels.complete(), "demo-1.0-py3-none-any.zip"), ["its name is not a wheel's"]),
    "name with a bad version": (written(wheels.complete(), "demo-one-py3-none-any.whl"), ["not a wheel's", "one"]),
    "no .dist-info": (written(wheels.MODULES), ["has no .dist-info directory"]),
    "two .dist-info": (with_members(**{"other-1.dist-info/METADATA": b""}), ["has 2 .dist-info directories"]),
    "another's .dist-info": (written(wheels.complete(), "else-1.0-py3-none-any.whl"), [INFO, "not else 1.0's"]),
    "RECORD missing": (without(f"{INFO}/RECORD"), [f"has no {INFO}/RECORD"]),
    "RECORD malformed": (with_record(b",,\n", b"\n"), ["RECORD is malformed: line 5 has 1 fields, not 3"]),
    "RECORD not text": (with_record(b"demo/core.py", b"\xff"), ["RECORD is malformed", "not UTF-8"]),
    "RECORD lists what is not there": (without("demo/core.py"), ["RECORD lists demo/core.py, which is not in"]),
    "RECORD lacks what is there": (with_record(b"demo/core.py,", b"demo/gone.py,"), ["does not list demo/core.py"]),
    "wrong hash": (with_record(HASH, OTHER_HASH), ["RECORD's line for demo/core.py has a wrong sha256 hash"]),
    "wrong size": (with_record(b",%d\n" % len(CORE), b",7\n"), [f"says 7 bytes, and it has {len(CORE)}"]),
    "absolute name": (with_names("/etc/passwd.py"), ["/etc/passwd.py: is an absolute path"]),
    "name that leads out": (with_names("demo/../../evil.py"), ["demo/../../evil.py: has", "'..' part"]),
    "name with a backslash": (with_names("demo\\evil.py"), ["evil.py", "backslash"]),
    "name with a drive": (with_names("C:/evil.py"), ["C:/evil.py: starts with a drive"]),
    "name that occurs twice": (with_names("demo/x.py", "demo/x.py"), ["demo/x.py: occurs twice"]),
    "name twice by letter case": (with_names("demo/x.py", "demo/X.py"), ["demo/X.py: occurs twice, as demo/x.py"]),
    "name twice by Unicode form": (with_names("\xe9.py", "e\u0301.py"), ["e\u0301.py: occurs twice, as \xe9.py"]),
    "encrypted": (forged("flag_bits", 1), ["demo/core.py: is encrypted"]),
    "symbolic link": (forged("external_attr", (stat.S_IFLNK | 0o777) << 16), ["demo/core.py: is a symbolic link"]),
    "inflates too far": (damaged(size=10), ["demo/core.py: inflates past its declared 10 bytes"]),
    "damaged": (damaged(crc=1), ["demo/core.py: its CRC-32 is wrong"]),
    "signed by RECORD.jws": (with_members(**{f"{INFO}/RECORD.jws": b"{}"}), ["the signature RECORD.jws"]),
    "signed by RECORD.p7s": (with_members(**{f"{INFO}/RECORD.p7s": b""}), ["the signature RECORD.p7s"]),
    "malformed provenance": (with_members(**{f"{INFO}/detpyc.json": b"{"}), ["detpyc.json is malformed"]),
    "provenance of a later format": (with_members(**{f"{INFO}/detpyc.json": b'{"format": 2}'}), ["has format 2"]),
    "does not compile": (
        with_members(**{"demo/bad.py": b"x = 1\nx =\n"}),
        ["does not byte-compile 1 source", "demo/bad.py: SyntaxError: line 2", 'exclude them with "exclude"'],
    ),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_unsound_wheel(directory: Path, case: str) -> None:
    write, words = UNSOUND[case]
    path = write(directory)
    with unchanged(directory):
        refused(detpyc("wheel", path), f"detpyc: {path}: ", *words)


def test_other_wheels_are_done_all_the_same(directory: Path, tmp_path: Path) -> None:
    bad = no_archive(b"text")(directory)
    good = wheels.build(tmp_path, project="good-1.0")
    before = good.read_bytes()
    with unchanged(directory):
        completed = detpyc("wheel", "-q", bad, good)
    refused(completed, str(bad))
    assert str(good) not in completed.stderr
    assert good.read_bytes() != before


# ---- what a user gets wrong


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["usage: detpyc"]),
        (["whel", "WHEEL"], ["unknown command 'whel'; did you mean wheel?"]),
        (["wheel"], ["the following arguments are required: WHEEL"]),
        (["wheel", "missing.whl"], ["missing.whl: cannot be read: No such file or directory"]),
        (["wheel", "."], [".: cannot be read|is a directory; expected a file"]),
        (["wheel", "WHEEL", "--optimise", "1"], ["unrecognized arguments: --optimise"]),
        (["wheel", "WHEEL", "--optimize", "3"], ["argument --optimize: invalid choice: "]),
        (["wheel", "WHEEL", "--optimize", "one"], ["argument --optimize: invalid int value: 'one'"]),
        (["wheel", "WHEEL", "--jobs", "0"], ['argument -j/--jobs: must be a positive number, not "0"']),
        (["wheel", "WHEEL", "--invalidation-mode", "timestamp"], ["argument --invalidation-mode: invalid choice"]),
        (["wheel", "WHEEL", "--exclude", "!"], ["--exclude must be a list of gitignore patterns"]),
        (["wheel", "WHEEL", "--include", ""], ["--include must be a list of non-empty strings"]),
        (["wheel", "WHEEL", "-q", "-v"], ["not allowed with argument"]),
        (["wheel", "WHEEL", "--interpreter", "pypy3.10"], ['invalid interpreter "pypy3.10"; write "3.12"']),
        (
            ["wheel", "WHEEL", "--interpreter", "3.99"],
            ['no interpreter for "3.99"; found:', "Install CPython 3.99"],
        ),
        (["wheel", "WHEEL", "--interpreter", "/no/python"], ["/no/python: cannot be run: No such file or directory"]),
        (["wheel", "WHEEL", "--output-dir", "neighbour.whl"], ["neighbour.whl: cannot be created: File exists"]),
        (["wheel", "WHEEL", "--output-dir", "neighbour.whl/below"], ["below: cannot be created: Not a directory"]),
        (["wheel", "WHEEL", "--like", "missing.whl"], ["missing.whl: cannot be read"]),
        (
            ["wheel", "WHEEL", "--pyproject", "missing.toml"],
            ["missing.toml: cannot be read: No such file or directory"],
        ),
        (["wheel", "WHEEL", "--pyproject", "neighbour.whl"], ["neighbour.whl: not valid TOML: "]),
        (["wheel", "WHEEL", "--pyproject", "."], ["pyproject.toml: cannot be read: No such file or directory"]),
    ],
    ids=" ".join,
)
def test_mistakes(wheel: Path, arguments: list[str], words: list[str]) -> None:
    with unchanged(wheel.parent):
        completed = detpyc(*(wheel if argument == "WHEEL" else argument for argument in arguments), cwd=wheel.parent)
    refused(completed, *(word for word in words if "|" not in word))
    for word in words:
        assert any(alternative in completed.stderr for alternative in word.split("|"))


@pytest.mark.parametrize(
    ("variable", "arguments", "words"),
    [
        (
            "SOURCE_DATE_EPOCH=now",
            ["--normalize-archive"],
            "SOURCE_DATE_EPOCH must be a number of seconds, not 'now'",
        ),
        ("DETPYC_JOBS=many", [], 'DETPYC_JOBS must be a positive number, not "many"'),
        ("DETPYC_OPTIMIZE=3", [], 'DETPYC_OPTIMIZE must be a list of 0, 1 and 2; found "3"'),
    ],
)
def test_mistakes_in_the_environment(wheel: Path, variable: str, arguments: list[str], words: str) -> None:
    name, _, value = variable.partition("=")
    with unchanged(wheel.parent):
        refused(detpyc("wheel", wheel, *arguments, env={**os.environ, name: value}), words)


def test_pattern_that_is_not_unicode(wheel: Path) -> None:
    with unchanged(wheel.parent):
        refused(detpyc("wheel", wheel, "--include", os.fsdecode(b"\xff*.py")), "--include must be")


# ---- interpreters


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("pypy", ["it is pypy, not CPython"]),
        ("3.7", ["it is CPython 3.7.17", "CPython 3.8 to 3.15 are supported"]),
        ("alpha", ["it is CPython 3.14.0a1", "final releases only"]),
        ("talkative", ["not a Python interpreter: it sent an invalid reply"]),
        ("fails", ["not a usable Python interpreter", "ended with status 7\n    cannot load libpython"]),
        ("killed", ["2 sources", "demo/core.py: ", "ended with signal SIGKILL"]),
        ("crashes", ["demo/core.py: ", "ended with signal SIGSEGV"]),
        ("exits", ["demo/core.py: ", "ended with status 3\n    out of memory"]),
        ("answers-otherwise", ["demo/core.py: ", "sent an invalid reply: "]),
        ("is-unfaithful", ["demo/core.py: it is not the same"]),
        ("changes", ["is now cpython 3.12.99"]),
    ],
)
def test_interpreter_that_is_of_no_use(wheel: Path, fakes: Fakes, behaviour: str, words: list[str]) -> None:
    python = fakes.make(behaviour)
    with unchanged(wheel.parent):
        # Even if sources may be skipped: it is none of theirs that this goes wrong.
        refused(detpyc("wheel", wheel, "--interpreter", python, "--on-syntax-error", "skip"), *words)
    assert fakes.all_gone()


# ---- where it cannot be written


def noise(size: int) -> bytes:
    return b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(size // 32))


@pytest.fixture
def small_disk(directory: Path) -> Iterator[None]:
    """Mount a disk of 64 KiB there."""
    completed = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory], capture_output=True, check=False
    )
    if completed.returncode:
        pytest.skip("only root may mount a small disk; a limited file size is tested in its place")
    yield
    subprocess.run(["umount", directory], check=True)


@pytest.mark.usefixtures("small_disk")
def test_disk_is_full(directory: Path) -> None:
    path = wheels.build(directory, {**wheels.MODULES, "demo/data": noise(40_000)})
    with unchanged(directory):
        refused(detpyc("wheel", path), f"{path}: cannot be written: No space left on device")


@pytest.mark.parametrize(
    "limit",
    [
        0,
        100,
        20_000,
    ],
)
def test_file_becomes_too_large(directory: Path, limit: int) -> None:
    """Writing fails as it does on a full disk, for whoever may not mount one."""
    path = wheels.build(directory, {**wheels.MODULES, "demo/data": noise(40_000)})

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with unchanged(directory):
        refused(detpyc("wheel", path, preexec_fn=restrict), f"{path}: cannot be written: File too large")


def test_directory_is_read_only(wheel: Path, tmp_path: Path, unprivileged: tuple[str, ...]) -> None:
    wheel.parent.chmod(0o555)
    with unchanged(wheel.parent):
        refused(detpyc("wheel", wheel, prefix=unprivileged), f"{wheel}: cannot be written: Permission denied")
        refused(
            detpyc("wheel", wheel, "--output-dir", wheel.parent / "new", prefix=unprivileged),
            "new: cannot be created: Permission denied",
        )
        assert detpyc("wheel", "-q", "--check", wheel, prefix=unprivileged).returncode == 1
        done("wheel", "-q", wheel, "--output-dir", tmp_path / "out", prefix=unprivileged)


def test_wheel_cannot_be_read(wheel: Path, unprivileged: tuple[str, ...]) -> None:
    wheel.chmod(0o000)
    completed = detpyc("wheel", wheel, prefix=unprivileged)
    wheel.chmod(0o644)
    refused(completed, f"{wheel}: cannot be read: Permission denied")


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_output_cannot_be_written(wheel: Path) -> None:
    with FULL.open("w") as full, unchanged(wheel.parent):
        process = subprocess.run(
            [*COMMAND, "wheel", "--check", wheel], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert process.returncode == 2
    assert process.stderr.startswith("detpyc: ")
    assert "No space left on device" in process.stderr
    assert "Traceback" not in process.stderr


def test_reader_of_the_output_has_gone(wheel: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as broken, unchanged(wheel.parent):
        process = subprocess.run(
            [*COMMAND, "wheel", "--check", wheel], stdout=broken, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (process.returncode, process.stderr) == (2, "")


# ---- interruptions


def start(*arguments: str | os.PathLike[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGINT, "detpyc: interrupted; "), (signal.SIGTERM, "detpyc: terminated; ")]
)
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "group"])
@pytest.mark.parametrize("behaviour", ["waits", "does-not-read", "skips-handshake", "hangs-in-a-child", "mute"])
def test_signal_in_the_middle(
    wheel: Path,
    fakes: Fakes,
    number: signal.Signals,
    words: str,
    send: Callable[[int, signal.Signals], None],
    behaviour: str,
) -> None:
    with unchanged(wheel.parent):
        process = start("wheel", wheel, "--interpreter", fakes.make(behaviour))
        fakes.wait_for_one()
        send(process.pid, number)
        refused(finish(process), words, "unfinished files are unchanged")
    assert fakes.all_gone()


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_another_is_at_work_on_it(wheel: Path, arguments: list[str]) -> None:
    with unchanged(wheel.parent), locked(wheel):
        refused(detpyc("wheel", wheel, *arguments), f"{wheel}: in use by another detpyc process; try again")


def test_two_at_once(wheel: Path, fakes: Fakes) -> None:
    before = wheel.read_bytes()
    first = start("wheel", "-q", wheel, "--interpreter", fakes.make("waits"))
    fakes.wait_for_one()
    with unchanged(wheel.parent):
        refused(detpyc("wheel", wheel), "in use by another detpyc process")
    fakes.let_go()
    completed = finish(first)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert wheel.read_bytes() != before
    assert sorted(path.name for path in wheel.parent.iterdir()) == [NAME, "neighbour.whl"]
