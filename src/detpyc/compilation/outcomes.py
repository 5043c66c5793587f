"""Sources to byte-compile, and what becomes of each.

Named tuples, since importing dataclasses takes longer than compiling a small package.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Compiled", "Failed", "Outcome", "Refused", "Source"]


class Source(NamedTuple):
    """A source to byte-compile.

    Attributes:
        path: relative to its root, with ``/`` on every system; it becomes ``co_filename``.
        content: the file's bytes.
        pycs: the existing pyc for each level, if it may be up to date: its header has the interpreter's magic number
            and the wanted mode, mtime and size. Empty bytes where there is none.

    """

    path: str
    content: bytes
    pycs: tuple[bytes, ...] = ()


class Compiled(NamedTuple):
    """A source that compiled.

    Attributes:
        source_hash: as in the header of a hash-based pyc.
        payloads: the canonical payload for each optimization level, in the order of the levels; empty where the
            existing pyc is up to date.
        reusable: whether the very build compiled it that was described, so that a cache may keep it.

    """

    source_hash: bytes
    payloads: tuple[bytes, ...]
    reusable: bool = False


class Refused(NamedTuple):
    """A source that does not compile with this release, on any machine.

    Attributes:
        error: the name of the exception, e.g. ``SyntaxError``.
        message: the compiler's, with the line.

    """

    error: str
    message: str

    @property
    def reason(self) -> str:
        """The error and its message."""
        return f"{self.error}: {self.message}" if self.message else self.error


class Failed(NamedTuple):
    """A source on which the worker died, ran out of time, memory or stack, or violated the protocol.

    On another machine, it may compile: it is never skipped.

    Attributes:
        reason: what happened.

    """

    reason: str


Outcome = Compiled | Refused | Failed
