"""Measure what `detpyc verify` decides without the release that compiled a pyc.

Two releases of one version compile real modules, and each verifies what the other compiled: no pyc may be called
``differs``. Then pycs with one hidden change are verified likewise. One of a name, a constant or a function must be
called ``differs``; one of an instruction must not pass.

    python benchmarks/patch_releases.py PYTHON PYTHON WHEEL_OR_DIRECTORY...
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import zipfile
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

from detpyc.compilation.interpreters import describe
from detpyc.verify import judging
from detpyc.verify.artifacts import verify_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.verify.reports import VerificationReport

MUTATE = Path(__file__).with_name("mutated_pycs.py")
HIDDEN = ("name", "constant", "function")


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=describe, metavar="PYTHON")
    parser.add_argument("second", type=describe, metavar="PYTHON")
    parser.add_argument("sources", nargs="+", type=Path, metavar="WHEEL_OR_DIRECTORY")
    parser.add_argument("--changes", type=int, default=2000, help="how many pycs have a hidden change of each kind")
    options = parser.parse_args()
    with TemporaryDirectory() as directory:
        sources = Path(directory, "sources")
        for path in options.sources:
            copy(path, sources / path.name)
        for compiler, verifier in ((options.first, options.second), (options.second, options.first)):
            measure(sources, compiler, verifier, options.changes)


def copy(path: Path, target: Path) -> None:
    """Copy the sources of a wheel or a directory."""
    if path.is_dir():
        for source in path.rglob("*.py"):
            inside = source.relative_to(path)
            if source.is_file() and "site-packages" not in inside.parts:
                (target / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target / inside)
        return
    with zipfile.ZipFile(path) as archive:
        archive.extractall(target, [name for name in archive.namelist() if name.endswith(".py")])


def measure(sources: Path, compiler: Interpreter, verifier: Interpreter, changes: int) -> None:
    """Measure one release against another, and print the counts."""
    print(f"compiled by CPython {compiler.release}, verified with {verifier.release} only", flush=True)
    options = ["-q", "-q", "-f", "--invalidation-mode", "checked-hash"]
    subprocess.run([compiler.path, "-m", "compileall", *options, str(sources)], check=False)
    report = verify(sources, verifier)
    show("sound", report)
    pycs = sorted(str(path) for path in sources.rglob(f"*.{compiler.cache_tag}.pyc"))
    chosen = random.Random(0)  # noqa: S311 - a measurement
    for kinds in (HIDDEN, ("instruction",)):
        with TemporaryDirectory(dir=sources.parent) as directory:
            count = len([*mutated(compiler, pycs, Path(directory), kinds, changes, chosen)])
            show(f"{count} changes of a {' or '.join(kinds)}", verify(Path(directory), verifier))
    for pyc in pycs:
        Path(pyc).unlink()


def mutated(
    compiler: Interpreter, pycs: list[str], directory: Path, kinds: tuple[str, ...], count: int, chosen: random.Random
) -> Iterator[Path]:
    """Write pycs with one change each, beside copies of their sources, until there are enough."""
    written = 0
    while written < count:
        requests = []
        for number in range(written, count):
            pyc = Path(chosen.choice(pycs))
            target = directory / str(number) / "__pycache__" / pyc.name
            target.parent.mkdir(parents=True, exist_ok=True)
            source = pyc.parents[1] / f"{pyc.name.split('.')[0]}.py"
            shutil.copyfile(source, target.parents[1] / source.name)
            requests.append((str(pyc), str(target), chosen.choice(kinds), chosen.random()))
        command = [compiler.path, "-I", "-S", "-B", str(MUTATE)]
        completed = subprocess.run(command, input=json.dumps(requests), text=True, capture_output=True, check=True)
        done = [Path(path) for path in json.loads(completed.stdout)]
        for target in {Path(target) for _, target, _, _ in requests}.difference(done):
            shutil.rmtree(target.parents[1])  # with nothing to change, as in an empty module
        for number, target in enumerate(done):
            target.parents[1].rename(directory / f"done-{written + number}")
        written += len(done)
        yield from done


def verify(directory: Path, verifier: Interpreter) -> VerificationReport:
    """Verify a tree as if one release were the only one of its version on this machine."""
    with patch.object(judging, "_found", lambda _: [verifier]):
        return verify_artifact(directory, jobs=2)


def show(label: str, report: VerificationReport) -> None:
    """Print the counts of a report, and the first reasons for what differs."""
    print(f"    {label}: { {status: count for status, count in report.counts().items() if count} }", flush=True)
    reasons = Counter(
        (finding.status.value, finding.reasons[0][:150])
        for finding in report.findings
        if finding.status.value in {"differs", "malformed", "stale", "orphan"}
    )
    if label == "sound":
        for (status, reason), count in reasons.most_common(20):
            print(f"        {count} {status}: {reason}")


if __name__ == "__main__":
    main()
