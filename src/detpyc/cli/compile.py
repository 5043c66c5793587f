"""``detpyc compile``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.cli.common import (
    DONE,
    FOUND,
    add_command,
    add_jobs,
    add_settings,
    each_path,
    fail,
    print_json,
    settings_table,
)

if TYPE_CHECKING:
    import argparse

    from detpyc.cli.common import Commands
    from detpyc.tree import Report

MODES = ("checked-hash", "unchecked-hash", "timestamp")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compile",
        run,
        "byte-compile directory trees, deterministically",
        "Byte-compile the sources in directories and below. What is up to date is not written again.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="a directory or a source")
    add_settings(parser, MODES)
    parser.add_argument(
        "-s",
        "--strip-prefix",
        metavar="DIR",
        help="take it off the front of the paths that pycs record, as compileall does",
    )
    parser.add_argument(
        "-p", "--prepend-prefix", metavar="DIR", help="put it before the paths that pycs record, as compileall does"
    )
    parser.add_argument("--force", action="store_true", help="write what is up to date as well")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")
    parser.add_argument("--prune", action="store_true", help="remove pycs that have no source")
    parser.add_argument(
        "--prune-other-tags", action="store_true", help="remove pycs of other interpreters than those that compile"
    )
    parser.add_argument(
        "--update-records", action="store_true", help="list the pycs in the RECORD of each .dist-info directory"
    )
    add_jobs(parser)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from dataclasses import asdict  # noqa: PLC0415 - as in the package's docstring

    from detpyc.byte_compile import choose_interpreters  # noqa: PLC0415
    from detpyc.settings import Settings  # noqa: PLC0415
    from detpyc.tree import Options, byte_compile_tree  # noqa: PLC0415

    table = settings_table(options)
    if "invalidation-mode" not in table and os.environ.get("PYC_INVALIDATION_MODE"):
        table["invalidation-mode"] = os.environ["PYC_INVALIDATION_MODE"]  # as uv reads it
    settings = Settings.from_table(table, "options", modes=MODES)
    tree_options = Options(
        strip_prefix=options.strip_prefix,
        prepend_prefix=options.prepend_prefix,
        force=options.force,
        check=options.check,
        prune=options.prune,
        prune_other_tags=options.prune_other_tags,
        update_records=options.update_records,
        jobs=options.jobs,
    )
    chosen = choose_interpreters(settings.interpreters)
    documents = []

    def apply(path: Path) -> int:
        report = byte_compile_tree(path, settings, tree_options, chosen)
        documents.append({**asdict(report), "changed": report.changed})
        if not options.json and not options.quiet:
            _print(report, options)
        status = FOUND if options.check and report.changed else DONE
        if report.skipped and settings.on_syntax_error == "fail" and options.on_syntax_error is not None:
            status = FOUND
        for name, reason in report.failed.items():
            status = fail(f"{name}: {reason}")
        return status

    status = each_path(options.paths, apply)
    if options.json:
        print_json({"format": 1, "reports": documents})
    return status


def _print(report: Report, options: argparse.Namespace) -> None:
    written = "would be written" if options.check else "written"
    parts = [f"{report.sources} sources", f"{len(report.written)} pycs {written}", f"{report.current} up to date"]
    if report.pruned:
        parts.append(f"{len(report.pruned)} {'would be removed' if options.check else 'removed'}")
    if report.records:
        parts.append(f"{len(report.records)} RECORDs {'would be updated' if options.check else 'updated'}")
    print(f"{report.path}: {', '.join(parts)}")
    for source, reason in report.skipped.items():
        print(f"    skipped {source}: {reason}")
    if options.verbose:
        for name in (*report.written, *report.pruned, *report.records):
            print(f"    {name}")
