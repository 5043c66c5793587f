"""How a pyc is compared with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wheels
from detpyc.verify import judging
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from pycs import HERE, PYC, SOURCE, pyc
from unit.verify.findings import the_one

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_mtime_and_size(tree: Path) -> None:
    """As the import system compares them: whole seconds, modulo 2**32."""
    for mtime, size, status in (
        (1_600_000_000, None, Status.EQUIVALENT),
        (1_600_000_001, None, Status.STALE),
        (1_600_000_000, 5, Status.STALE),
    ):
        (tree / PYC).write_bytes(pyc(mtime=mtime, size=size))
        assert the_one(tree).status is status


def test_dates_are_for_people(tree: Path) -> None:
    (tree / PYC).write_bytes(pyc(mtime=1_617_602_828))
    assert the_one(tree).reasons[0] == (
        "the source mtime in its header is 2021-04-05 06:07:08 UTC, but the source's is 2020-09-13 12:26:40 UTC"
    )


def test_mtime_has_no_meaning_in_a_wheel(tmp_path: Path) -> None:
    wheel = wheels.build(tmp_path, {"core.py": SOURCE, PYC: pyc(mtime=5)})
    (finding,) = verify_artifact(wheel, [HERE]).findings
    assert (finding.status, finding.reasons[0]) == (Status.EQUIVALENT, "timestamp header")


def test_stale_pyc_of_the_same_code(tree: Path) -> None:
    (tree / PYC).write_bytes(pyc())
    (tree / "core.py").write_bytes(SOURCE + b"# comment\n")
    finding = the_one(tree)
    assert finding.status is Status.STALE
    assert finding.reasons[1] == "the code still matches the source"


def test_no_interpreter(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_found", lambda _: [])
    (tree / PYC).write_bytes(pyc())
    (finding,) = verify_artifact(tree).findings
    version = "{}.{}".format(*HERE.version)
    assert (finding.status, finding.reasons) == (
        Status.UNVERIFIABLE,
        (f"CPython {version}, which would compile its source, was not found",),
    )
    (tree / "core.py").write_bytes(b"")
    (finding,) = verify_artifact(tree).findings
    assert finding.status is Status.STALE
