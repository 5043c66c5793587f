"""What several unit tests start from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pycs import SOURCE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is not empty."""
    path = tmp_path / "some file.whl"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with one source, and an empty directory for its pycs."""
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "core.py").write_bytes(SOURCE)
    os.utime(tmp_path / "core.py", (0, 1_600_000_000.7))
    return tmp_path
