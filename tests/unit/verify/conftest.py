"""What the tests of verification start from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pycs import SOURCE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "core.py").write_bytes(SOURCE)
    os.utime(tmp_path / "core.py", (0, 1_600_000_000.7))
    return tmp_path
