"""Sources that exhaust a worker's stack or memory, and a machine that has no more threads or processes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import trees
import wheels
from command_line import detpyc, snapshot, unchanged

if sys.platform == "win32":
    pytest.skip("it has no such limits", allow_module_level=True)

import resource

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

limits_memory = pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")

DEEP = b"x = a" + b".b" * 500_000 + b"\n"


def test_source_that_exhausts_the_stack(tmp_path: Path, interpreter: Interpreter) -> None:
    """It is never skipped, since another machine may compile it: then the wheel would depend on the machine."""
    wheel = wheels.build(tmp_path, {**wheels.MODULES, "demo/deep.py": DEEP})
    tree = trees.write(tmp_path / "tree", {"deep.py": DEEP})
    options = ("--on-syntax-error", "skip", "-i", interpreter.path)
    for command, path, module in (("wheel", wheel, "demo/deep.py"), ("compile", tree, tree / "deep.py")):
        with unchanged(path.parent):
            completed = detpyc(command, *options, path)
        assert (completed.returncode, completed.stdout.count("skipped")) == (2, 0)
        assert f"{module}: " in completed.stderr
        assert "Traceback" not in completed.stderr


@limits_memory
@pytest.mark.parametrize("command", ["wheel", "compile", "verify"])
@pytest.mark.parametrize("megabytes", [30, 40, 50, 60, 80, 100, 120, 200])
def test_little_memory(tmp_path: Path, command: str, megabytes: int) -> None:
    """Threads need memory for their stacks. The exit status is never 1, as nothing was found."""
    path = wheels.build(tmp_path) if command != "compile" else trees.write(tmp_path / "tree", wheels.MODULES)
    before = snapshot(tmp_path)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    completed = detpyc(command, "-j4", path, preexec_fn=limit, timeout=120)
    assert completed.returncode in {0, 2}, completed.stderr
    assert completed.returncode == 0 or completed.stderr
    if completed.returncode and command == "wheel":
        assert snapshot(tmp_path) == before


@limits_memory
def test_workers_keep_a_lower_limit_of_memory(tmp_path: Path) -> None:
    tree = trees.write(tmp_path / "tree", {"large.py": b"x = [" + b"a," * (4 << 20) + b"]\n"})

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))

    completed = detpyc("compile", "--no-cache", tree, preexec_fn=limit, timeout=120)
    assert completed.returncode == 2
    assert f"{tree / 'large.py'}: cannot be compiled by CPython " in completed.stderr
    assert "MemoryError" in completed.stderr


def test_absurd_number_of_workers(tmp_path: Path) -> None:
    tree = trees.write(tmp_path / "tree", wheels.MODULES)
    completed = detpyc("compile", "-j", "999999999", "--no-cache", tree, timeout=60)
    assert (completed.returncode, completed.stderr) == (0, "")
