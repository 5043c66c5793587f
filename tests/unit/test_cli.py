"""The command line: its arguments, and its exit status."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import tempfile
from io import StringIO
from typing import TYPE_CHECKING, NoReturn

import pytest

import wheels
from detpyc import __version__, cli
from detpyc.compilation import interpreters
from detpyc.compilation.interpreters import Interpreter
from detpyc.errors import DetpycError
from detpyc.verify.reports import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMANDS = [
    "wheel",
    "verify",
    "compile",
    "strip",
    "normalize",
    "canonicalize",
    "diff",
    "inspect",
    "reproduce",
    "interpreters",
    "cache",
    "completion",
]


def ended(*arguments: str) -> int:
    """Run argparse until it exits, and return the status."""
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("others", [[], ["--help"], ["wheel"], ["nothing"]])
def test_version(others: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version", *others) == 0
    assert capsys.readouterr() == (f"detpyc {__version__}\n", "")


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    output, _ = capsys.readouterr()
    assert [name for name in COMMANDS if f"\n    {name}" not in output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_some_options_in_common(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(command, "--help") == 0
    output, _ = capsys.readouterr()
    assert all(option in output for option in ("--json", "-q, --quiet", "-v, --verbose"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["nothing"], f"unknown command 'nothing'; choose from {', '.join(COMMANDS)}\n"),
        (["verfy", "x.whl"], "unknown command 'verfy'; did you mean verify?\n"),
        (["strips", "--check", "x.whl"], "unknown command 'strips'; did you mean strip?\n"),
        (["wheel"], "the following arguments are required: WHEEL"),
        (["wheel", "--inter", "3.12", "x.whl"], "unrecognized arguments: --inter; did you mean --interpreter?\n"),
        (["wheel", "--optimise=2", "x.whl"], "unrecognized arguments: --optimise=2; did you mean --optimize?\n"),
        (["verify", "x.whl", "-x", "--Strict"], "unrecognized arguments: -x --Strict; did you mean --strict?\n"),
        (["inspect", "x.pyc", "json"], "unrecognized arguments: json\n"),
        (["--versoin"], "unrecognized arguments: --versoin; did you mean --version?\n"),
        (["--bogus"], "unrecognized arguments: --bogus\n"),
        (["--bogus", "wheel", "x.whl"], "unrecognized arguments: --bogus\n"),
        (["wheel", "--jobs", "-1", "x.whl"], 'must be a positive number, not "-1"'),
        (["wheel", "--jobs", "many", "x.whl"], 'must be a positive number, not "many"'),
        (["interpreters", "-q", "-v"], "not allowed with argument"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("usage: detpyc")
    assert words in errors


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something happen in the middle of a command."""

    def arrange(event: Callable[[], object]) -> None:
        monkeypatch.setattr(interpreters, "find_interpreters", event)

    return arrange


def fail_with(error: BaseException) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (fail_with(DetpycError("pkg/x.whl: not a wheel")), "detpyc: pkg/x.whl: not a wheel\n"),
        (fail_with(KeyboardInterrupt()), "detpyc: interrupted; unfinished files are unchanged\n"),
        (fail_with(MemoryError()), "detpyc: there is not enough memory; unfinished files are unchanged\n"),
        (lambda: signal.raise_signal(signal.SIGTERM), "detpyc: terminated; unfinished files are unchanged\n"),
    ],
)
def test_what_ends_a_command(
    interrupted: Callable[[Callable[[], object]], None],
    event: Callable[[], object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupted(event)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["interpreters"]) == 2
    assert capsys.readouterr() == ("", message)
    assert signal.getsignal(signal.SIGTERM) is before


def test_signal_that_is_ignored(
    interrupted: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """nohup has its way."""
    if sys.platform == "win32":
        pytest.skip("there is no such signal")

    def hang_up() -> list[Interpreter]:
        signal.raise_signal(signal.SIGHUP)
        return []

    interrupted(hang_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert cli.main(["interpreters"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert capsys.readouterr().err == ""


def test_reader_that_is_gone(
    interrupted: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # so that it comes back
    interrupted(fail_with(BrokenPipeError()))
    assert cli.main(["interpreters"]) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(("name", "status"), [("tree", 0), ("missing", 2)])
def test_closed_stream(
    stream: str,
    name: str,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is not written to, and what would go there does not go elsewhere."""
    (tmp_path / "tree").mkdir()
    monkeypatch.setattr(sys, stream, None)
    assert cli.main(["compile", "--no-cache", str(tmp_path / name)]) == status
    output, errors = capsys.readouterr()
    assert bool(output) == (stream == "stderr" and not status)
    assert bool(errors) == (stream == "stdout" and bool(status))


class Full(StringIO):
    """A stream on a full disk."""

    def write(self, _: str) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    assert cli.main(["--version"]) == 2
    assert capsys.readouterr().err == f"detpyc: the output cannot be written: {os.strerror(errno.ENOSPC)}\n"
    monkeypatch.setattr(sys, "stderr", Full())
    assert cli.main(["inspect", "missing.pyc"]) == 2


def test_signal_of_windows(
    interrupted: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It comes when the console is closed, and with Ctrl-Break."""
    if sys.platform == "win32":
        pytest.skip("it has no such signals")
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)

    def raise_signal() -> list[object]:
        signal.raise_signal(signal.SIGUSR1)
        return []

    interrupted(raise_signal)
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    try:
        assert cli.main(["interpreters"]) == 2
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert capsys.readouterr().err == "detpyc: terminated; unfinished files are unchanged\n"


def test_bug_is_shown_and_never_looks_like_a_finding(
    interrupted: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Python itself would exit with 1, which means that a check found something."""
    interrupted(fail_with(ZeroDivisionError("a bug")))
    assert cli.main(["interpreters"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("Traceback (most recent call last):\n")
    assert errors.endswith("ZeroDivisionError: a bug\n")


FOUND = [
    Interpreter("/usr/bin/python3.13", "cpython", "3.13.5", "cpython-313", 3571),
    Interpreter("/opt/pypy/bin/python", "pypy", "3.10.14", "pypy310", 336),
]


def test_interpreters(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(interpreters, "find_interpreters", lambda: FOUND)
    assert cli.main(["interpreters"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "RELEASE  CACHE TAG    MAGIC  PATH",
        "3.13.5   cpython-313  3571   /usr/bin/python3.13",
        "3.10.14  pypy310      336    /opt/pypy/bin/python  not supported",
    ]
    assert cli.main(["interpreters", "--verbose"]) == 0
    assert capsys.readouterr().out.endswith(f"  not supported: {FOUND[1].problem}\n")
    assert cli.main(["interpreters", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    first, second = document["interpreters"]
    assert (first["supported"], first["problem"]) == (True, None)
    assert (second["supported"], second["problem"]) == (False, FOUND[1].problem)


def test_interpreters_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(interpreters, "find_interpreters", lambda: FOUND)
    assert cli.main(["interpreters", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_no_interpreters(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(interpreters, "find_interpreters", list)
    assert cli.main(["interpreters"]) == 0
    assert capsys.readouterr().out == "RELEASE  CACHE TAG  MAGIC  PATH\n"


@pytest.mark.parametrize(
    "arguments",
    [
        *([command, ""] for command in ("wheel", "verify", "compile", "normalize", "inspect")),
        ["wheel", "x.whl", "--output-dir", ""],
        ["wheel", "x.whl", "--like", ""],
        ["wheel", "x.whl", "--pyproject", ""],
        ["verify", "x.whl", "--sources", ""],
        ["diff", "", ""],
        ["reproduce", "", "--from", "."],
        ["reproduce", "x.whl", "--from", ""],
    ],
)
def test_empty_paths(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An unset variable is not taken for the current directory."""
    assert ended(*arguments) == 2
    assert capsys.readouterr().err.endswith('is empty; write "." for the current directory\n')


@pytest.mark.parametrize("command", ["wheel", "compile"])
@pytest.mark.parametrize(
    ("option", "name"), [("-i", "--interpreter"), ("--include", "--include"), ("--exclude", "--exclude")]
)
def test_mistakes_in_options(
    command: str, option: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the option, not the setting."""
    assert cli.main([command, option, "", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f'detpyc: {name} must be a list of non-empty strings; found ""\n'


def test_no_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a container where all is read-only."""
    path = wheels.build(tmp_path)
    assert cli.main(["wheel", "-q", str(path)]) == 0
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    for arguments in (["wheel", "--check"], ["reproduce", "--from", "."]):
        assert cli.main([*arguments, str(path)]) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert errors.startswith("detpyc: No usable temporary directory found in ")
        assert errors.endswith("; name one in TMPDIR\n")


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--check"], 1)])
def test_wheel(tmp_path: Path, options: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = wheels.build(tmp_path)
    before = path.read_bytes()
    assert cli.main(["wheel", str(path), *options]) == status
    assert (path.read_bytes() == before) is bool(status)
    assert capsys.readouterr().out.startswith(f"{path.name}: {'would change' if status else '2 modules byte-compiled'}")


def test_status_that_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["verify", "--allow", "same", "."])
    known = ", ".join(status.value for status in Status)
    assert capsys.readouterr().err.endswith(f"argument --allow: unknown status 'same'; choose from {known}\n")


def test_wheel_that_the_compiling_python_cannot_install(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline may name one interpreter for the wheels of several."""
    release = "{}.{}.{}".format(*sys.version_info[:3])
    minor = release.rpartition(".")[0]
    warning = (
        f"detpyc: warning: demo-1.0-cp37-cp37m-win_amd64.whl: the pycs of CPython {release} will never be loaded:"
        f" no CPython {minor} can install a wheel with the tag cp37-cp37m-win_amd64\n"
    )
    for tag, warnings in (("cp37-cp37m-win_amd64", warning), ("py3-none-any", "")):
        assert cli.main(["wheel", str(wheels.build(tmp_path, tag=tag))]) == 0
        output, errors = capsys.readouterr()
        assert errors == warnings
        assert (f"; loaded by CPython {minor}\n" in output) == (not warnings)


def test_patterns_where_the_shell_leaves_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows."""
    for project in ("one-1", "two-1", "[x]-1"):
        wheels.build(tmp_path, project=project)
    arguments = ["strip", *(str(tmp_path / name) for name in ("*-none-any.whl", "[x]-1-py3-none-any.whl", "?.whl"))]
    assert cli.main(arguments) == 2
    assert "any.whl: 0 pycs" not in capsys.readouterr().out  # the pattern, as it is; other shells have expanded it
    monkeypatch.setattr(sys, "platform", "win32")
    assert cli.main(arguments) == 2
    output, errors = capsys.readouterr()
    assert [line.partition(": ")[0] for line in output.splitlines()] == [
        *(str(tmp_path / f"{project}-1-py3-none-any.whl") for project in ("one", "two")),
    ]
    assert str(tmp_path / "?.whl") in errors
