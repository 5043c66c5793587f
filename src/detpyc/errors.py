"""The errors that detpyc raises for what a user can fix. They carry data; nobody has to parse a message.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import os

__all__ = [
    "BytecodeError",
    "CompilationError",
    "DetpycError",
    "InterpreterError",
    "MissingInterpreterError",
    "SettingsError",
    "TooLargeError",
    "UnsupportedBytecodeError",
    "WheelError",
]

TYPE_CHECKING = False  # the typing module would slow the worker's start
if TYPE_CHECKING:
    from typing import Union

    StrPath = Union[str, "os.PathLike[str]"]


class DetpycError(Exception):
    """Anything that detpyc refuses to do.

    Attributes:
        reason: what is wrong and what to do, without the path.
        path: of the file or directory concerned; None if there is none, or not known yet where the error is raised.
            Assign it where it is known, and raise the error again.

    """

    def __init__(self, reason: str, *, path: StrPath | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = None if path is None else os.fspath(path)

    def __str__(self) -> str:
        """Compose the message: the path if there is one, and the reason."""
        return self.reason if self.path is None else f"{self.path}: {self.reason}"


class SettingsError(DetpycError):
    """Mistakes in the configuration.

    Attributes:
        problems: one line for each mistake.

    """

    def __init__(self, *problems: str, path: StrPath | None = None) -> None:
        super().__init__("\n".join(problems), path=path)
        self.args = self.problems = problems


class BytecodeError(DetpycError, ValueError):
    """A pyc or its marshalled payload that cannot be understood.

    Attributes:
        offset: of the fault, in bytes from the start of the data that was read.
        kind: of the refusal of a payload, as the specification of canonical form names it, e.g. ``truncated``; empty
            for other faults.

    """

    def __init__(self, reason: str, offset: int, kind: str = "", *, path: StrPath | None = None) -> None:
        super().__init__(reason, path=path)
        self.args = (reason, offset, kind)
        self.offset = offset
        self.kind = kind

    def __str__(self) -> str:
        """Compose the message, with the offset."""
        return f"{super().__str__()} (at offset {self.offset})"

    def shifted(self, size: int) -> BytecodeError:
        """Return the same error for data that have so many more bytes at the front."""
        return type(self)(self.reason, self.offset + size, self.kind, path=self.path)


class UnsupportedBytecodeError(BytecodeError):
    """A pyc of another implementation, or of a release of CPython that is not supported."""


class InterpreterError(DetpycError):
    """An interpreter that is missing or unsuitable, or that fails while it works."""


class MissingInterpreterError(InterpreterError):
    """A release of CPython that was requested and not found.

    Attributes:
        release: e.g. ``3.12.1``, or ``3.12`` if any patch release would do.

    """

    def __init__(self, reason: str, release: str) -> None:
        super().__init__(reason)
        self.args = (reason, release)
        self.release = release


class CompilationError(DetpycError):
    """A source that the interpreter does not compile."""


class TooLargeError(DetpycError):
    """A file or member that is larger than its limit."""


class WheelError(DetpycError):
    """A wheel that is malformed, or that cannot be rewritten.

    Attributes:
        problems: one for each thing that is wrong.

    """

    def __init__(self, *problems: str, path: StrPath | None = None) -> None:
        super().__init__("; ".join(problems), path=path)
        self.args = self.problems = problems
