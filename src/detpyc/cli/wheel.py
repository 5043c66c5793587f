"""``detpyc wheel``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import (
    DONE,
    FOUND,
    add_command,
    add_jobs,
    add_settings,
    fail,
    jobs,
    note,
    option,
    print_json,
    printable,
    read_path,
    read_settings,
    settings_table,
    warn,
)
from detpyc.errors import DetpycError
from detpyc.pyproject import PYPROJECT

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from detpyc.byte_compile.recipe import Recipe
    from detpyc.byte_compile.wheel import WheelOptions, WheelReport
    from detpyc.cli.common import Commands
    from detpyc.cli.documents import WheelDocument, WheelEntry, WheelError
    from detpyc.pyproject import Table
    from detpyc.settings import Settings


def add(commands: Commands) -> None:
    """Add the command."""
    from detpyc.settings import DEFLATED, LAYOUTS, STORED, WHEEL_MODES  # noqa: PLC0415 - as in the package's docstring

    parser = add_command(
        commands,
        "wheel",
        run,
        "put canonical bytecode into wheels",
        "Put canonical bytecode into wheels and rewrite their RECORD, in place by default.",
    )
    parser.add_argument("wheels", nargs="+", metavar="WHEEL", type=read_path)
    add_settings(parser, WHEEL_MODES)
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        help="where to put the pycs: in __pycache__, or in the place of their sources",
    )
    parser.add_argument(
        "--compression", choices=(DEFLATED, STORED), help="how the archive is compressed (default: deflated)"
    )
    parser.add_argument(
        "--normalize-archive",
        action="store_true",
        help="give all members a fixed order, date (SOURCE_DATE_EPOCH, or 1980-01-01) and mode",
    )
    _add_origin(parser)
    parser.add_argument(
        "--no-provenance", action="store_true", help="omit detpyc.json, which records what made the bytecode"
    )
    parser.add_argument(
        "--output-dir", type=read_path, metavar="DIR", help="write the results there, and leave the wheels unchanged"
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything would change")
    add_jobs(parser)


def _add_origin(parser: argparse.ArgumentParser) -> None:
    """Add the options for where settings come from."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--pyproject",
        type=read_path,
        metavar="FILE",
        help=f"read the settings from the table in a project's {PYPROJECT}, or in that of a directory; other options"
        " and the environment override them",
    )
    group.add_argument(
        "--like",
        type=read_path,
        metavar="WHEEL",
        help="read every setting from what another wheel records of itself, and none from the environment",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from detpyc.byte_compile.wheel import byte_compile_wheel  # noqa: PLC0415 - as in the package's docstring

    settings, how = _settings(options)
    if how.output_dir is not None:
        _prepare_directory(how.output_dir, options)
    status = DONE
    results: list[WheelEntry | WheelError] = []
    for path in options.wheels:
        try:
            report = byte_compile_wheel(path, settings, how)
        except DetpycError as error:
            status = fail(str(error))
            results.append({"wheel": str(path), "error": str(error)})
            continue
        if options.check and report.changed:
            status = max(status, FOUND)
        results.append(_report_object(path, report))
        for warning in report.warnings:
            warn(warning, options)
        if not options.json and not options.quiet:
            _print_report(report, options)
    if options.json:
        document: WheelDocument = {"wheels": results}
        print_json(document)
    return status


def _settings(options: argparse.Namespace) -> tuple[Settings, WheelOptions]:
    """Read what the command line, the environment, or the wheel that ``--like`` names say."""
    from detpyc.byte_compile.wheel import WheelOptions  # noqa: PLC0415 - as in the package's docstring
    from detpyc.settings import FAIL, INSTALL, WHEEL_MODES  # noqa: PLC0415

    how = WheelOptions(
        output_dir=options.output_dir,
        jobs=jobs(options),
        check=options.check,
        explain=options.check and (options.verbose or options.json),
        normalize_archive=options.normalize_archive,
        rename=True,
    )
    table = _table(options)
    if options.like is None:
        return read_settings(table, WHEEL_MODES, _project(options)), how
    recipe = _like(options.like, table)
    how = how._replace(
        normalize_archive=recipe.normalized or how.normalize_archive,
        date=recipe.date or how.date,
        missing=recipe.missing,
    )
    on_missing = INSTALL if options.install_interpreters else FAIL
    return recipe.settings._replace(on_missing_interpreter=on_missing, cache=bool(options.cache)), how


def _table(options: argparse.Namespace) -> dict[str, object]:
    """Return the settings that the options set, as a table."""
    table = settings_table(options)
    if options.no_provenance:
        table["provenance"] = False
    if options.layout is not None:
        table["layout"] = options.layout
    if options.compression is not None:
        table["compression"] = options.compression
    return table


def _project(options: argparse.Namespace) -> Table | None:
    """Return the table of settings in the file that ``--pyproject`` names; None without that option.

    Raises:
        DetpycError: if the file cannot be read, or does not have exactly one table.

    """
    from detpyc.pyproject import chosen_table, read_pyproject, unread_tables  # noqa: PLC0415

    path: Path | None = options.pyproject
    if path is None:
        _mention_tables(options)
        return None
    if path.is_dir():
        path /= PYPROJECT
    document = read_pyproject(path)
    try:
        table = chosen_table(document)
    except DetpycError as error:
        error.path = str(path)
        raise
    for message in unread_tables(document, [table.location]).values():
        warn(f"{path}: {message}", options)
    return table


def _mention_tables(options: argparse.Namespace) -> None:
    """Print which tables of the project in the current directory are not used now, and which never are."""
    from pathlib import Path  # noqa: PLC0415 - as in the package's docstring

    from detpyc.pyproject import read_pyproject, settings_tables, unread_tables  # noqa: PLC0415

    try:
        document = read_pyproject(Path(PYPROJECT))
    except DetpycError:
        return  # the directory need not be a project's
    unread = unread_tables(document)
    for message in unread.values():
        warn(f"{PYPROJECT}: {message}", options)
    unused = [table.location for table in settings_tables(document) if table.settings and table.location not in unread]
    if unused:
        places = " and ".join(f"[{location}]" for location in unused)
        note(f"the settings in {places} of {PYPROJECT} are not used; `--pyproject .` uses them", options)


def _like(path: Path, table: dict[str, object]) -> Recipe:
    from detpyc.byte_compile.recipe import Recipe  # noqa: PLC0415
    from detpyc.settings import INSTALL  # noqa: PLC0415

    given = ", ".join(option(key) for key, value in sorted(table.items()) if key != "cache" and value != INSTALL)
    if given:
        raise DetpycError(f"--like reads the settings from {path}; omit {given}")
    return Recipe.of(path)


def _prepare_directory(directory: Path, options: argparse.Namespace) -> None:
    """Create the directory for the results; refuse wheels that would overwrite each other there."""
    names = [path.name for path in options.wheels]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise DetpycError(f"{repeated}: there are two wheels of this name, and both would be written to {directory}")
    if options.check:
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DetpycError(f"cannot be created: {error.strerror}", path=directory) from error


def _print_report(report: WheelReport, options: argparse.Namespace) -> None:
    if not report.interpreters:
        print(report.summary())
    elif not report.changed:
        print(f"{report.path.name}: nothing to change")
    elif options.check:
        print(f"{report.path.name}: would change")
    else:
        print(report.summary())
    if report.renamed_from is not None:
        print(f"    {'would be renamed' if options.check else 'renamed'} from {report.renamed_from}")
    for source, reason in report.skipped.items():
        print(f"    skipped {printable(source)}: {printable(reason)}")
    if options.verbose:
        for name in report.dropped if not options.check else ():
            print(f"    dropped {printable(name)}")
        for name, change in report.changes.items():
            print(f"    {printable(name)}: {printable(change)}")
        for interpreter in report.interpreters:
            print(f"    CPython {interpreter.release} is {interpreter.path}")


def _report_object(path: Path, report: WheelReport) -> WheelEntry:
    return {
        "wheel": str(path),
        "output": str(report.path),
        "changed": report.changed,
        "renamed-from": report.renamed_from,
        "interpreters": [
            {"release": used.release, "cache-tag": used.cache_tag, "magic-number": used.magic_number, "path": used.path}
            for used in report.interpreters
        ],
        "modules": report.modules,
        "pycs": report.pycs,
        "kept": report.kept,
        "dropped": list(report.dropped),
        "skipped": report.skipped,
        "bytes-added": report.bytes_added,
        "loaded-by": list(report.loaded_by),
        "never-loaded": report.never_loaded,
        "missing": list(report.missing),
        "changes": report.changes,
    }
