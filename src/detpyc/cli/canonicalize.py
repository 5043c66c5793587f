"""``detpyc canonicalize``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, fail, print_json, read_path
from detpyc.errors import BytecodeError, DetpycError, TooLargeError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import CanonicalizeDocument

_OUTPUT_MODE = 0o644


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "canonicalize",
        run,
        "convert a marshalled payload to canonical form",
        "Convert a payload, which is what follows the header in a pyc, to canonical form. If it is refused, the message"
        " says why and where: KIND at offset N.",
    )
    parser.add_argument("payload", nargs="?", metavar="PAYLOAD", type=read_path, help="default: standard input")
    parser.add_argument(
        "--version",
        required=True,
        type=_version,
        metavar="X.Y",
        help="the CPython that the payload was made for, such as 3.12",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=read_path, help="where to write the result (default: standard output)"
    )


def _version(text: str) -> tuple[int, int]:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - slow to import, and not needed for --version

    major, _, minor = text.partition(".")
    if not (major + minor).isdecimal() or not (major and minor):
        raise ArgumentTypeError(f'must be a version such as 3.12, not "{text}"')
    return int(major), int(minor)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.bytecode.canonical import canonicalize  # noqa: PLC0415 - as in the package's docstring

    payload = _read(options.payload)
    try:
        canonical = canonicalize(payload, options.version)
    except BytecodeError as error:
        path = "" if options.payload is None else f"{options.payload}: "
        return fail(f"{path}{error.kind} at offset {error.offset}: {error.reason}")
    if options.output is not None:
        from detpyc.replacement import replace_file  # noqa: PLC0415 - as in the package's docstring

        replace_file(options.output, canonical, _OUTPUT_MODE)
    if options.json:
        print_json(_document(payload, canonical))
    elif options.output is None and not options.quiet and sys.stdout is not None:  # None if it is closed
        sys.stdout.buffer.write(canonical)
    return DONE


def _read(path: Path | None) -> bytes:
    """Read a file, or standard input.

    Raises:
        TooLargeError: if it is too large.
        DetpycError: if it cannot be read.

    """
    from detpyc.files import read_file  # noqa: PLC0415 - as in the package's docstring
    from detpyc.limits import MAX_FILE  # noqa: PLC0415 - likewise

    if path is not None:
        return read_file(path)
    if sys.stdin is None:
        raise DetpycError("standard input is closed")
    try:
        data = sys.stdin.buffer.read(MAX_FILE + 1)
    except OSError as error:
        raise DetpycError(f"standard input cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise TooLargeError(f"standard input has more than {MAX_FILE} bytes, which is the limit")
    return data


def _document(payload: bytes, canonical: bytes) -> CanonicalizeDocument:
    return {
        "size": len(payload),
        "canonical-size": len(canonical),
        "canonical": canonical == payload,
        "payload": canonical.hex(),
    }
