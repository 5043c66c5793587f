"""The command line. The only module that prints."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from detpyc import __version__
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detpyc.byte_compile import Report

    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - there is no public name for it

DONE = 0
FOUND = 1
FAILED = 2

_LEVELS = (0, 1, 2)


class _Terminated(BaseException):
    """The process was asked to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those of the command line; by default the process's own.

    Returns:
        The exit status: 0 if it is done or holds, 1 if a check found something, 2 if it could not be done.

    """
    options = _parser().parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        status: int = options.run(options)
    except DetpycError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; what was not finished is as it was")
    except _Terminated:
        return _fail("terminated; what was not finished is as it was")
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter's own flush at exit must not complain again.
        sys.stdout = None
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, before)
    return status


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def _fail(message: str) -> int:
    print(f"detpyc: {message}", file=sys.stderr)
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="detpyc", description="Deterministic, canonical bytecode for wheels.")
    parser.add_argument("--version", action="version", version=f"detpyc {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_wheel(commands)
    _add_interpreters(commands)
    return parser


def _add_command(
    commands: _Commands, name: str, run: Callable[[argparse.Namespace], int], summary: str, description: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=description, allow_abbrev=False
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="print more")
    return parser


def _jobs(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _add_wheel(commands: _Commands) -> None:
    parser = _add_command(
        commands,
        "wheel",
        _wheel,
        "put canonical bytecode into wheels",
        "Put canonical bytecode into wheels and rewrite their RECORD, in place by default.",
    )
    parser.add_argument("wheels", nargs="+", metavar="WHEEL", type=Path)
    parser.add_argument(
        "-i",
        "--interpreter",
        action="append",
        metavar="PYTHON",
        help="compile with it: 3.12, a pinned 3.12.1, or a path; may be given several times (default: the running one)",
    )
    parser.add_argument(
        "--optimize",
        action="append",
        type=int,
        choices=_LEVELS,
        help="optimization level; may be given several times (default: 0)",
    )
    parser.add_argument(
        "--invalidation-mode",
        choices=("checked-hash", "unchecked-hash"),
        help="what a pyc's header holds (default: checked-hash)",
    )
    parser.add_argument(
        "--include", action="append", metavar="PATTERN", help="only sources that match (gitignore pattern)"
    )
    parser.add_argument(
        "--exclude", action="append", metavar="PATTERN", help="no sources that match (gitignore pattern)"
    )
    parser.add_argument(
        "--on-syntax-error", choices=("fail", "skip"), help="what to do with sources that do not compile"
    )
    parser.add_argument("--no-provenance", action="store_true", help="do not record what was done in the wheel")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="leave the wheels as they are and put the results there"
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")
    parser.add_argument("-j", "--jobs", type=_jobs, metavar="N", help="how many workers (default: one a processor)")


def _wheel(options: argparse.Namespace) -> int:
    from detpyc.byte_compile import byte_compile_wheel  # noqa: PLC0415 - --version and --help need none of it
    from detpyc.settings import Settings  # noqa: PLC0415

    table = {
        "interpreters": options.interpreter,
        "optimize": options.optimize,
        "invalidation-mode": options.invalidation_mode,
        "include": options.include,
        "exclude": options.exclude,
        "on-syntax-error": options.on_syntax_error,
        "provenance": False if options.no_provenance else None,
    }
    settings = Settings.from_table({key: value for key, value in table.items() if value is not None}, "options")
    if options.output_dir is not None and not options.check:
        _make_directory(options.output_dir)
    status = DONE
    results: list[dict[str, object]] = []
    for path in options.wheels:
        try:
            report = byte_compile_wheel(
                path, settings, output_dir=options.output_dir, jobs=options.jobs, check=options.check
            )
        except DetpycError as error:
            status = _fail(str(error))
            results.append({"wheel": str(path), "error": str(error)})
            continue
        if options.check and report.changed:
            status = max(status, FOUND)
        results.append(_report_object(path, report))
        if not options.json and not options.quiet:
            _print_report(report, options)
    if options.json:
        print(json.dumps({"wheels": results}, indent=2, sort_keys=True))
    return status


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DetpycError(f"{directory}: cannot be made: {error.strerror}") from error


def _print_report(report: Report, options: argparse.Namespace) -> None:
    if not report.changed:
        print(f"{report.path.name}: nothing to change")
    elif options.check:
        print(f"{report.path.name}: would change")
    else:
        print(report.summary())
    for source, reason in report.skipped.items():
        print(f"    skipped {source}: {reason}")
    if options.verbose:
        for name in report.dropped:
            print(f"    dropped {name}")
        for interpreter in report.interpreters:
            print(f"    CPython {interpreter.release} is {interpreter.path}")


def _report_object(path: Path, report: Report) -> dict[str, object]:
    return {
        "wheel": str(path),
        "output": str(report.path),
        "changed": report.changed,
        "interpreters": [
            {"release": each.release, "cache-tag": each.cache_tag, "magic-number": each.magic_number, "path": each.path}
            for each in report.interpreters
        ],
        "modules": report.modules,
        "pycs": report.pycs,
        "kept": report.kept,
        "dropped": list(report.dropped),
        "skipped": report.skipped,
        "bytes-added": report.bytes_added,
    }


def _add_interpreters(commands: _Commands) -> None:
    _add_command(
        commands,
        "interpreters",
        _interpreters,
        "list the interpreters that are found",
        "List the Python interpreters that are found, the newest first, and say which can byte-compile for detpyc.",
    )


def _interpreters(options: argparse.Namespace) -> int:
    from detpyc.compilation.interpreters import find_all  # noqa: PLC0415 - as above

    found = find_all()
    if options.json:
        listed = [
            {
                "release": each.release,
                "implementation": each.implementation,
                "cache-tag": each.cache_tag,
                "magic-number": each.magic_number,
                "path": each.path,
                "supported": each.problem is None,
                "problem": each.problem,
            }
            for each in found
        ]
        print(json.dumps({"interpreters": listed}, indent=2, sort_keys=True))
        return DONE
    rows = [
        (
            each.release,
            each.cache_tag,
            str(each.magic_number),
            each.path,
            "" if each.problem is None else "not supported",
        )
        for each in found
    ]
    heads = ("RELEASE", "CACHE TAG", "MAGIC", "PATH", "")
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return DONE
