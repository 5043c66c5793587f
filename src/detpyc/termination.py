"""Clean up when a signal asks the process to end, as Python does for Ctrl-C but not for other signals."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Terminated", "terminable"]

# SIGHUP comes when a terminal is closed; SIGBREAK is similar on Windows, and comes for Ctrl-Break.
_NAMES = ("SIGTERM", "SIGHUP", "SIGBREAK")


class Terminated(BaseException):
    """A signal asks the process to end."""


@contextmanager
def terminable(*, resend: bool = False) -> Iterator[None]:
    """Raise `Terminated` in the body when a signal arrives that would end the process, so that the body cleans up.

    Signals that are ignored (``nohup``) or have a handler already are left alone, and so are all in other threads than
    the main one, which alone receives them. A second signal does not interrupt the cleaning up.

    Args:
        resend: whether to send the signal again after the body, with the default action: the process then ends as
            if nothing had been done about it, even if the body suppressed `Terminated`.

    """
    received: list[int] = []
    changed: list[int] = []
    working = True

    def terminate(number: int, _: object) -> None:
        received.append(number)
        if working and len(received) == 1:
            raise Terminated

    try:
        for number in _ending():
            changed.append(number)
            try:
                signal.signal(number, terminate)
            except ValueError:  # not the main thread
                changed.clear()
                break
        yield
    finally:
        working = False  # from here on, a signal is only noted
        for number in changed:
            signal.signal(number, signal.SIG_DFL)
        if resend and received:
            from detpyc.temporaries import remove_unfinished  # noqa: PLC0415 - only when a signal came

            remove_unfinished()  # in case the body's own cleaning up was interrupted
            signal.raise_signal(received[0])


def _ending() -> list[int]:
    """Return the signals that would end the process."""
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
