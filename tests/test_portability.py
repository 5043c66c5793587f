"""The tests are collected on every system, whatever it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).with_name("support")


@pytest.mark.skipif(sys.platform == "win32", reason="there is nothing to simulate")
def test_all_tests_are_collected_on_windows() -> None:
    options = ["-p", "pretend_windows", "-p", "no:cacheprovider", "--collect-only", "-q"]
    completed = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=SUPPORT.parents[1],
        env={**os.environ, "PYTHONPATH": str(SUPPORT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-5000:]
    assert "test_wheel.py::" in completed.stdout
    assert "the interpreters that misbehave need POSIX" in completed.stdout
