"""``detpyc normalize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import add_command, each_path, print_changes, print_json, printable, read_path

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import NormalizeDocument, NormalizeEntry, PathError
    from detpyc.normalize import NormalizationReport


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "normalize",
        run,
        "rewrite existing pycs in canonical form",
        "Rewrite existing pycs in canonical form without compiling anything. Their headers stay, unless"
        " --invalidation-mode converts them, and so do modes and mtimes.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a wheel, a directory, or a .pyc file")
    parser.add_argument(
        "--invalidation-mode",
        choices=("checked-hash", "unchecked-hash"),
        help="convert headers with the time of the source to this mode, if the source is there and matches",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.normalize import normalize_artifact  # noqa: PLC0415 - as in the package's docstring
    from detpyc.wheel.distribution import is_wheel  # noqa: PLC0415

    documents: list[NormalizeEntry | PathError] = []

    def apply(path: Path) -> int:
        report = normalize_artifact(path, check=options.check, invalidation_mode=options.invalidation_mode)
        documents.append(_document(report))
        lines = _lines(report, check=options.check, names=options.verbose or options.check)
        within = f"{path}: " if is_wheel(path) else ""  # the pycs of a directory have its path already
        failures = (f"{within}{name}: {reason}" for name, reason in report.malformed.items())
        return print_changes(options, lines, failures, changed=bool(report.changed))

    status = each_path(options.paths, apply, documents)
    if options.json:
        document: NormalizeDocument = {"reports": documents}
        print_json(document)
    return status


def _lines(report: NormalizationReport, *, check: bool, names: bool) -> list[str]:
    verb = "would be normalized" if check else "normalized"
    return [
        f"{printable(report.path)}: {len(report.changed)} of {report.pycs} pycs {verb}",
        *(f"    {printable(name)}" for name in report.changed if names),
        *(f"    skipped {printable(name)}: {printable(reason)}" for name, reason in report.unsupported.items()),
        *(
            f"    the timestamp stays in {printable(name)}: {printable(reason)}"
            for name, reason in report.kept_timestamps.items()
        ),
    ]


def _document(report: NormalizationReport) -> NormalizeEntry:
    return {
        "path": report.path,
        "pycs": report.pycs,
        "changed": list(report.changed),
        "unsupported": report.unsupported,
        "malformed": report.malformed,
        "kept-timestamps": report.kept_timestamps,
    }
