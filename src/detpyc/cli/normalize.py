"""``detpyc normalize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, FOUND, add_command, each_path, fail, print_json, printable, read_path

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "normalize",
        run,
        "bring existing pycs into canonical form",
        "Rewrite existing pycs in canonical form without compiling anything. Their headers, modes and mtimes stay.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a wheel, a directory, or a pyc")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from dataclasses import asdict  # noqa: PLC0415 - as in the package's docstring

    from detpyc.normalize import normalize  # noqa: PLC0415
    from detpyc.wheel.distribution import is_wheel  # noqa: PLC0415

    documents: list[dict[str, object]] = []

    def apply(path: Path) -> int:
        report = normalize(path, check=options.check)
        documents.append(asdict(report))
        if not options.json and not options.quiet:
            verb = "would be normalized" if options.check else "normalized"
            print(f"{printable(report.path)}: {len(report.changed)} of {report.pycs} pycs {verb}")
            for name in report.changed if options.verbose or options.check else ():
                print(f"    {printable(name)}")
            for name, reason in report.unsupported.items():
                print(f"    left alone {printable(name)}: {reason}")
        status = FOUND if options.check and report.changed else DONE
        within = f"{path}: " if is_wheel(path) else ""  # the pycs of a directory have its path already
        for name, reason in report.malformed.items():
            status = fail(f"{within}{name}: {reason}")
        return status

    status = each_path(options.paths, apply, documents)
    if options.json:
        print_json({"reports": documents})
    return status
