"""A difference between two pycs, and its text in one line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CODE", "ENCODING", "HEADER", "PATH", "Difference"]

HEADER = "header"
PATH = "path"
CODE = "code"
ENCODING = "encoding"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two pycs, or all of one kind in how they are written.

    Attributes:
        kind: HEADER, PATH, CODE or ENCODING; the last does not change what the code does. Between whole wheels and
            trees, also the kinds that `detpyc.compare` has for their files.
        aspect: which part of the header, which field of the code object, or which property of the encoding.
        where: the qualified name of the code object; empty for the file as a whole.
        what: the first thing that differs.
        a: its state in the first.
        b: its state in the second.
        total: how many differences of the kind there are; this describes the first.
        diff: the lines of a unified diff, between two text files.

    """

    kind: str
    aspect: str
    where: str
    what: str
    a: str
    b: str
    total: int = 1
    diff: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Describe it in one line."""
        place = f"in {self.where}: " if self.where else ""
        return f"{place}{self._subject()}: {self.a} against {self.b}"

    def _subject(self) -> str:
        if self.kind == ENCODING and self.what:
            return f"{self.aspect} ({self.total}, first {self.what})"
        subject = f"{self.aspect} {self.what}".rstrip()
        return f"{subject} (the first of {self.total})" if self.total > 1 else subject
