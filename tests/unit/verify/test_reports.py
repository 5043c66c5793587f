"""Reports of verification."""

from __future__ import annotations

from detpyc.verify.reports import Finding, Status, VerificationReport


def test_counts_and_refusals() -> None:
    findings = (Finding("a", Status.IDENTICAL), Finding("b", Status.STALE), Finding("c", Status.STALE))
    report = VerificationReport("x.whl", findings)
    assert report.counts() == {**dict.fromkeys((status.value for status in Status), 0), "identical": 1, "stale": 2}
    assert report.refused([Status.IDENTICAL]) == findings[1:]
    assert report.refused(Status) == ()
