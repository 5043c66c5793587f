"""``detpyc verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import (
    DONE,
    FOUND,
    add_command,
    add_jobs,
    each_path,
    jobs,
    print_json,
    printable,
    read_path,
)
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.verify.artifacts import Report, Status

# The values of detpyc.verify.Status, which is not imported before it is needed.
_STATUSES = ("identical", "equivalent", "differs", "stale", "orphan", "unverifiable", "malformed")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "verify",
        run,
        "verify that bytecode is what its source compiles to",
        "Compile the source of every pyc again and hold the result against it. Exit with 0 if all are identical or"
        " equivalent, with 1 otherwise.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a wheel, a directory, or a pyc")
    parser.add_argument(
        "-i",
        "--interpreter",
        action="append",
        metavar="PYTHON",
        help="compile the sources of its version's pycs with it, and assume that it compiled those pycs; may be given"
        " several times (default: the release that a wheel's provenance names, or whatever is found)",
    )
    parser.add_argument(
        "--sources",
        type=read_path,
        metavar="SDIST_OR_WHEEL",
        help="where to find the sources that a wheel lacks, as a sourceless one does",
    )
    parser.add_argument("--strict", action="store_true", help="let only identical pycs pass")
    parser.add_argument(
        "--allow", action="append", default=[], choices=_STATUSES, metavar="STATUS", help="let a status pass as well"
    )
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.compilation.interpreters import find_interpreter  # noqa: PLC0415 - as in the package's docstring
    from detpyc.verify.artifacts import Status, verify_tree, verify_wheel  # noqa: PLC0415
    from detpyc.wheel.distribution import is_wheel  # noqa: PLC0415

    allowed = {Status.IDENTICAL, *map(Status, options.allow)}
    if not options.strict:
        allowed.add(Status.EQUIVALENT)
    workers = jobs(options)
    given = tuple(find_interpreter(request) for request in options.interpreter or ())
    documents: list[dict[str, object]] = []

    def verify(path: Path) -> int:
        wheel = is_wheel(path)
        if options.sources is not None and not wheel:
            raise DetpycError(f"{path}: is no wheel, and --sources is for wheels alone")
        if wheel:
            report = verify_wheel(path, given, sources=options.sources, jobs=workers)
        else:
            report = verify_tree(path, given, jobs=workers)
        holds = not report.problems and not report.refused(allowed)
        documents.append(_document(report, holds=holds))
        if not options.json and not options.quiet:
            _print(report, frozenset(Status) if options.verbose else frozenset(Status) - allowed)
            if wheel and options.sources is None and report.counts()["orphan"]:
                print("    give --sources SDIST_OR_WHEEL to verify what has no source in the wheel")
        return DONE if holds else FOUND

    status = each_path(options.paths, verify, documents)
    if options.json:
        print_json({"reports": documents})
    return status


def _print(report: Report, shown: frozenset[Status]) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in report.counts().items() if number)
    print(f"{printable(report.path)}: {counts or 'no pycs'}")
    for problem in report.problems:
        print(f"    {printable(problem)}")
    for finding in report.findings:
        if finding.status in shown:
            print(f"    {finding.status.value}: {printable(finding.pyc)}")
            for reason in finding.reasons:
                print(f"        {printable(reason)}")


def _document(report: Report, *, holds: bool) -> dict[str, object]:
    return {
        "path": report.path,
        "holds": holds,
        "counts": report.counts(),
        "problems": list(report.problems),
        "pycs": [
            {
                "pyc": finding.pyc,
                "status": finding.status.value,
                "reasons": list(finding.reasons),
                "source": finding.source,
                "release": finding.release,
            }
            for finding in report.findings
        ],
    }
