"""Measure detpyc against the programs that it replaces, interleaved, and write the ratios.

Run by ``nox -s bench``. It downloads its inputs with pip, measures every row once in each of a number of rounds, prints
a table of medians, and writes ``results.json`` and ``results.svg`` next to itself. Absolute times depend on the
machine. The ratios, each of two commands run one after the other, depend on it much less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from drawing import draw
from inputs import REQUIREMENTS, Inputs
from rows import rows as all_rows

HERE = Path(__file__).parent
PEERS = ("pyc_wheel", "marshalparser", "uv")


def main() -> None:
    """Measure all rows, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only rows whose name contains this; writes no files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="detpyc-bench-") as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name, "cache"))  # not the user's cache
        rows = [row for row in all_rows(Inputs(Path(name))) if options.only in row.name]
        figures: dict[int, list[float]] = {index: [] for index in range(len(rows))}
        for number in range(options.rounds):
            for index, row in enumerate(rows):
                if number == 0 or not row.once:
                    figures[index].append(row.measure())
    results: list[dict[str, Any]] = [
        {
            "name": row.name,
            "on": row.on,
            "unit": row.unit,
            "bar": row.bar,
            "median": statistics.median(figures[index]),
            "lowest": min(figures[index]),
            "highest": max(figures[index]),
            "rounds": len(figures[index]),
        }
        for index, row in enumerate(rows)
    ]
    for result in results:
        spread = f"({result['lowest']:.3f} to {result['highest']:.3f})"
        verdict = "met" if result["median"] <= result["bar"] else "MISSED"
        print(
            f"{result['name']:<68} {result['on']:<34} {result['median']:8.3f}"
            f" {spread} {result['unit']:<3} goal {result['bar']:g}: {verdict}"
        )
    if not options.only:
        write(results)


def write(results: list[dict[str, Any]]) -> None:
    """Write the figures and the chart."""
    document = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "versions": {name: metadata.version(name) for name in ("detpyc", *PEERS)},
        "inputs": list(REQUIREMENTS),
        "results": results,
    }
    (HERE / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (HERE / "results.svg").write_text(draw(document), encoding="utf-8")


if __name__ == "__main__":
    main()
