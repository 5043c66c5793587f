"""The wheel of detpyc itself, with bytecode, from two checkouts: what each release is checked by."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.settings import Settings
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from projects import CHECKOUT, check_run

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

RELEASED_FOR = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
NOT_COPIED = ".git", ".*_cache", ".hypothesis", ".nox", ".venv", "__pycache__", "benchmarks", "dist", "tests", "test-*"


def test_two_checkouts_make_one_wheel(
    request: pytest.FixtureRequest, tmp_path: Path, pythons: dict[str, Interpreter]
) -> None:
    found = [pythons[name] for name in RELEASED_FOR if name in pythons]
    missing = [name for name in RELEASED_FOR if name not in pythons]
    request.node.user_properties += [("missing interpreter", name) for name in missing]
    made = [wheel_of(tmp_path / "first", found), wheel_of(tmp_path / "second" / "and" / "deeper", found[::-1])]
    assert made[0].read_bytes() == made[1].read_bytes()
    statuses = Counter(finding.status for finding in verify_artifact(made[0], found).findings)
    modules = len([*(CHECKOUT / "src").rglob("*.py")])
    assert statuses == {Status.IDENTICAL: modules * len(found)}
    if missing:
        pytest.skip(f"CPython {', '.join(missing)} is missing; the others were tried")


def wheel_of(checkout: Path, pythons: list[Interpreter]) -> Path:
    """Build the wheel of a copy of the checkout, and byte-compile it."""
    shutil.copytree(CHECKOUT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
    check_run([sys.executable, "-m", "build", "--wheel", "--no-isolation", str(checkout)])
    (wheel,) = (checkout / "dist").iterdir()
    report = byte_compile_wheel(wheel, Settings(interpreters=tuple(python.path for python in pythons)))
    assert report.changed
    return wheel
