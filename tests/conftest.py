"""The interpreters that are here, for all tests."""

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

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.compilation import interpreters
from detpyc.errors import InterpreterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.compilation.interpreters import Interpreter

settings.register_profile("detpyc", deadline=None)
settings.load_profile("detpyc")

# A shell has its background jobs ignore it, and so what they start: the tests that send it would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STATES = Path(__file__).parent / "integration" / "states.py"
FLAVOURS = {"d": "debug", "t": "free-threaded"}  # of sys.abiflags
DEBUG = "3.14 debug"
# Fixed, and not what is found, so that every xdist worker collects the same tests.
NAMES = [*(f"{major}.{minor}" for major, minor in sorted(MAGIC_NUMBERS.values())), DEBUG]


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep each test's caches apart, and out of the user's."""
    path = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    return path


@pytest.fixture(scope="session")
def pythons() -> dict[str, Interpreter]:
    """Every supported CPython that is here, the newest release for each name in ``NAMES``."""
    found = [*interpreters.find_interpreters(), *named_in_environment()]
    supported = {interpreter.path: interpreter for interpreter in found if interpreter.problem is None}
    return {name_of(each): each for each in sorted(supported.values(), key=lambda each: Version(each.release))}


def named_in_environment() -> Iterator[Interpreter]:
    """Give the interpreters that DETPYC_TEST_PYTHONS names: executables, and directories that hold some."""
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
    command = [interpreter.path, "-s", "-S", "-B", str(STATES), "abiflags"]
    flags = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout.decode()
    major, minor = interpreter.version
    return " ".join([f"{major}.{minor}", *(FLAVOURS[flag] for flag in flags.strip('"'))])


@pytest.fixture(params=NAMES)
def interpreter(request: pytest.FixtureRequest, pythons: dict[str, Interpreter]) -> Interpreter:
    """Each interpreter in turn; the test is skipped for those that are missing."""
    return here(request, pythons, request.param)


@pytest.fixture
def release_and_debug(
    request: pytest.FixtureRequest, pythons: dict[str, Interpreter]
) -> tuple[Interpreter, Interpreter]:
    """Two builds of one release."""
    release, debug = (here(request, pythons, name) for name in (DEBUG.removesuffix(" debug"), DEBUG))
    if release.release != debug.release:
        pytest.skip(f"CPython {debug.release} debug is here, but no other build of {debug.release}")
    return release, debug


@pytest.fixture
def two_releases(request: pytest.FixtureRequest) -> tuple[Interpreter, Interpreter]:
    """Two releases of one version that do not compile everything alike: 3.13.0, and any later 3.13."""
    here = [*interpreters.find_interpreters(), *named_in_environment()]
    found = {interpreter.release: interpreter for interpreter in here if interpreter.problem is None}
    later = [release for release in found if release.startswith("3.13.") and release != "3.13.0"]
    if "3.13.0" not in found or not later:
        request.node.user_properties.append(("missing interpreter", "3.13"))
        pytest.skip("CPython 3.13.0 and a later 3.13 are missing")
    return found["3.13.0"], found[max(later, key=Version)]


def here(request: pytest.FixtureRequest, pythons: dict[str, Interpreter], name: str) -> Interpreter:
    if name not in pythons:
        request.node.user_properties.append(("missing interpreter", name))
        pytest.skip(f"CPython {name} is missing")
    return pythons[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    properties = [each for report in skipped for each in getattr(report, "user_properties", [])]
    missing = {name for kind, name in properties if kind == "missing interpreter"}
    if missing:
        terminalreporter.section("missing interpreters")
        for name in NAMES:
            if name in missing:
                terminalreporter.line(f"CPython {name}: its tests were skipped")
        terminalreporter.line("Name executables, or directories that hold them, in DETPYC_TEST_PYTHONS.")
