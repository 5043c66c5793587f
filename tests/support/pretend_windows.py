"""A pytest plugin that takes away what Windows does not have, to collect the tests as they are collected there."""

from __future__ import annotations

import concurrent.futures.process
import importlib.metadata
import multiprocessing.context
import os
import signal
import socket
import subprocess
import sys
import types

import findpython
import hypothesis
import installer.sources
import jsonschema
import rich.progress
import ruamel.yaml

__all__ = ["pytest_sessionstart"]

# All of these look at the platform when they are imported, and are not what is tried.
IMPORTED_BEFORE = (
    concurrent.futures.process,
    findpython,
    hypothesis,
    importlib.metadata,
    installer.sources,
    jsonschema,
    multiprocessing.context,
    rich.progress,
    ruamel.yaml,
    socket,
    subprocess,
)
ABSENT_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
ABSENT_FUNCTIONS = ("chown", "fork", "getegid", "geteuid", "getgid", "getuid", "killpg", "mkfifo", "openpty")
ABSENT_SIGNALS = ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2")
WINDOWS_MODULES = ("_winapi", "msvcrt", "winreg")


def pytest_sessionstart() -> None:
    """Take it away, and add what is asked for at import, before any test module is imported."""
    for name in ABSENT_MODULES:
        sys.modules[name] = None  # type: ignore[assignment] # as documented: the import then fails
    for name in WINDOWS_MODULES:
        sys.modules[name] = types.ModuleType(name)
    for name in ABSENT_FUNCTIONS:
        delattr(os, name)
    for name in ABSENT_SIGNALS:
        delattr(signal, name)
    vars(sys).update(platform="win32", getwindowsversion=lambda: (10, 0, 20348))
