"""Findings, as short as a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.verify.artifacts import verify_artifact
from pycs import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.verify.reports import Finding


def the_one(path: Path) -> Finding:
    (finding,) = verify_artifact(path, [HERE]).findings
    return finding
