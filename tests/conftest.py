"""Fixtures for the interpreters that are installed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from packaging.version import Version

import printed
import states
from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.compilation import interpreters
from detpyc.errors import InterpreterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.compilation.interpreters import Interpreter

settings.register_profile("detpyc", deadline=None)
settings.load_profile("detpyc")

# A shell starts its background jobs with SIGINT ignored, and they pass that on. Tests that send it would wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

printed.check_all_that_is_printed()

FLAVOURS = {"d": "debug", "t": "free-threaded"}  # of sys.abiflags
DEBUG = "3.14 debug"
# A fixed list, whichever are installed, so that every xdist worker collects the same tests.
NAMES = [*(f"{major}.{minor}" for major, minor in sorted(MAGIC_NUMBERS.values())), DEBUG]


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a separate cache for each test, not the user's."""
    path = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    return path


@pytest.fixture(scope="session")
def pythons() -> dict[str, Interpreter]:
    """Return the supported CPythons that are installed, the newest release for each name in ``NAMES``."""
    found = {python.path: python for python in all_pythons()}
    return {name_of(python): python for python in sorted(found.values(), key=lambda python: Version(python.release))}


def all_pythons() -> list[Interpreter]:
    found = [*interpreters.find_interpreters(), *named_in_environment()]
    return [python for python in found if python.problem is None]


def named_in_environment() -> Iterator[Interpreter]:
    """Yield the interpreters that DETPYC_TEST_PYTHONS names: executables, and those in directories."""
    for entry in filter(None, os.environ.get("DETPYC_TEST_PYTHONS", "").split(os.pathsep)):
        path = Path(entry)
        executables = sorted(path.iterdir()) if path.is_dir() else [path]
        for executable in executables:
            if path.is_dir() and not re.fullmatch(r"python3\.\d+[a-z]*(\.exe)?", executable.name):
                continue
            try:
                yield interpreters.describe(executable)
            except InterpreterError:
                if not path.is_dir():
                    raise


def name_of(interpreter: Interpreter) -> str:
    command = [interpreter.path, "-s", "-S", "-B", states.__file__, "abiflags"]
    flags = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout.decode()
    major, minor = interpreter.version
    return " ".join([f"{major}.{minor}", *(FLAVOURS[flag] for flag in flags.strip('"'))])


@pytest.fixture(params=NAMES)
def interpreter(request: pytest.FixtureRequest, pythons: dict[str, Interpreter]) -> Interpreter:
    """Run the test with every interpreter; skip it for those that are missing."""
    return require(request, pythons, request.param)


@pytest.fixture
def release_and_debug(
    request: pytest.FixtureRequest, pythons: dict[str, Interpreter]
) -> tuple[Interpreter, Interpreter]:
    """Return two builds of the same release."""
    release, debug = (require(request, pythons, name) for name in (DEBUG.removesuffix(" debug"), DEBUG))
    if release.release != debug.release:
        pytest.skip(f"CPython {debug.release} debug is installed, but no other build of {debug.release}")
    return release, debug


@pytest.fixture
def two_releases(request: pytest.FixtureRequest) -> tuple[Interpreter, Interpreter]:
    """Return two releases whose compilers differ: 3.13.0 and the newest later 3.13."""
    found = {python.release: python for python in all_pythons()}
    later = [release for release in found if release.startswith("3.13.") and release != "3.13.0"]
    if "3.13.0" not in found or not later:
        request.node.user_properties.append(("missing interpreter", "3.13"))
        pytest.skip("CPython 3.13.0 and a later 3.13 are missing")
    return found["3.13.0"], found[max(later, key=Version)]


@pytest.fixture
def before_and_from_312(
    request: pytest.FixtureRequest, pythons: dict[str, Interpreter]
) -> tuple[Interpreter, Interpreter]:
    """Return the oldest CPython before 3.12 and the newest from 3.12 on, which has syntax that the other does not."""
    in_order = sorted(pythons.values(), key=lambda python: python.version)
    older = [python for python in in_order if python.version < (3, 12)]
    newer = [python for python in in_order if python.version >= (3, 12)]
    if not older:
        older = [require(request, pythons, "3.11")]
    if not newer:
        newer = [require(request, pythons, "3.12")]
    return older[0], newer[-1]


def require(request: pytest.FixtureRequest, pythons: dict[str, Interpreter], name: str) -> Interpreter:
    if name not in pythons:
        request.node.user_properties.append(("missing interpreter", name))
        pytest.skip(f"CPython {name} is missing")
    return pythons[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    properties = [item for report in skipped for item in getattr(report, "user_properties", [])]
    missing = {name for kind, name in properties if kind == "missing interpreter"}
    if missing:
        terminalreporter.section("missing interpreters")
        for name in NAMES:
            if name in missing:
                terminalreporter.line(f"CPython {name}: its tests were skipped")
        terminalreporter.line("To use more, list executables or their directories in DETPYC_TEST_PYTHONS.")
