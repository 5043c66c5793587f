"""``detpyc normalize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import Applied, add_command, apply_to_each, printable, read_path

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import NormalizeEntry
    from detpyc.normalize import NormalizationReport


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "normalize",
        run,
        "rewrite existing pycs in canonical form",
        "Rewrite existing pycs in canonical form without compiling anything. Their headers, modes and mtimes stay.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a wheel, a directory, or a .pyc file")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.normalize import normalize_artifact  # noqa: PLC0415 - as in the package's docstring
    from detpyc.wheel.distribution import is_wheel  # noqa: PLC0415

    def apply(path: Path) -> Applied:
        report = normalize_artifact(path, check=options.check)
        within = f"{path}: " if is_wheel(path) else ""  # the pycs of a directory have its path already
        return Applied(
            changed=bool(report.changed),
            document=_document(report),
            lines=_lines(report, check=options.check, names=options.verbose or options.check),
            failures=[f"{within}{name}: {reason}" for name, reason in report.malformed.items()],
        )

    return apply_to_each(options, apply)


def _lines(report: NormalizationReport, *, check: bool, names: bool) -> list[str]:
    verb = "would be normalized" if check else "normalized"
    return [
        f"{printable(report.path)}: {len(report.changed)} of {report.pycs} pycs {verb}",
        *(f"    {printable(name)}" for name in report.changed if names),
        *(f"    skipped {printable(name)}: {printable(reason)}" for name, reason in report.unsupported.items()),
    ]


def _document(report: NormalizationReport) -> NormalizeEntry:
    return {
        "path": report.path,
        "pycs": report.pycs,
        "changed": list(report.changed),
        "unsupported": report.unsupported,
        "malformed": report.malformed,
    }
