"""A pytest plugin that takes away what another system does not have, to collect the tests as they are collected there.

``DETPYC_TEST_SYSTEM`` names it: ``darwin`` or ``win32``.
"""

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
LINUX_ONLY = (
    *("O_PATH", "O_TMPFILE", "copy_file_range", "eventfd", "getrandom", "memfd_create", "pidfd_open", "pipe2"),
    *("posix_fadvise", "posix_fallocate", "sched_getaffinity", "setresuid", "splice", "waitid"),
)
POSIX_ONLY = ("chown", "fork", "getegid", "geteuid", "getgid", "getuid", "killpg", "mkfifo", "openpty")
POSIX_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
POSIX_SIGNALS = ("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2")
WINDOWS_MODULES = ("_winapi", "msvcrt", "winreg")


def pytest_sessionstart() -> None:
    """Take it away, and add what is asked for at import, before any test module is imported."""
    system = os.environ["DETPYC_TEST_SYSTEM"]
    remove(os, LINUX_ONLY)
    if system == "win32":
        remove(os, POSIX_ONLY)
        remove(signal, POSIX_SIGNALS)
        for name in POSIX_MODULES:
            sys.modules[name] = None  # type: ignore[assignment] # as documented: the import then fails
        for name in WINDOWS_MODULES:
            sys.modules[name] = types.ModuleType(name)
        vars(sys).update(getwindowsversion=lambda: (10, 0, 20348))
    vars(sys).update(platform=system)


def remove(module: types.ModuleType, names: tuple[str, ...]) -> None:
    """Remove names from a module, some of which this version of Python may not have."""
    for name in names:
        vars(module).pop(name, None)
