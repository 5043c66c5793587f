"""The errors that detpyc raises for what a user can mend.

Loaded by the worker under the target interpreter: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations


class DetpycError(Exception):
    """Whatever detpyc refuses to do; the message says what was wrong, where, and what to do."""


class SettingsError(DetpycError):
    """One or more mistakes in the configuration."""


class BytecodeError(DetpycError, ValueError):
    """A pyc or its marshalled payload that cannot be understood.

    Attributes:
        reason: what is wrong, without the place.
        offset: where, in bytes from the start of the data that was read.

    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} (at offset {offset})")
        self.reason = reason
        self.offset = offset

    def behind(self, size: int) -> BytecodeError:
        """Return the same error for data that have so many bytes before those that were read."""
        return type(self)(self.reason, self.offset + size)

    def __reduce__(self) -> tuple[type[BytecodeError], tuple[str, int]]:
        """Pickle by the constructor's own arguments, so that the error crosses process boundaries."""
        return type(self), (self.reason, self.offset)


class UnsupportedBytecodeError(BytecodeError):
    """A pyc of another implementation, or of a release of CPython that is not supported."""


class InterpreterError(DetpycError):
    """An interpreter that is missing, unsuitable, or that fails while at work."""


class CompilationError(DetpycError):
    """A source that the interpreter does not compile."""


class WheelError(DetpycError):
    """A wheel that is malformed, or that cannot be rewritten as it stands."""
