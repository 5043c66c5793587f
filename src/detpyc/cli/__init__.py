"""The command line. The only package that prints.

What a command needs is imported when it runs, so that ``--version``, ``--help`` and the others do not wait for it.
"""

from __future__ import annotations

import argparse
import signal
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from detpyc import __version__
from detpyc.cli import compile, diff, inspect, interpreters, normalize, reproduce, verify, wheel  # noqa: A004 - the command's name
from detpyc.cli.common import FAILED, fail
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Terminated(BaseException):
    """The process was asked to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those of the command line; by default the process's own.

    Returns:
        The exit status: 0 if it is done or holds, 1 if a check found something, 2 if it could not be done.

    """
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal can show every name
    signals = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = [signal.signal(each, _terminate) for each in signals]
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except DetpycError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("interrupted; what was not finished is as it was")
    except _Terminated:
        return fail("terminated; what was not finished is as it was")
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter's own flush at exit must not complain again.
        sys.stdout = None
        return FAILED
    except OSError as error:
        sys.stdout = None
        return fail(f"the output cannot be written: {error.strerror}")
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
    return status


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="detpyc", description="Deterministic, canonical bytecode for wheels.")
    parser.add_argument("--version", action="version", version=f"detpyc {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (wheel, verify, compile, normalize, diff, inspect, reproduce, interpreters):
        command.add(commands)
    return parser
