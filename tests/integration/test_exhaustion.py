"""Sources that exhaust a worker's stack or memory, and a machine that has no more threads or processes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

import trees
import wheels
from command_line import detpyc, unchanged

if sys.platform == "win32":
    pytest.skip("it has no such limits", allow_module_level=True)

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

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
