"""Reports of verification."""

from __future__ import annotations

from detpyc.verify.reports import Finding, Status
from detpyc.wheel.problems import Problem
from unit.verify.findings import report_on


def test_counts_and_refusals() -> None:
    findings = (Finding("a", Status.IDENTICAL), Finding("b", Status.STALE), Finding("c", Status.STALE))
    report = report_on("x.whl", findings)
    assert report.counts() == {**dict.fromkeys((status.value for status in Status), 0), "identical": 1, "stale": 2}
    assert report.refused([Status.IDENTICAL]) == findings[1:]
    assert report.refused(Status) == ()
    assert report.refused() == findings[1:]


def test_only_what_is_known_to_be_right_passes() -> None:
    for status in Status:
        report = report_on("x.whl", (Finding("a", Status.IDENTICAL), Finding("b", status)))
        assert report.passes() is (status in {Status.IDENTICAL, Status.EQUIVALENT})
    assert not report_on("x.whl", (), (Problem("a problem"),)).passes()
    assert not report_on("x.whl", (), unmet={"cpython-312": ()}).passes()
