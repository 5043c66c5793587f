"""``detpyc diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.cli.common import DONE, FOUND, add_command, print_json, printable, read_path

if TYPE_CHECKING:
    import argparse

    from detpyc.cli.common import Commands
    from detpyc.cli.documents import DiffDocument, DifferenceObject, Differences
    from detpyc.compare import Comparison
    from detpyc.explain.difference import Difference


def add(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "diff",
        run,
        "explain the differences between two pycs, wheels, directories, archives or images",
        "Explain the differences between two pycs, between two wheels, or between the files in two directories, ZIP or"
        " tar files or container images. Exit with 0 if there are none, with 1 if there are some.",
    )
    parser.add_argument("a", metavar="A", type=read_path)
    parser.add_argument("b", metavar="B", type=read_path)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    from detpyc.compare import compare_artifacts  # noqa: PLC0415 - as in the package's docstring

    comparison = compare_artifacts(options.a, options.b)
    if options.json:
        document: DiffDocument = {"same": comparison.same, **comparison_document(comparison)}
        print_json(document)
    elif not options.quiet:
        print_comparison(comparison)
    return DONE if comparison.same else FOUND


def print_comparison(comparison: Comparison) -> None:
    """Print the differences, for people."""
    for name in comparison.only_a:
        print(f"only in the first: {printable(name)}")
    for name in comparison.only_b:
        print(f"only in the second: {printable(name)}")
    for name, differences in comparison.changed.items():
        print(printable(name))
        for difference in differences:
            _print_difference(difference)


def _print_difference(difference: Difference) -> None:
    if not difference.diff:
        print(f"    {difference.kind}: {printable(difference)}")
        return
    print(f"    {difference.kind}:")
    for line in difference.diff:
        print(f"        {printable(line)}")


def comparison_document(comparison: Comparison) -> Differences:
    """Return the differences, for JSON."""
    return {
        "only-a": list(comparison.only_a),
        "only-b": list(comparison.only_b),
        "changed": {
            name: [difference_document(difference) for difference in differences]
            for name, differences in comparison.changed.items()
        },
    }


def difference_document(difference: Difference) -> DifferenceObject:
    """Return a difference, for JSON."""
    return {
        "kind": difference.kind,
        "aspect": difference.aspect,
        "where": difference.where,
        "what": difference.what,
        "a": difference.a,
        "b": difference.b,
        "total": difference.total,
        "diff": list(difference.diff),
    }
