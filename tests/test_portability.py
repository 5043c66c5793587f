"""The tests are collected on every system, whatever it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).with_name("support")


@pytest.mark.skipif(sys.platform != "linux", reason="there is nothing to simulate")
@pytest.mark.parametrize(
    ("system", "skipped"),
    [("darwin", ""), ("win32", "the interpreters that misbehave need POSIX")],
)
def test_all_tests_are_collected(system: str, skipped: str) -> None:
    options = ["-p", "pretend_system", "-p", "no:cacheprovider", "--collect-only", "-q"]
    completed = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=SUPPORT.parents[1],
        env={**os.environ, "PYTHONPATH": str(SUPPORT), "DETPYC_TEST_SYSTEM": system},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-5000:]
    assert "test_wheel.py::" in completed.stdout
    assert skipped in completed.stdout
