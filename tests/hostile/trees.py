"""Directory trees and pycs that are made to pass as what they are not, or to do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hostile.cases import FOUND, Case

if TYPE_CHECKING:
    from pathlib import Path


def empty_pyc(directory: Path) -> Path:
    """Write a pyc without a header."""
    (directory / "core.pyc").touch()
    return directory


CASES = (Case(empty_pyc, FOUND, ("malformed",)),)
