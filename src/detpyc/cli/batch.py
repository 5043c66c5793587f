"""``detpyc verify --batch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, FOUND, fail, jobs, note, printable, warn
from detpyc.cli.progress import progress
from detpyc.errors import SettingsError

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from detpyc.engines.batch import BatchSummary
    from detpyc.engines.executors import Workers

# Options of verify that apply to a single artifact.
_SINGLE = {
    "paths": "PATH",
    "interpreter": "--interpreter",
    "sources": "--sources",
    "source_root": "--source-root",
    "targets": "--for",
    "levels": "--level",
    "loaded_as": "--loaded-as",
    "json": "--json",
    "format": "--format",
    "install_interpreters": "--install-interpreters",
}
# And those that apply to a batch only.
_OWN = {"results": "--results", "scheduler": "--scheduler", "index_url": "--index-url"}


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("many artifacts")
    group.add_argument(
        "--batch",
        metavar="LIST",
        help="verify what a list names: pylock.toml, uv.lock, requirements with hashes, a page of an index, or paths",
    )
    group.add_argument(
        "--index-url",
        metavar="URL",
        help="the index to search for requirements without a URL, unless the list names one (default: PIP_INDEX_URL,"
        " UV_DEFAULT_INDEX or PyPI)",
    )
    group.add_argument("--results", metavar="DIR", help="where to append one line per artifact; a later run continues")
    group.add_argument("--scheduler", metavar="URL", help="the address of a running Dask cluster, e.g. tcp://host:8786")


def refuse(options: argparse.Namespace) -> None:
    """Check that the options have none that applies to a batch only.

    Raises:
        SettingsError: if they have one.

    """
    extra = [name for key, name in _OWN.items() if getattr(options, key)]
    if extra:
        raise SettingsError(f"verify without --batch LIST does not take {', '.join(extra)}")


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.engines.batch import verify_many  # noqa: PLC0415 - as in the package's docstring
    from detpyc.engines.lists import read_list  # noqa: PLC0415
    from detpyc.verify.reports import PASSING, Status  # noqa: PLC0415

    extra = [name for key, name in _SINGLE.items() if getattr(options, key)]
    if extra:
        raise SettingsError(f"--batch does not take {', '.join(extra)}")
    if not options.results:
        raise SettingsError("--batch needs --results DIR, where the results are written")
    artifacts = read_list(options.batch, options.index_url)
    if not artifacts:
        warn(f"{options.batch}: names no wheels, so nothing is verified", options)
    with _workers(options) as workers, progress(options.batch, options, rate=True) as bar:
        summary = verify_many(
            artifacts,
            workers.executor,
            results=options.results,
            require=options.require,
            allowed={*({Status.IDENTICAL} if options.strict else PASSING), *options.allow},
            window=workers.window,
            restart=workers.restart,
            progress=bar,
        )
    return _report(summary, options)


def _workers(options: argparse.Namespace) -> AbstractContextManager[Workers]:
    from detpyc.engines.executors import dask_workers, local_workers  # noqa: PLC0415 - as in the package's docstring

    return dask_workers(options.scheduler) if options.scheduler else local_workers(jobs(options))


def _report(summary: BatchSummary, options: argparse.Namespace) -> int:
    """Print the summary, and return the exit status."""
    from detpyc.wording import counted  # noqa: PLC0415 - as in the package's docstring

    if summary.outdated:
        ignored = counted(summary.outdated, "result")
        note(f"{options.results}: ignoring {ignored} of another version or with other requirements", options)
    for number in summary.invalid:
        warn(f"{options.results}: line {number} of the results is not a result, and does not count", options)
    if summary.empty:
        empty = counted(summary.empty, "artifact")
        warn(f"nothing was verified in {empty} without pycs; add --require if there must be some", options)
    if not options.quiet:
        rows = {
            "verified now": summary.verified,
            "verified before": summary.known,
            "passed": summary.passed,
            "did not pass": len(summary.refused),
            "failed": len(summary.failures),
            **{f"pycs {status}": number for status, number in summary.counts.items() if number},
        }
        width = max(map(len, rows))
        for name, number in rows.items():
            print(f"{name:<{width}}  {number:>9,}")
        for location in summary.refused if options.verbose else ():
            print(f"    {printable(location)}")
    status = FOUND if summary.refused else DONE
    for location, reason in summary.failures.items():
        status = fail(f"{location}: {reason}")
    return status
