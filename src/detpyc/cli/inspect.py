"""``detpyc inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, print_json, read_path
from detpyc.errors import BytecodeError

if TYPE_CHECKING:
    import argparse

    from detpyc.bytecode.header import PycHeader
    from detpyc.cli.common import Commands
    from detpyc.cli.documents import (
        HashHeader,
        HeaderStart,
        InspectCode,
        InspectDocument,
        TimestampHeader,
    )
    from detpyc.inspect import Code, Inspection

_MAX_INDENT = 10


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "inspect",
        run,
        "show the contents of a pyc",
        "Show the header of a pyc, its differences from canonical form, and the code objects in it.",
    )
    parser.add_argument(
        "pyc",
        metavar="PYC",
        type=read_path,
        help="a file, or one in an archive or an image: app.zip:package/module.pyc",
    )


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.artifacts.opening import read_located  # noqa: PLC0415 - as in the package's docstring
    from detpyc.inspect import inspect_pyc  # noqa: PLC0415 - likewise
    from detpyc.limits import MAX_FILE  # noqa: PLC0415 - likewise

    try:
        inspection = inspect_pyc(read_located(options.pyc, MAX_FILE))
    except BytecodeError as error:
        error.path = str(options.pyc)
        raise
    if options.json:
        print_json(_inspection_document(inspection))
    elif not options.quiet:
        _print_inspection(inspection)
    return DONE


def _print_inspection(inspection: Inspection) -> None:
    from detpyc.wording import date  # noqa: PLC0415 - as in the package's docstring

    for name, value in _header_document(inspection.header).items():
        shown = f" ({date(value)})" if name == "mtime" and isinstance(value, int) else ""
        print(f"{name}: {value}{shown}")
    print(f"size: {inspection.size} bytes, {inspection.canonical_size} in canonical form")
    print(f"canonical: {'no' if inspection.differences else 'yes'}")
    for difference in inspection.differences:
        print(f"    {difference}")
    for code in inspection.codes:
        _print_code(code)


def _header_document(header: PycHeader) -> HashHeader | TimestampHeader:
    start: HeaderStart = {
        "magic-number": header.magic_number,
        "version": "CPython {}.{}".format(*header.version),
        "invalidation-mode": header.mode,
    }
    if header.source_hash is not None:
        return {**start, "source-hash": header.source_hash.hex()}
    return {**start, "mtime": header.mtime or 0, "source-size": header.source_size or 0}


def _print_code(code: Code) -> None:
    indent = "    " * min(code.depth, _MAX_INDENT)
    path = f" of {code.path}" if not code.depth else ""
    print(f"{indent}{code.name}{path}, line {code.integers['firstlineno']}, {code.size} bytes of instructions")
    print(f"{indent}    flags: {code.flags}")
    for field, names in code.names.items():
        if names:
            print(f"{indent}    {field}: {', '.join(names)}")
    for index, constant in enumerate(code.constants):
        print(f"{indent}    constant {index}: {constant}")


def _inspection_document(inspection: Inspection) -> InspectDocument:
    from detpyc.cli.diff import difference_document  # noqa: PLC0415 - as in the package's docstring

    return {
        "header": _header_document(inspection.header),
        "size": inspection.size,
        "canonical-size": inspection.canonical_size,
        "canonical": not inspection.differences,
        "differences": [difference_document(difference) for difference in inspection.differences],
        "codes": [_code_document(code) for code in inspection.codes],
    }


def _code_document(code: Code) -> InspectCode:
    return {
        "name": code.name,
        "depth": code.depth,
        "path": code.path,
        "integers": code.integers,
        "flags": code.flags,
        "size": code.size,
        "names": code.names,
        "constants": code.constants,
    }
