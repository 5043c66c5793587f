"""``detpyc inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, add_command, print_json, read_path
from detpyc.errors import BytecodeError, DetpycError

if TYPE_CHECKING:
    import argparse

    from detpyc.bytecode.header import PycHeader
    from detpyc.cli.common import Commands
    from detpyc.inspect import Code, Inspection

_MAX_INDENT = 10


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "inspect",
        run,
        "show what is in a pyc",
        "Show a pyc's header, whether it is in canonical form and why not, and the code objects in it.",
    )
    parser.add_argument("pyc", metavar="PYC", type=read_path)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.files import read_file  # noqa: PLC0415 - likewise
    from detpyc.inspect import inspect  # noqa: PLC0415 - as in the package's docstring

    try:
        inspection = inspect(read_file(options.pyc))
    except BytecodeError as error:
        raise DetpycError(f"{options.pyc}: {error}") from error
    if options.json:
        print_json(_document(inspection))
    elif not options.quiet:
        for name, value in _header(inspection.header).items():
            print(f"{name}: {value}")
        print(f"size: {inspection.size} bytes, {inspection.canonical_size} in canonical form")
        print(f"canonical: {'no' if inspection.differences else 'yes'}")
        for difference in inspection.differences:
            print(f"    {difference}")
        for code in inspection.codes:
            _print_code(code)
    return DONE


def _header(header: PycHeader) -> dict[str, object]:
    values: dict[str, object] = {
        "magic-number": header.magic_number,
        "version": "CPython {}.{}".format(*header.version),
        "invalidation-mode": header.mode,
    }
    if header.source_hash is not None:
        values["source-hash"] = header.source_hash.hex()
    else:
        values["mtime"] = header.mtime
        values["source-size"] = header.source_size
    return values


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


def _document(inspection: Inspection) -> dict[str, object]:
    from dataclasses import asdict  # noqa: PLC0415 - as in the package's docstring

    return {
        "header": _header(inspection.header),
        "size": inspection.size,
        "canonical-size": inspection.canonical_size,
        "canonical": not inspection.differences,
        "differences": [difference._asdict() for difference in inspection.differences],
        "codes": [asdict(code) for code in inspection.codes],
    }
