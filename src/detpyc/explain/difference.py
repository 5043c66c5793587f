"""A difference between two pycs, and how it is told.

Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from typing import NamedTuple

HEADER = "header"
PATH = "path"
CODE = "code"
ENCODING = "encoding"


class Difference(NamedTuple):
    """One difference between two pycs, or all of one kind in how they are written.

    Attributes:
        kind: HEADER, PATH, CODE or ENCODING; the last does not change what the code does. Of whole wheels and trees,
            also what `detpyc.compare` has for their files.
        aspect: which part of the header, which field of the code object, or what about the encoding.
        where: the qualified name of the code object; empty for the file as a whole.
        what: the first thing that differs.
        a: how it is in the first.
        b: how it is in the second.
        total: how many there are of the kind, the first of which is told.

    """

    kind: str
    aspect: str
    where: str
    what: str
    a: str
    b: str
    total: int = 1

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"in {self.where}: " if self.where else ""
        return f"{place}{self._subject()}: {self.a} against {self.b}"

    def _subject(self) -> str:
        if self.kind == ENCODING and self.what:
            return f"{self.aspect} ({self.total}, first {self.what})"
        subject = f"{self.aspect} {self.what}".rstrip()
        return f"{subject} (the first of {self.total})" if self.total > 1 else subject
