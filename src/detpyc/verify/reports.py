"""What verification reports: a status and reasons for every pyc, and the problems of the whole.

Here and in the rest of verification, named tuples: importing `dataclasses` takes as long as verifying many pycs.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detpyc.wheel.problems import Problem

__all__ = ["Finding", "Status", "VerificationReport"]


class Status(str, Enum):
    """The verdict on a pyc: what is not known is UNVERIFIABLE, and does not pass."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERS = "differs"
    STALE = "stale"
    ORPHAN = "orphan"
    UNVERIFIABLE = "unverifiable"
    MALFORMED = "malformed"


PASSING = frozenset({Status.IDENTICAL, Status.EQUIVALENT})


class Finding(NamedTuple):
    """The verdict on one pyc.

    Attributes:
        pyc: its path, in the wheel, the archive or the image, or on disk.
        status: the verdict.
        reasons: for the verdict, the gravest first, and notes.
        source: the path of its source; None if it has none.
        release: of the CPython that compiled the source again; None if none did.
        layer: of an image, that the pyc comes from: a digest or a path; None for other artifacts.
        loads: whether some CPython loads it, whatever its status is.
        ignored_because: the reason, if none does.

    """

    pyc: str
    status: Status
    reasons: tuple[str, ...] = ()
    source: str | None = None
    release: str | None = None
    layer: str | None = None
    loads: bool = True
    ignored_because: str | None = None


class VerificationReport(NamedTuple):
    """The verdicts on an artifact: a wheel, a directory, an archive, an image or a pyc.

    All of it was looked at: what could not be is in the report.

    Attributes:
        path: of the artifact.
        findings: one for each pyc, in the order of their paths.
        problems: what is wrong with the whole, e.g. with RECORD, or provenance that contradicts the content.
        loaded_by: the versions of CPython that load some of the pycs, with the options for optimized ones, e.g.
            ``3.12 -OO``.
        never_loaded: the pycs that no CPython ever loads, with the reasons.
        unmet: the requirements that are not met, with the sources that have no pyc for them; none, if there are no
            sources and no such pyc either.

    """

    path: str
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    loaded_by: tuple[str, ...]
    never_loaded: dict[str, str]
    unmet: dict[str, tuple[str, ...]]

    def counts(self) -> dict[str, int]:
        """Return how many pycs there are of each status."""
        found = Counter(finding.status for finding in self.findings)
        return {status.value: found[status] for status in Status}

    def passes(self, allowed: Iterable[Status] = PASSING) -> bool:
        """Return whether there are no problems, every status is allowed, and the requirements are met.

        By default, the pycs must be identical or equivalent.
        """
        return not self.problems and not self.refused(allowed) and not self.unmet

    def refused(self, allowed: Iterable[Status] = PASSING) -> tuple[Finding, ...]:
        """Return the findings whose status is not allowed."""
        passing = frozenset(allowed)
        return tuple(finding for finding in self.findings if finding.status not in passing)
