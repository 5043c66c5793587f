"""``detpyc strip``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import add_command, each_path, print_changes, print_json, printable, read_path

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import PathError, StripDocument, StripEntry
    from detpyc.strip import StripReport


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "strip",
        run,
        "remove bytecode from wheels and directories",
        "Remove pycs from wheels, or from directories and their subdirectories, and update RECORD. Pycs without a"
        " source stay.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a wheel or a directory")
    parser.add_argument(
        "--sourceless", action="store_true", help="remove pycs that have no source as well; what they define is lost"
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.strip import strip_artifact  # noqa: PLC0415 - as in the package's docstring

    documents: list[StripEntry | PathError] = []

    def apply(path: Path) -> int:
        report = strip_artifact(path, sourceless=options.sourceless, check=options.check)
        documents.append(_document(report))
        lines = _lines(report, check=options.check, names=options.verbose or options.check)
        failures = (f"{name}: {reason}" for name, reason in report.failed.items())
        return print_changes(options, lines, failures, changed=report.changed)

    status = each_path(options.paths, apply, documents)
    if options.json:
        document: StripDocument = {"reports": documents}
        print_json(document)
    return status


def _lines(report: StripReport, *, check: bool, names: bool) -> list[str]:
    from detpyc.wording import counted  # noqa: PLC0415 - as in the package's docstring

    verb = "would be removed" if check else "removed"
    return [
        f"{printable(report.path)}: {counted(len(report.pycs), 'pyc')} {verb}",
        *(f"    {printable(name)}" for name in (*report.pycs, *report.updated) if names),
        *(f"    left {printable(name)}: {printable(reason)}" for name, reason in report.left.items()),
    ]


def _document(report: StripReport) -> StripEntry:
    return {
        "path": report.path,
        "changed": report.changed,
        "pycs": list(report.pycs),
        "left": report.left,
        "updated": list(report.updated),
        "failed": report.failed,
    }
