"""Interpreters, requested by name or path, and how they describe themselves."""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.compilation import description, installation, interpreters, worker
from detpyc.compilation.interpreters import Interpreter
from detpyc.errors import InterpreterError, MissingInterpreterError

if sys.platform == "win32":
    pytest.skip("the interpreters that misbehave need POSIX", allow_module_level=True)

from fakes import Fakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Arrange = Callable[[Iterable[Interpreter | str]], None]

RUNNING = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return Fakes(tmp_path, monkeypatch)


@pytest.fixture
def there_are(monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """Replace the search by a list of descriptions, and of paths that do not run."""

    def arrange(found: Iterable[Interpreter | str]) -> None:
        by_path = {item if isinstance(item, str) else item.path: item for item in found}

        def describe(path: str) -> Interpreter:
            described = by_path[path]
            if isinstance(described, str):
                raise InterpreterError(f"{described}: ended with status 127")
            return described

        monkeypatch.setattr(interpreters, "_executables", lambda: {path: path for path in by_path})
        monkeypatch.setattr(interpreters, "describe", describe)

    return arrange


def cpython(release: str, path: str | None = None) -> Interpreter:
    major, minor = map(int, release.split(".")[:2])
    number = {of: number for number, of in MAGIC_NUMBERS.items()}.get((major, minor), 3394)
    tag = f"cpython-{major}{minor}"
    return Interpreter(path or f"/usr/bin/python{release}", "cpython", release, tag, number)


# ---- descriptions


def test_description_of_the_running_one() -> None:
    found = interpreters.describe(sys.executable)
    assert found == interpreters.current()
    assert found == Interpreter(
        sys.executable,
        "cpython",
        platform.python_version(),
        sys.implementation.cache_tag,
        int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little"),
        tuple(worker.describe_build()),
    )
    assert found.version == sys.version_info[:2]
    assert found.problem is None


def test_description_of_every_interpreter(interpreter: Interpreter) -> None:
    assert interpreter.problem is None
    assert MAGIC_NUMBERS[interpreter.magic_number] == interpreter.version
    assert interpreter.cache_tag == "cpython-{}{}".format(*interpreter.version)


def test_python_that_does_not_know_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(InterpreterError, match="does not know its own executable"):
        interpreters.current()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("pypy", "it is pypy, not CPython, and its bytecode has another format"),
        ("3.7", "it is CPython 3.7.17 with magic number 3394; CPython 3.8 to 3.15 are supported"),
        ("alpha", "it is CPython 3.14.0a1 with magic number 3600; CPython 3.8 to 3.15 are supported, final releases"),
        ("future", "it is CPython 3.99.0 with magic number 3999"),
        (
            "fails",
            "not a usable Python interpreter; CPython 3.8 to 3.15 are supported. It ended with status 7\n    cannot",
        ),
        ("silent", "not a Python interpreter: it sent an invalid reply"),
        ("talkative", "not a Python interpreter: it sent an invalid reply"),
        ("short", "not a Python interpreter: it sent an invalid reply"),
        ("not-utf-8", "not a Python interpreter: it sent an invalid reply"),
        ("mute", "did not start within 1 seconds"),
    ],
)
def test_paths_of_what_cannot_compile(
    fakes: Fakes, behaviour: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if behaviour == "mute":
        monkeypatch.setattr(description, "START_LIMIT", 1.0)
    python = fakes.make(behaviour)
    with pytest.raises(InterpreterError) as caught:
        interpreters.find_interpreter(python)
    assert str(caught.value).startswith(f"{python}: ")
    assert words in str(caught.value)
    assert fakes.all_gone()


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0, "cannot be run: No such file or directory"),
        (b"#!/bin/sh\nexec true\n", 0o644, "cannot be run: Permission denied"),
        (b"no program", 0o755, "cannot be run: Exec format error"),
        (b"#!/no/such/program\n", 0o755, "cannot be run: No such file or directory"),
        (b"#!/bin/sh\nexit 127\n", 0o755, "It ended with status 127"),
    ],
)
def test_paths_of_what_does_not_run(tmp_path: Path, content: bytes | None, mode: int, words: str) -> None:
    path = tmp_path / "python"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(InterpreterError) as caught:
        interpreters.find_interpreter(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


def test_path_of_the_running_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not be run to be described, whatever its name is."""
    monkeypatch.setattr(interpreters, "describe", lambda _: pytest.fail("the interpreter was run"))
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    for path in (sys.executable, str(link)):
        assert interpreters.find_interpreter(path) == interpreters.current()._replace(path=path)


def test_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreters.find_interpreter(sys.executable) == interpreters.current()
    python = Path(sys.executable)
    monkeypatch.chdir(python.parent)
    assert interpreters.find_interpreter(f"./{python.name}").release == platform.python_version()


# ---- requests


@pytest.mark.parametrize("prefix", ["", "cpython", "cpython-", "python", "Python", "python-"])
@pytest.mark.parametrize("release", [RUNNING, platform.python_version()])
def test_running_one_is_preferred(there_are: Arrange, prefix: str, release: str) -> None:
    there_are([cpython(f"{RUNNING}.99")])
    assert interpreters.find_interpreter(prefix + release) == interpreters.current()


@pytest.mark.parametrize(
    "request_", ["3", "4.0", "3.x", "pypy3.10", "3.12t", "cp312", "", "3.12.", "~=3.12", "3.12.1.2"]
)
def test_invalid_requests(request_: str) -> None:
    with pytest.raises(InterpreterError) as caught:
        interpreters.find_interpreter(request_)
    assert str(caught.value).startswith(f'invalid interpreter "{request_}"; write "3.12", "3.12.1"')


@pytest.mark.parametrize(
    ("request_", "expected"),
    [("3.8", "3.8.10"), ("3.8.9", "3.8.9"), ("3.9", "3.9.1"), ("3.8.10", "3.8.10")],
)
def test_newest_release_that_fits(there_are: Arrange, request_: str, expected: str) -> None:
    there_are(
        [
            cpython("3.8.9", "/a/python3.8"),
            cpython("3.8.10", "/b/python3.8"),
            cpython("3.8.2", "/c/python3.8"),
            "/broken/python3.8",
            cpython("3.9.1", "/d/python3"),  # its name does not say what it is
        ]
    )
    assert interpreters.find_interpreter(request_).release == expected


def test_one_digit_more_is_another_release(there_are: Arrange) -> None:
    there_are([cpython("3.8.10", "/a/python3.8")])
    for request in ("3.8.1", "3.80"):
        with pytest.raises(InterpreterError, match=f'no interpreter for "{request}"'):
            interpreters.find_interpreter(request)


@pytest.mark.parametrize(
    ("request_", "advice"),
    [
        ("3.9", "Install CPython 3.9, put it on PATH, or give the path of its executable."),
        (
            "3.8.3",
            (
                "Install CPython 3.8.3 exactly (its bytecode differs from other patch releases'), for example with"
                " `uv python install 3.8.3` or `pyenv install 3.8.3`."
            ),
        ),
    ],
)
def test_missing_interpreter_lists_those_that_were_found(there_are: Arrange, request_: str, advice: str) -> None:
    there_are([cpython("3.8.10"), "/shims/python3.9", cpython("3.10.1")])
    with pytest.raises(InterpreterError) as caught:
        interpreters.find_interpreter(request_)
    first, *listed, own, way_out = str(caught.value).splitlines()
    assert first == f'no interpreter for "{request_}"; found:'
    assert {tuple(line.split()) for line in listed} == {
        ("3.8.10", "/usr/bin/python3.8.10"),
        ("3.10.1", "/usr/bin/python3.10.1"),
        (platform.python_version(), sys.executable),
    }
    another = " If any patch release will do, request 3.8 instead." if request_ == "3.8.3" else ""
    assert own == advice + another
    assert way_out == (
        'Or set on-missing-interpreter to "install" (--install-interpreters) to have uv install it, or to "skip" to'
        " omit its bytecode. In a build, DETPYC_DISABLE=1 omits all bytecode."
    )

    with pytest.raises(MissingInterpreterError) as caught:
        interpreters.find_interpreter(request_, exactly=True)
    assert str(caught.value).splitlines()[-1] == f"{advice} --install-interpreters has uv install it."
    assert caught.value.release == request_


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases that are installed, in place of an installation."""
    releases: list[str] = []

    def install(release: str) -> Interpreter:
        releases.append(release)
        return cpython(release)

    monkeypatch.setattr(installation, "install_interpreter", install)
    return releases


def test_missing_interpreter_is_installed(there_are: Arrange, installed: list[str]) -> None:
    there_are([cpython("3.8.10", "/a/python3.8")])
    assert interpreters.find_interpreter("3.8", install=True).release == "3.8.10"
    assert installed == []
    assert interpreters.find_interpreter("cpython-3.8.3", install=True).release == "3.8.3"
    assert installed == ["3.8.3"]


# ---- those that compile


def test_what_is_missing_is_skipped(there_are: Arrange, installed: list[str]) -> None:
    there_are([cpython("3.8.10", "/a/python3.8")])
    chosen = interpreters.choose(["3.9.1", "cpython3.8", "3.9", "python3.9.1"], "skip")
    assert [interpreter.release for interpreter in chosen.interpreters] == ["3.8.10"]
    assert chosen.missing == ("3.9.1", "3.9")
    assert interpreters.choose(["3.9"], "skip") == interpreters.Chosen((), ("3.9",))
    assert interpreters.choose([], "skip") == interpreters.Chosen((interpreters.current(),))
    assert installed == []


def test_what_is_missing_is_installed(there_are: Arrange, installed: list[str]) -> None:
    there_are([cpython("3.8.10", "/a/python3.8")])
    chosen = interpreters.choose(["3.9.1", "3.8"], "install")
    assert [interpreter.release for interpreter in chosen.interpreters] == ["3.8.10", "3.9.1"]
    assert chosen.missing == ()
    assert installed == ["3.9.1"]


@pytest.mark.parametrize("on_missing", ["fail", "skip", "install"])
@pytest.mark.parametrize("request_", ["/no/python", "pypy3.10"])
def test_only_releases_can_be_missing(on_missing: str, request_: str, installed: list[str]) -> None:
    with pytest.raises(InterpreterError) as caught:
        interpreters.choose([request_], on_missing)
    assert not isinstance(caught.value, MissingInterpreterError)
    assert installed == []


def test_missing_interpreter_fails(there_are: Arrange) -> None:
    there_are([])
    with pytest.raises(MissingInterpreterError):
        interpreters.choose(["3.9"])


def test_release_that_is_there_but_not_supported(there_are: Arrange) -> None:
    there_are([cpython("3.7.17", "/usr/bin/python3.7")])
    with pytest.raises(InterpreterError, match=r"3\.8 to 3\.15 are supported"):
        interpreters.find_interpreter("3.7")


def test_other_implementations_are_not_taken_for_cpython(there_are: Arrange) -> None:
    pypy = Interpreter("/usr/bin/python3.8", "pypy", "3.8.10", "pypy38", 336)
    there_are([pypy])
    with pytest.raises(InterpreterError, match=r'no interpreter for "3\.8"'):
        interpreters.find_interpreter("3.8")
    assert pypy in interpreters.find_interpreters()


def test_all_that_are_found(there_are: Arrange) -> None:
    there_are([cpython("3.8.9"), cpython("3.8.10"), "/shims/python3.9", cpython("3.7.1")])
    found = [interpreter.release for interpreter in interpreters.find_interpreters()]
    assert found == [platform.python_version(), "3.8.10", "3.8.9", "3.7.1"]


@pytest.mark.parametrize(
    ("variable", "installed"),
    [("PYENV_ROOT", "versions/3.8.18/bin"), ("ASDF_DATA_DIR", "installs/python/3.8.18/bin")],
)
def test_shims_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, installed: str) -> None:
    """The Pythons that they run are found themselves, and start in a tenth of the time."""
    for directory in ("shims", installed, "own"):
        (tmp_path / directory).mkdir(parents=True)
        python = tmp_path / directory / "python3.8"
        python.write_text(f'#!/bin/sh\ntouch "$0.ran"\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        python.chmod(0o755)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}{os.pathsep}{tmp_path / 'own'}{os.pathsep}/bin")
    found = {interpreter.path for interpreter in interpreters.find_interpreters()}
    assert {str(tmp_path / directory / "python3.8") for directory in (installed, "own")} <= found
    assert not (tmp_path / "shims" / "python3.8.ran").exists()


def test_running_one_is_listed_once() -> None:
    real = [os.path.realpath(interpreter.path) for interpreter in interpreters.find_interpreters()]
    assert real.count(os.path.realpath(sys.executable)) == 1


def test_one_for_each_release_of_a_version(there_are: Arrange) -> None:
    there_are([cpython("3.8.9", "/a/python3.8"), cpython("3.8.10", "/b/python3.8"), cpython("3.8.9", "/c/python3.8")])
    found = [interpreter.release for interpreter in interpreters.find_releases((3, 8))]
    assert found == ["3.8.10", "3.8.9"]
    assert interpreters.find_releases(sys.version_info[:2]) == [interpreters.current()]
