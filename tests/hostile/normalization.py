"""What `normalize` must not write to, or choke on."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import wheels
from hostile.cases import FAILED, FOUND, PASSED, Case
from hostile.trees import link
from pycs import PYC, SOURCE, pyc
from trees import write

if TYPE_CHECKING:
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"


def pycs_behind_links(top: Path) -> Path:
    """Only what is in the tree itself is written to."""
    write(top, {"tree/core.py": SOURCE, "elsewhere/core.pyc": pyc()})
    link(top / "tree/demo", top / "elsewhere")
    link(top / "tree/core.pyc", top / "elsewhere/core.pyc", directory=False)
    return top / "tree"


def pipe(top: Path) -> Path:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    os.mkfifo(top / "core.pyc")
    return top


def truncated(top: Path) -> Path:
    return write(top, {PYC: pyc()[:-1]})


def large(top: Path) -> Path:
    with (top / "core.pyc").open("wb") as stream:
        stream.truncate(1 << 32)
    return top


def wheel_whose_record_is_wrong(top: Path) -> Path:
    return wheels.write(top / NAME, {**wheels.complete({"core.pyc": b""}), "core.pyc": pyc()})


def stock(top: Path) -> Path:
    return write(top, {PYC: pyc()})


NORMALIZE = ("normalize",)

CASES = (
    Case(pycs_behind_links, PASSED, ("0 of 0 pycs",), NORMALIZE),
    Case(pipe, FAILED, ("not a regular file",), NORMALIZE),
    Case(truncated, FAILED, ("at offset",), NORMALIZE),
    Case(large, FAILED, ("4294967296 bytes",), NORMALIZE),
    Case(wheel_whose_record_is_wrong, FAILED, ("RECORD's line for core.pyc",), NORMALIZE),
    Case(stock, FOUND, ("would be normalized",), ("normalize", "--check")),
    Case(stock, PASSED, ("1 of 1 pycs normalized",), NORMALIZE, changes=True, name="stock"),
)
