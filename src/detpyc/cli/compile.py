"""``detpyc compile``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.cli.common import (
    DONE,
    FAILED,
    FOUND,
    add_command,
    add_jobs,
    add_settings,
    each_path,
    fail,
    jobs,
    print_json,
    printable,
    read_path,
    read_settings,
    settings_table,
    warn,
)
from detpyc.cli.progress import progress
from detpyc.errors import DetpycError, SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from detpyc.byte_compile.tree import TreeOptions, TreeReport
    from detpyc.cli.common import Commands
    from detpyc.cli.documents import CompileDocument, CompileEntry, PathError

MODES = ("checked-hash", "unchecked-hash", "timestamp")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compile",
        run,
        "byte-compile directory trees, deterministically",
        "Byte-compile the sources in directories and their subdirectories. Pycs that are up to date stay unchanged.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=read_path, help="a directory or a source file")
    add_settings(parser, MODES)
    parser.add_argument(
        "-s",
        "--strip-prefix",
        metavar="DIR",
        help="remove DIR from the front of the recorded paths, as compileall does",
    )
    parser.add_argument(
        "-p", "--prepend-prefix", metavar="DIR", help="add DIR to the front of the recorded paths, as compileall does"
    )
    parser.add_argument(
        "--pycache-prefix",
        metavar="DIR",
        help="write the pycs below DIR, where Python with -X pycache_prefix=DIR looks (default: PYTHONPYCACHEPREFIX)",
    )
    parser.add_argument("--force", action="store_true", help="write pycs that are up to date too")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")
    parser.add_argument("--prune", action="store_true", help="remove pycs that have no source")
    parser.add_argument(
        "--prune-other-tags", action="store_true", help="remove pycs of interpreters other than those that compile"
    )
    parser.add_argument(
        "--update-records", action="store_true", help="list the pycs in the RECORD of each .dist-info directory"
    )
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.byte_compile.tree import byte_compile_tree  # noqa: PLC0415 - as in the package's docstring
    from detpyc.compilation.interpreters import choose  # noqa: PLC0415

    settings = read_settings({**defaults(), **settings_table(options)}, MODES)
    how = _tree_options(options)._replace(cache=settings.cache)
    if how.strip_prefix is None and how.prepend_prefix is None:
        _refuse_nested(options.paths)
    chosen, missing = choose(settings.interpreters, settings.on_missing_interpreter)
    if missing:
        effect = "their pycs are neither written nor removed" if chosen else "nothing is byte-compiled"
        warn(f"interpreters are missing ({', '.join(missing)}), so {effect}", options)
        how = how._replace(prune_other_tags=False)
    documents: list[CompileEntry | PathError] = []

    def apply(path: Path) -> int:
        with progress(path.name or path, options) as bar:
            report = byte_compile_tree(path, settings, how, chosen, bar)
        documents.append(document(report))
        print_report(report, options, check=options.check)
        for name, reason in report.failed.items():
            fail(f"{name}: {reason}")
        if report.failed:
            return FAILED
        found = (options.check and report.changed) or (report.skipped and settings.on_syntax_error == "fail")
        return FOUND if found else DONE

    status = each_path(options.paths if chosen else (), apply, documents)
    if options.json:
        found: CompileDocument = {"reports": documents, "missing": list(missing)}
        print_json(found)
    return status


def _tree_options(options: argparse.Namespace) -> TreeOptions:
    from detpyc.byte_compile.tree import TreeOptions  # noqa: PLC0415 - as in the package's docstring

    return TreeOptions(
        strip_prefix=options.strip_prefix,
        prepend_prefix=options.prepend_prefix,
        pycache_prefix=_pycache_prefix(options),
        force=options.force,
        check=options.check,
        prune=options.prune,
        prune_other_tags=options.prune_other_tags,
        update_records=options.update_records,
        jobs=jobs(options),
    )


def _pycache_prefix(options: argparse.Namespace) -> str | None:
    """Return the prefix of the option, or else of the environment; an empty one means none, as it does to Python."""
    given: str | None = options.pycache_prefix
    return (os.environ.get("PYTHONPYCACHEPREFIX") if given is None else given) or None


def defaults() -> dict[str, object]:
    """Return the defaults that differ from those for wheels, unless a variable sets them."""
    from detpyc.settings import variable  # noqa: PLC0415 - as in the package's docstring

    found: dict[str, object] = {}
    if not os.environ.get(variable("on-syntax-error")):
        found["on-syntax-error"] = "skip"
    if not os.environ.get(variable("cache")):
        found["cache"] = True
    text = os.environ.get("PYC_INVALIDATION_MODE")
    if text and not os.environ.get(variable("invalidation-mode")):
        mode = text.lower().replace("_", "-")  # as for uv: the names of py_compile.PycInvalidationMode's members
        if mode not in MODES:
            raise SettingsError(
                f'PYC_INVALIDATION_MODE must be CHECKED_HASH, UNCHECKED_HASH or TIMESTAMP, not "{text}"'
            )
        found["invalidation-mode"] = mode
    return found


def _refuse_nested(paths: Sequence[Path]) -> None:
    """Refuse a path inside another one: its pycs would be written twice, with different recorded paths."""
    real = {path: Path(os.path.realpath(path)) for path in paths}
    for path in paths:
        for other in paths:
            if real[other] in real[path].parents:
                raise DetpycError(
                    f"is in {other}; pycs record paths relative to the directory on the command line, so give only one"
                    " of them, or use -s and -p",
                    path=path,
                )


def document(report: TreeReport) -> CompileEntry:
    """Return what --json prints for a path."""
    return {
        "path": report.path,
        "sources": report.sources,
        "written": report.written,
        "current": report.current,
        "skipped": report.skipped,
        "removed": report.removed,
        "records": report.records,
        "failed": report.failed,
        "changed": report.changed,
    }


def print_report(report: TreeReport, options: argparse.Namespace, *, check: bool = False) -> None:
    """Print what was done to a path, unless --json or --quiet is given."""
    from detpyc.wording import counted  # noqa: PLC0415 - as in the package's docstring

    if options.json or options.quiet:
        return
    would = "would be " if check else ""
    parts = [
        counted(report.sources, "source"),
        f"{counted(len(report.written), 'pyc')} {would}written",
        f"{report.current} up to date",
    ]
    if report.removed:
        parts.append(f"{len(report.removed)} {would}removed")
    if report.records:
        parts.append(f"{counted(len(report.records), 'RECORD')} {would}updated")
    if report.skipped:
        parts.append(f"{counted(len(report.skipped), 'source')} skipped because of compile errors")
    print(f"{printable(report.path)}: {', '.join(parts)}")
    for source, reason in report.skipped.items():
        print(f"    skipped {printable(source)}: {printable(reason)}")
    if options.verbose:
        for done, names in (("written", report.written), ("removed", report.removed), ("updated", report.records)):
            for name in names:
                print(f"    {would}{done} {printable(name)}")
