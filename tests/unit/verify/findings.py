"""Findings and reports, as short as a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import VerificationReport
from pycs import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.verify.reports import Finding
    from detpyc.wheel.problems import Problem


def the_one(path: Path) -> Finding:
    (finding,) = verify_artifact(path, [HERE]).findings
    return finding


def report_on(
    path: str,
    findings: tuple[Finding, ...],
    problems: tuple[Problem, ...] = (),
    unmet: dict[str, tuple[str, ...]] | None = None,
) -> VerificationReport:
    return VerificationReport(path, findings, problems, (), {}, unmet or {})
