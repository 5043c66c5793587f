"""Pycs are judged in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.verify import judging
from detpyc.verify.artifacts import verify_artifact
from pycs import HERE, SOURCE, pyc

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_more_than_one_batch(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_BATCH", 2)
    for name in "abcde":
        (tree / f"{name}.py").write_bytes(SOURCE)
        (tree / f"{name}.pyc").write_bytes(pyc(SOURCE.replace(b"1000", b"1000" if name != "c" else b"1001")))
    assert [finding.status.value for finding in verify_artifact(tree, [HERE]).findings] == [
        *("equivalent", "equivalent", "stale", "equivalent", "equivalent")
    ]
