"""``detpyc reproduce``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, FOUND, add_command, add_install, add_jobs, jobs, print_json, printable, read_path
from detpyc.cli.diff import comparison_document, print_comparison

if TYPE_CHECKING:
    import argparse

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import ReproduceDocument
    from detpyc.reproduce import Reproduction


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "reproduce",
        run,
        "build a wheel again from its sources and compare",
        "Build a wheel again in a clean environment, as its own record says, and compare the two bit for bit.",
    )
    parser.add_argument("original", metavar="ORIGINAL.whl", type=read_path)
    parser.add_argument(
        "--from",
        dest="sources",
        metavar="SDIST_OR_DIR",
        type=read_path,
        required=True,
        help="the sdist or the directory of the project",
    )
    parser.add_argument(
        "--repair",
        metavar="COMMAND",
        help="repair the wheel with this command, such as 'auditwheel repair -w {dest_dir} {wheel}'; no shell runs it",
    )
    add_install(parser)
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.reproduce import reproduce_wheel  # noqa: PLC0415 - as in the package's docstring

    reproduction = reproduce_wheel(
        options.original,
        options.sources,
        jobs=jobs(options),
        install=options.install_interpreters,
        repair=options.repair,
    )
    if options.json:
        print_json(_document(reproduction))
    elif not options.quiet:
        _print(reproduction, options)
    return DONE if reproduction.same else FOUND


def _document(reproduction: Reproduction) -> ReproduceDocument:
    """Return the JSON document."""
    return {
        "original": str(reproduction.original),
        "built-by": reproduction.built_by,
        "constraints": list(reproduction.constraints),
        "dated": reproduction.dated,
        "name": reproduction.name,
        "same": reproduction.same,
        **comparison_document(reproduction.comparison),
    }


def _print(reproduction: Reproduction, options: argparse.Namespace) -> None:
    """Print the result as text."""
    outcome = "reproduced bit for bit" if reproduction.same else "not reproduced"
    print(f"{reproduction.original.name}: {outcome}, by CPython {reproduction.built_by}")
    if options.verbose:
        for constraint in reproduction.constraints:
            print(f"    with {constraint}")
    if reproduction.name != reproduction.original.name:
        hint = "" if options.repair else "; if a tool such as auditwheel repaired the original, name it in --repair"
        print(f"the wheel that was built is {printable(reproduction.name)}{hint}")
    print_comparison(reproduction.comparison)
    if not reproduction.same and not reproduction.dated:
        print(
            "the date of the original's build is unknown, since its members have different dates; try again with"
            " SOURCE_DATE_EPOCH set as it was for that build"
        )
