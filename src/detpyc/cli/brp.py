"""``detpyc brp``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from detpyc.cli import compile as compile_command
from detpyc.cli import normalize as normalize_command
from detpyc.cli.common import (
    DONE,
    add_command,
    add_jobs,
    add_settings,
    fail,
    jobs,
    print_json,
    read_path,
    read_settings,
    settings_table,
    warn,
)
from detpyc.errors import MissingInterpreterError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from detpyc.byte_compile.tree import TreeReport
    from detpyc.cli.common import Commands
    from detpyc.cli.documents import BrpDocument, CompileEntry, NormalizeEntry
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.settings import Settings

_LEVELS = [0, 1]  # as brp-python-bytecompile


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "brp",
        run,
        "normalize or write the pycs of an RPM build root",
        "Run as a build root policy of rpm: rewrite the pycs below RPM_BUILD_ROOT in canonical form, and replace times"
        " in their headers that are later than SOURCE_DATE_EPOCH with it. Change nothing outside RPM_BUILD_ROOT.",
    )
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", type=read_path, help="a path in the build root (default: all of it)"
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="byte-compile first: each lib/python3.X with CPython 3.X or, with --interpreter, all with that",
    )
    add_settings(parser, compile_command.MODES)
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.build_root import build_root, within  # noqa: PLC0415 - as in the package's docstring
    from detpyc.normalize import normalize_artifact  # noqa: PLC0415
    from detpyc.reproducible import source_date_epoch  # noqa: PLC0415

    root, epoch = build_root(), source_date_epoch()
    paths = within(root, options.paths)
    compiled: list[CompileEntry] = []
    normalized: list[NormalizeEntry] = []
    missing: list[str] = []
    status = DONE
    if options.compile:
        for report in _byte_compile(root, paths, options, missing):
            compiled.append(compile_command.document(report))
            compile_command.print_report(report, options)
            status = max(status, _failed(report.failed))
    for path in paths:
        normalization = normalize_artifact(path, latest=epoch)
        normalized.append(normalize_command.document(normalization))
        normalize_command.print_report(normalization, options)
        status = max(status, _failed(normalization.malformed))
    if options.json:
        document: BrpDocument = {
            "root": str(root),
            "compiled": compiled,
            "normalized": normalized,
            "missing": missing,
        }
        print_json(document)
    return status


def _failed(failures: dict[str, str]) -> int:
    return max([fail(f"{name}: {reason}") for name, reason in failures.items()], default=DONE)


def _byte_compile(
    root: Path, paths: Iterable[Path], options: argparse.Namespace, missing: list[str]
) -> Iterator[TreeReport]:
    """Byte-compile what is in the build root, under the paths where it will be installed."""
    from detpyc.byte_compile.tree import TreeOptions, byte_compile_tree  # noqa: PLC0415 - as in the package's docstring

    defaults = compile_command.defaults()
    if not os.environ.get("DETPYC_OPTIMIZE"):
        defaults["optimize"] = _LEVELS
    settings = read_settings({**defaults, **settings_table(options)}, compile_command.MODES)
    how = TreeOptions(strip_prefix=str(root), prepend_prefix="/", force=True, cache=False, jobs=jobs(options))
    for path, interpreters in _targets(paths, settings, options, missing):
        yield byte_compile_tree(path, settings, how, interpreters)


def _targets(
    paths: Iterable[Path], settings: Settings, options: argparse.Namespace, missing: list[str]
) -> Iterator[tuple[Path, list[Interpreter]]]:
    """Yield the directories to byte-compile, each with the interpreters for it."""
    from detpyc.build_root import find_libraries  # noqa: PLC0415 - as in the package's docstring
    from detpyc.compilation.interpreters import choose, find_interpreter  # noqa: PLC0415

    if settings.interpreters:
        chosen = choose(settings.interpreters, settings.on_missing_interpreter)
        missing += chosen.missing
        yield from ((path, [*chosen.interpreters]) for path in paths)
        return
    for path in paths:
        for library in find_libraries(path):
            try:
                yield library.path, [find_interpreter(library.version)]
            except MissingInterpreterError as error:
                if settings.on_missing_interpreter == "fail":
                    error.path = os.fspath(library.path)
                    raise
                missing.append(library.version)
                warn(f"{library.path}: CPython {library.version} is missing, so its sources are not compiled", options)
