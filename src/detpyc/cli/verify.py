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

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.verify.reports import Status, VerificationReport


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "verify",
        run,
        "verify that bytecode is what its source compiles to",
        "Compile the source of every pyc again and compare the result with it. Exit with 0 if all pycs are identical or"
        " equivalent, with 1 otherwise.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a wheel, a directory, or a .pyc file")
    parser.add_argument(
        "-i",
        "--interpreter",
        action="append",
        metavar="PYTHON",
        help="compile the sources of its version's pycs with it, and assume that it compiled those pycs; may be given"
        " several times (default: the release that a wheel's provenance names, or all that are found)",
    )
    parser.add_argument(
        "--sources",
        type=read_path,
        metavar="SDIST_OR_WHEEL",
        help="where to find the sources that a wheel lacks, as a sourceless one does",
    )
    parser.add_argument("--strict", action="store_true", help="accept identical pycs only")
    parser.add_argument(
        "--allow", action="append", default=[], type=_status, metavar="STATUS", help="also accept pycs of this status"
    )
    add_jobs(parser)


def _status(text: str) -> Status:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - it is imported already when this is called

    from detpyc.verify.reports import Status  # noqa: PLC0415 - as in the package's docstring

    try:
        return Status(text)
    except ValueError as error:
        known = ", ".join(status.value for status in Status)
        raise ArgumentTypeError(f"unknown status {text!r}; choose from {known}") from error


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.compilation.interpreters import find_interpreter  # noqa: PLC0415 - as in the package's docstring
    from detpyc.verify.artifacts import verify_artifact  # noqa: PLC0415
    from detpyc.verify.reports import Status  # noqa: PLC0415
    from detpyc.wheel.distribution import is_wheel  # noqa: PLC0415

    allowed = {Status.IDENTICAL, *options.allow}
    if not options.strict:
        allowed.add(Status.EQUIVALENT)
    workers = jobs(options)
    interpreters = tuple(find_interpreter(request) for request in options.interpreter or ())
    documents: list[dict[str, object]] = []

    def verify(path: Path) -> int:
        report = verify_artifact(path, interpreters, sources=options.sources, jobs=workers)
        passed = not report.problems and not report.refused(allowed)
        documents.append(_document(report, passed=passed))
        if not options.json and not options.quiet:
            _print(report, set(Status) if options.verbose else set(Status) - allowed)
            if is_wheel(path) and options.sources is None and report.counts()["orphan"]:
                print("    use --sources SDIST_OR_WHEEL to verify pycs that have no source in the wheel")
        return DONE if passed else FOUND

    status = each_path(options.paths, verify, documents)
    if options.json:
        print_json({"reports": documents})
    return status


def _print(report: VerificationReport, shown: set[Status]) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in report.counts().items() if number)
    print(f"{printable(report.path)}: {counts or 'no pycs'}")
    for problem in report.problems:
        print(f"    {printable(problem)}")
    for finding in report.findings:
        if finding.status in shown:
            print(f"    {finding.status.value}: {printable(finding.pyc)}")
            for reason in finding.reasons:
                print(f"        {printable(reason)}")


def _document(report: VerificationReport, *, passed: bool) -> dict[str, object]:
    return {
        "path": report.path,
        "holds": passed,
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
