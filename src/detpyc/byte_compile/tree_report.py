"""What was done to a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from detpyc.errors import DetpycError

__all__ = ["Tally", "TreeReport"]


class TreeReport(NamedTuple):
    """What was done to a tree, or with ``check`` would be.

    Attributes:
        path: of the directory or the source.
        sources: how many sources there are.
        written: the pycs that were written.
        current: how many pycs were up to date.
        skipped: the sources that do not compile, each with the reasons of the interpreters.
        removed: the pycs that were removed: those of sources that do not compile, and pruned ones.
        records: the RECORD files that were changed.
        failed: the files and directories that could not be read, compiled or written, each with the reason.

    """

    path: str
    sources: int
    written: tuple[str, ...]
    current: int
    skipped: dict[str, str]
    removed: tuple[str, ...]
    records: tuple[str, ...]
    failed: dict[str, str]

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or with ``check`` would be."""
        return bool(self.written or self.removed or self.records)


class Tally:
    """What was done so far; the attributes are those of `TreeReport`."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.current = 0
        self.skipped: dict[str, str] = {}
        self.removed: list[str] = []
        self.records: list[str] = []
        self.failed: dict[str, str] = {}

    def fail(self, error: DetpycError) -> None:
        """Add what could not be done, to the path that the error has."""
        self.failed[str(error.path)] = error.reason

    def add(self, part: Tally) -> None:
        """Add what was done to a part."""
        self.written += part.written
        self.current += part.current
        for source, reason in part.skipped.items():
            self.skipped[source] = f"{self.skipped[source]}; {reason}" if source in self.skipped else reason
        self.removed += part.removed
        self.failed |= part.failed

    def report(self, path: str, sources: int) -> TreeReport:
        """Return it as a report."""
        return TreeReport(
            path,
            sources,
            written=tuple(self.written),
            current=self.current,
            skipped=self.skipped,
            removed=tuple(self.removed),
            records=tuple(self.records),
            failed=self.failed,
        )
