"""``detpyc verify``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from detpyc.cli import batch
from detpyc.cli.common import (
    DONE,
    FOUND,
    add_command,
    add_install,
    add_jobs,
    each_path,
    jobs,
    print_json,
    printable,
    read_path,
    warn,
)
from detpyc.cli.progress import progress
from detpyc.errors import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection
    from pathlib import Path

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import PathError, VerifyDocument, VerifyEntry
    from detpyc.verify.reports import Status, VerificationReport

TEXT, JSON, SARIF = "text", "json", "sarif"


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
    what = "a wheel, a directory, a ZIP or tar file, a container image, or a .pyc file"
    parser.add_argument("paths", nargs="*", metavar="PATH", type=read_path, help=what)
    parser.add_argument(
        "-i",
        "--interpreter",
        action="append",
        metavar="PYTHON",
        help="compile the sources of its version with this Python, and assume that it compiled the pycs; may be"
        " repeated (default: the release that the wheel records, or all that are found)",
    )
    parser.add_argument(
        "--sources",
        type=read_path,
        metavar="SDIST_OR_WHEEL",
        help="where to find sources that the wheel does not contain",
    )
    parser.add_argument(
        "--source-root",
        type=read_path,
        metavar="DIR",
        help="where the sources of a tree of PYTHONPYCACHEPREFIX are, e.g. /",
    )
    _add_acceptance(parser)
    _add_loading(parser)
    parser.add_argument(
        "--format",
        choices=(TEXT, JSON, SARIF),
        help="what to print on standard output; --json is short for json (default: text)",
    )
    _add_work(parser)


def _add_work(parser: argparse.ArgumentParser) -> None:
    """Add the options for who works, and on how much."""
    add_install(parser)
    add_jobs(parser)
    batch.add(parser)


def _add_acceptance(parser: argparse.ArgumentParser) -> None:
    """Add the options for what passes."""
    parser.add_argument("--strict", action="store_true", help="accept identical pycs only")
    parser.add_argument(
        "--allow", action="append", default=[], type=_status, metavar="STATUS", help="also accept pycs of this status"
    )
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        type=_requirement,
        metavar="TAG[:LEVEL]",
        help="require that this Python, e.g. cpython-312 or cpython-312:2, loads a pyc of every source; may be"
        " repeated",
    )


def _add_loading(parser: argparse.ArgumentParser) -> None:
    """Add the options for what is loaded."""
    parser.add_argument(
        "--for",
        action="append",
        default=[],
        dest="targets",
        type=_target,
        metavar="TAG",
        help="say which pycs this Python loads, e.g. cpython-312; may be repeated (default: any)",
    )
    parser.add_argument(
        "--level",
        action="append",
        default=[],
        dest="levels",
        type=int,
        choices=(0, 1, 2),
        help="say which pycs are loaded at this optimization level; may be repeated (default: any)",
    )
    parser.add_argument(
        "--loaded-as",
        choices=("directory", "zip", "installed"),
        help="where modules are imported from: a directory, a ZIP file, or a directory whose files have other times"
        " than in the artifact (default: installed for wheels, zip for .pyz and .egg files and for ZIP files with a"
        " __main__.py, otherwise directory)",
    )


def _status(text: str) -> Status:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - it is imported already when this is called

    from detpyc.verify.reports import Status  # noqa: PLC0415 - as in the package's docstring

    try:
        return Status(text)
    except ValueError as error:
        known = ", ".join(status.value for status in Status)
        raise ArgumentTypeError(f"unknown status {text!r}; choose from {known}") from error


def _requirement(text: str) -> str:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - as above

    from detpyc.verify.requirements import Requirement  # noqa: PLC0415 - as in the package's docstring

    try:
        return Requirement.parse(text).text
    except SettingsError as error:
        raise ArgumentTypeError(str(error)) from error


def _target(text: str) -> str:
    from argparse import ArgumentTypeError  # noqa: PLC0415 - as above

    from detpyc.verify.requirements import target_version  # noqa: PLC0415 - as in the package's docstring

    try:
        target_version(text)
    except SettingsError as error:
        raise ArgumentTypeError(str(error)) from error
    return text


def run(options: argparse.Namespace) -> int:
    """Run it."""
    if options.batch:
        return batch.run(options)
    batch.refuse(options)
    if not options.paths:
        raise SettingsError("the following arguments are required: PATH, or --batch LIST")
    from detpyc.verify.reports import PASSING, Status  # noqa: PLC0415 - as in the package's docstring
    from detpyc.wheel.distribution import is_wheel  # noqa: PLC0415

    output = _output(options)
    allowed = {*({Status.IDENTICAL} if options.strict else PASSING), *options.allow}
    verify_one = _verification(options)
    reports: list[VerificationReport] = []
    documents: list[VerifyEntry | PathError] = []

    def verify(path: Path) -> int:
        with progress(path.name or path, options) as bar:
            report = verify_one(path, progress=bar)
        passed = report.passes(allowed)
        reports.append(report)
        if output == JSON:
            documents.append(_document(report, passed=passed))
        elif output == TEXT and not options.quiet:
            _print(report, set(Status) if options.verbose else set(Status) - allowed)
            if is_wheel(path) and options.sources is None and report.counts()["orphan"]:
                print("    use --sources SDIST_OR_WHEEL to verify pycs that have no source in the wheel")
        if not report.findings and not options.require:
            warn(f"{path}: no pycs, so nothing was verified; add --require if there must be some", options)
        return DONE if passed else FOUND

    status = each_path(options.paths, verify, documents)
    if output == JSON:
        document: VerifyDocument = {"reports": documents}
        print_json(document)
    elif output == SARIF:
        _print_sarif(reports, allowed, documents)
    return status


def _verification(options: argparse.Namespace) -> partial[VerificationReport]:
    """Return what verifies a path."""
    from detpyc.compilation.interpreters import find_interpreter  # noqa: PLC0415 - as in the package's docstring
    from detpyc.verify.artifacts import verify_artifact  # noqa: PLC0415

    install, requests = options.install_interpreters, options.interpreter or ()
    return partial(
        verify_artifact,
        interpreters=tuple(find_interpreter(request, exactly=True, install=install) for request in requests),
        sources=options.sources,
        jobs=jobs(options),
        install=install,
        require=options.require,
        targets=options.targets,
        levels=options.levels,
        loaded_as=options.loaded_as,
        source_root=options.source_root,
    )


def _output(options: argparse.Namespace) -> str:
    """Return the format of the output.

    Raises:
        SettingsError: if the options contradict each other.

    """
    if options.json and options.format not in {None, JSON}:
        raise SettingsError(f"--json is short for --format json; omit it for --format {options.format}")
    output: str = JSON if options.json else options.format or TEXT
    return output


def _print_sarif(
    reports: list[VerificationReport], allowed: Collection[Status], documents: list[VerifyEntry | PathError]
) -> None:
    import json  # noqa: PLC0415 - rarely needed

    from detpyc.verify.sarif import sarif_log  # noqa: PLC0415 - as in the package's docstring

    errors = [cast("PathError", document) for document in documents if "error" in document]
    failures = {error["path"]: error["error"] for error in errors}
    print(json.dumps(sarif_log(reports, allowed, failures), indent=2))


def _print(report: VerificationReport, shown: set[Status]) -> None:
    counts = ", ".join(f"{number} {status}" for status, number in report.counts().items() if number)
    by = ", ".join(report.loaded_by)
    loaded = f"; loaded by CPython {by}" if by and not report.never_loaded else ""
    print(f"{printable(report.path)}: {counts or 'no pycs'}{loaded}")
    _print_loading(report)
    for problem in report.problems:
        print(f"    {printable(problem)}")
    for finding in report.findings:
        if finding.status in shown:
            layer = f" (layer {printable(finding.layer)})" if finding.layer else ""
            print(f"    {finding.status.value}: {printable(finding.pyc)}{layer}")
            for reason in finding.reasons:
                print(f"        {printable(reason)}")


def _print_loading(report: VerificationReport) -> None:
    """Print what is not loaded, and what is required and missing."""
    from detpyc.wording import counted, listed  # noqa: PLC0415 - as in the package's docstring

    reasons: dict[str, list[str]] = {}
    for name, reason in report.never_loaded.items():
        reasons.setdefault(reason, []).append(name)
    if reasons:
        total, never = len(report.findings), len(report.never_loaded)
        by = f" by CPython {', '.join(report.loaded_by)}" if report.loaded_by else ""
        pycs = "pyc" if total == 1 else "pycs"
        print(f"    {total - never:,} of {total:,} {pycs} will be loaded{by}; {never:,} never:")
    for reason, names in reasons.items():
        print(f"        {reason}: {printable(listed(names))}")
    for requirement, sources in report.unmet.items():
        if sources:
            print(f"    {requirement} loads no pyc of {counted(len(sources), 'source')}: {printable(listed(sources))}")
        else:
            print(f"    {requirement} loads no pyc")


def _document(report: VerificationReport, *, passed: bool) -> VerifyEntry:
    return {
        "path": report.path,
        "holds": passed,
        "counts": report.counts(),
        "problems": list(report.problems),
        "problem-rules": [problem.rule.value for problem in report.problems],
        "loaded-by": list(report.loaded_by),
        "never-loaded": report.never_loaded,
        "unmet": {requirement: list(sources) for requirement, sources in report.unmet.items()},
        "pycs": [
            {
                "pyc": finding.pyc,
                "status": finding.status.value,
                "reasons": list(finding.reasons),
                "source": finding.source,
                "release": finding.release,
                "layer": finding.layer,
                "loads": finding.loads,
                "ignored-because": finding.ignored_because,
            }
            for finding in report.findings
        ],
    }
