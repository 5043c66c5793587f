"""Hostile input of every kind: the exit status is as listed, nothing crashes, hangs, or changes what it should not.

Each trick is one function and one line in a table, in a module beside this one.
"""

from __future__ import annotations

import importlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hostile.cases import Case

SECONDS = 30
KILOBYTES = 1_500_000  # of address space, for the command and for each of its workers
MAX_OUTPUT = 1 << 16  # characters; an untrusted file must not flood a log
MAX_CONTENT = 1 << 20  # bytes of a file that are compared; of larger ones, the size and the mtime

MODULES = {path.stem for path in Path(__file__).parent.glob("*.py")}
TABLES = sorted(name for name in MODULES - {"cases"} if not name.startswith("test_"))
CASES: dict[str, Case] = {}
for table in TABLES:
    for listed in importlib.import_module(f"hostile.{table}").CASES:
        assert f"{table}-{listed.id}" not in CASES
        CASES[f"{table}-{listed.id}"] = listed


def snapshot(directory: Path) -> dict[str, tuple[object, ...]]:
    """Return what can be seen of every file in a directory and below."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, directories, files in os.walk(directory):
        for name in (*directories, *files):
            path = os.path.join(parent, name)  # noqa: PTH118 - a path may be longer than the system resolves
            try:
                status = os.lstat(path)
            except OSError as error:  # the path is too long
                found[path] = (error.errno,)
                continue
            content: object = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)  # noqa: PTH115
            elif stat.S_ISREG(status.st_mode) and status.st_size <= MAX_CONTENT and os.access(path, os.R_OK):
                content = Path(path).read_bytes()
            times = None if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
            found[path] = (status.st_mode, times, status.st_size if times is not None else None, content)
    return found


def run(case: Case, target: Path, directory: Path) -> tuple[int, str]:
    """Run the command within bounds; return its exit status and all of its output."""
    command = [*case.program, *case.command, str(target)]
    if sys.platform == "linux":
        command = ["sh", "-c", f'ulimit -v {KILOBYTES} && exec "$@"', "sh", *command]
    completed = subprocess.run(
        command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=SECONDS
    )
    return completed.returncode, (completed.stdout + completed.stderr).decode(errors="backslashreplace")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile(case: Case, tmp_path: Path) -> None:
    directory = tmp_path / "input"
    directory.mkdir()
    target = case.build(directory)
    before = snapshot(directory)

    status, output = run(case, target, directory)

    assert "Traceback" not in output
    assert status == case.status, output
    assert [word for word in case.words if word not in output] == [], output
    assert len(output) < MAX_OUTPUT
    assert (snapshot(directory) != before) == case.changes
