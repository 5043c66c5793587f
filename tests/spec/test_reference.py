"""The reference implementation: small, independent, and usable as a program."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import reference
from payloads import flagged, integer, ref, small_tuple

FILE = Path(reference.__file__)
MAX_LINES = 250


def test_it_is_small() -> None:
    assert FILE.read_bytes().count(b"\n") <= MAX_LINES


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse(FILE.read_bytes(), feature_version=(3, 10))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
    assert "marshal" not in imported


@pytest.mark.parametrize(
    ("payload", "status", "output", "errors"),
    [
        (flagged(small_tuple(integer(1), integer(1))), 0, small_tuple(flagged(integer(1)), ref(0)), b""),
        (small_tuple(integer(1))[:-1], 1, b"", b"truncated at offset 6"),
    ],
)
def test_program(payload: bytes, status: int, output: bytes, errors: bytes) -> None:
    command = [sys.executable, "-I", "-S", str(FILE), "3.12"]
    completed = subprocess.run(command, input=payload, capture_output=True, check=False)
    assert (completed.returncode, completed.stdout, completed.stderr.strip()) == (status, output, errors)
