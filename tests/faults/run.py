"""Make every file-system call of the commands that write fail, and check that nothing is lost or left behind.

Run by ``nox -s faults``, with ``tests/support`` in PYTHONPATH. It needs Linux and a C compiler.

One run of a command counts its calls below its directory. Then each call fails in a run of its own: with ENOSPC, EACCES
and EIO, and by SIGKILL. Afterwards each file must be, byte for byte, the old or the new one, and there must be no other
file. After SIGKILL, another run must complete and remove what the killed one left.
"""

from __future__ import annotations

import argparse
import csv
import errno
import io
import os
import py_compile
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import trees
import wheels
from projects import BUILD_WHEEL, copy_project

if TYPE_CHECKING:
    from collections.abc import Callable

    Snapshot = dict[str, tuple[int, bytes]]

HERE = Path(__file__).parent
KILL = 0
FAULTS = {"ENOSPC": errno.ENOSPC, "EACCES": errno.EACCES, "EIO": errno.EIO, "SIGKILL": KILL}
TIMEOUT = 120  # seconds
DETPYC = (sys.executable, "-m", "detpyc")
WHEEL = "demo-1.0-py3-none-any.whl"


@dataclass(frozen=True)
class Scenario:
    """A command that writes.

    Attributes:
        prepare: writes its input in a directory.
        command: returns the command for that directory.
        hook: whether it is a build, of which only the calls after those of the backend itself count.

    """

    prepare: Callable[[Path], object]
    command: Callable[[Path], list[str]]
    hook: bool = False


def wheel_in(directory: Path) -> Path:
    (directory / "out").mkdir()
    return wheels.build(directory)


def tree_in(directory: Path) -> Path:
    return trees.write(directory, wheels.complete())


def pycs_in(directory: Path) -> None:
    tree_in(directory)
    for source in directory.rglob("*.py"):
        py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def compiled_wheel_in(directory: Path) -> None:
    trees.write(directory / "tree", wheels.complete())
    pycs_in(directory / "tree")
    files = {path.relative_to(directory / "tree").as_posix(): path for path in (directory / "tree").rglob("*.py*")}
    wheels.build(directory, {name: path.read_bytes() for name, path in files.items()})
    shutil.rmtree(directory / "tree")


def detpyc(*arguments: str) -> Callable[[Path], list[str]]:
    return lambda directory: [*DETPYC, *(argument.format(directory) for argument in arguments)]


def build(project: str) -> Scenario:
    """Return the build of a test project; only its output is in the directory."""

    def prepare(directory: Path) -> None:
        copy_project(project, directory.with_name("project"))

    def command(directory: Path) -> list[str]:
        copy = directory.with_name("project") / project
        return [sys.executable, str(BUILD_WHEEL), "build_wheel", str(copy), str(directory)]

    return Scenario(prepare, command, hook=True)


SCENARIOS = {
    "wheel": Scenario(wheel_in, detpyc("wheel", "-q", "-j1", f"{{}}/{WHEEL}")),
    "wheel --output-dir": Scenario(wheel_in, detpyc("wheel", "-q", "-j1", "--output-dir", "{}/out", f"{{}}/{WHEEL}")),
    "wheel --layout sourceless": Scenario(
        wheel_in, detpyc("wheel", "-q", "-j1", "--layout", "sourceless", f"{{}}/{WHEEL}")
    ),
    "normalize, a wheel": Scenario(compiled_wheel_in, detpyc("normalize", "-q", f"{{}}/{WHEEL}")),
    "normalize, a tree": Scenario(pycs_in, detpyc("normalize", "-q", "{}")),
    "compile": Scenario(tree_in, detpyc("compile", "-q", "-j1", "{}")),
    "compile --update-records": Scenario(tree_in, detpyc("compile", "-q", "-j1", "--update-records", "{}")),
    "hatch": build("hatch-src"),
    "pdm": build("pdm-src"),
}


def snapshot(directory: Path) -> Snapshot:
    """Return the mode and content of every file and directory below a directory."""
    found = {}
    for path in sorted(directory.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(directory))] = (stat.S_IMODE(path.lstat().st_mode), content)
    return found


@dataclass
class Outcome:
    """One run: its exit status, its messages, the files after it, and the calls that the shim noted."""

    status: int
    messages: str
    files: Snapshot
    calls: list[str]


class Runner:
    """Runs a scenario, each time in a fresh directory."""

    def __init__(self, scenario: Scenario, shim: Path, top: Path) -> None:
        self.scenario = scenario
        self.shim = shim
        self.top = top
        self.directory = top / "work"
        self.temporary = top / "tmp"

    def prepare(self) -> Snapshot:
        shutil.rmtree(self.top, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.temporary.mkdir()
        self.scenario.prepare(self.directory)
        return snapshot(self.directory)

    def run(self, call: int = 0, error: int = KILL, **variables: str) -> Outcome:
        """Run the command, with one call failing, or none."""
        counter, log = self.top / "counter", self.top / "log"
        counter.write_bytes(bytes(4))
        log.write_bytes(b"")
        preloaded = {
            "LD_PRELOAD": str(self.shim),
            "FAULT_DIRECTORY": str(self.directory),
            "FAULT_COUNTER": str(counter),
            "FAULT_LOG": str(log),
            "FAULT_CALL": str(call),
            "FAULT_ERRNO": str(error),
            "TMPDIR": str(self.temporary),
            "XDG_CACHE_HOME": str(self.top / "cache"),
        }
        completed = subprocess.run(
            self.scenario.command(self.directory),
            env={**os.environ, **preloaded, **variables},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
        return Outcome(completed.returncode, completed.stderr, snapshot(self.directory), log.read_text().splitlines())


def describes(record: bytes, files: Snapshot) -> bool:
    """Return whether a RECORD lists exactly the files that are there, in a directory without other distributions."""
    rows = {path: digest for path, digest, _ in csv.reader(io.StringIO(record.decode()))}
    contents = {name: content for name, (_, content) in files.items() if not name.endswith("__pycache__")}
    listed = {path: wheels.sha256(contents.get(path, b"")) for path in rows if not path.endswith("/RECORD")}
    pycs = {name for name in contents if name.endswith((".py", ".pyc"))}
    return pycs <= rows.keys() <= contents.keys() and all(rows[path] == digest for path, digest in listed.items())


def leftovers(files: Snapshot, states: list[Snapshot]) -> list[str]:
    """Return the files that are in none of the states as they are, and those that all states have and that are gone.

    A RECORD may also list a part of the new files, if just these are there.
    """
    wrong = [
        name
        for name, content in files.items()
        if content not in [state.get(name) for state in states]
        and not (name.endswith("/RECORD") and describes(content[1], files))
    ]
    gone = [name for name in states[0] if name not in files and all(name in state for state in states)]
    return [*wrong, *(f"{name} (gone)" for name in gone)]


def check_error(runner: Runner, outcome: Outcome, states: list[Snapshot]) -> list[str]:
    """Return what is wrong after a run in which a call failed."""
    problems = [f"left behind: {name}" for name in leftovers(outcome.files, states)]
    problems += [f"left in TMPDIR: {path.name}" for path in runner.temporary.iterdir()]
    if outcome.status == 0 and outcome.files != states[-1]:
        problems.append("exit status 0, and the result is not the new one")
    if not runner.scenario.hook:
        if outcome.status not in {0, 2}:
            problems.append(f"exit status {outcome.status}")
        if "Traceback" in outcome.messages:
            problems.append(f"traceback: {outcome.messages.splitlines()[-1]}")
    return problems


def check_kill(runner: Runner, outcome: Outcome, states: list[Snapshot]) -> tuple[list[str], list[str]]:
    """Return what a killed run left for the next one, and what is wrong after that one."""
    left = leftovers(outcome.files, states)
    damaged = [name for name in left if name.removesuffix(" (gone)") in {*states[0], *states[-1]}]
    problems = [f"neither old nor new: {name}" for name in damaged]
    if outcome.files == states[-1]:
        return left, problems
    again = runner.run()
    if again.status != 0:
        problems.append(f"the next run fails: {again.messages.strip()}")
    elif again.files != states[-1]:
        different = [name for name in {*again.files, *states[-1]} if again.files.get(name) != states[-1].get(name)]
        problems += [f"left behind after the next run: {name}" for name in sorted(different)]
    return left, problems


def calls_of_backend(runner: Runner, calls: list[str]) -> tuple[int, list[Snapshot]]:
    """Return how many calls a build makes before those of detpyc, and the files that it leaves without detpyc."""
    runner.prepare()
    plain = runner.run(DETPYC_DISABLE="1")
    names = ([line.partition(" ")[2] for line in lines] for lines in (plain.calls, calls))
    same = takewhile(lambda pair: pair[0] == pair[1], zip(*names, strict=False))
    return len(list(same)), [plain.files]


def inject(name: str, scenario: Scenario, shim: Path, top: Path, faults: list[str]) -> Counter[str]:
    """Inject every fault at every call of a scenario, print the problems, and return how many there were of each."""
    start = time.monotonic()
    runner = Runner(scenario, shim, top)
    old = runner.prepare()
    whole = runner.run()
    if whole.status != 0 or whole.files == old:
        sys.exit(f"{name}: fails without any fault: {whole.messages}")
    first, between = calls_of_backend(runner, whole.calls) if scenario.hook else (0, [])
    states = [old, *between, whole.files]
    counts: Counter[str] = Counter()
    for call in range(first + 1, len(whole.calls) + 1):
        for fault in faults:
            runner.prepare()
            calls: list[str] = []
            try:
                outcome = runner.run(call, FAULTS[fault])
                calls = outcome.calls
                if FAULTS[fault] == KILL:
                    left, problems = check_kill(runner, outcome, states)
                    counts["left by SIGKILL for the next run"] += bool(left)
                else:
                    problems = check_error(runner, outcome, states)
            except subprocess.TimeoutExpired:
                problems = [f"still running after {TIMEOUT} seconds"]
            counts["kills" if FAULTS[fault] == KILL else "errors"] += 1
            counts["problems"] += len(problems)
            at = calls[0] if calls else f"{call}, which it does not reach"
            for problem in problems:
                print(f"  {name}: {fault} at {at.replace(str(top), '')}: {problem.replace(str(top), '')}", flush=True)
    summary = ", ".join(f"{count} {title}" for title, count in counts.items())
    print(f"{name}: {len(whole.calls) - first} calls, {summary}, {time.monotonic() - start:.0f} s", flush=True)
    return counts


def main() -> None:
    """Inject faults into the scenarios that are named, or into all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help="; ".join(SCENARIOS))
    parser.add_argument("--fault", action="append", choices=FAULTS, help="default: all")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="detpyc-faults-") as name:
        shim = Path(name, "shim.so")
        command = [os.environ.get("CC", "cc"), "-std=gnu17", "-O2", "-shared", "-fPIC", "-o", str(shim)]
        subprocess.run([*command, str(HERE / "shim.c"), "-ldl"], check=True)
        for scenario in options.scenarios or SCENARIOS:
            total += inject(scenario, SCENARIOS[scenario], shim, Path(name, "run"), options.fault or list(FAULTS))
    print("total: " + ", ".join(f"{count} {title}" for title, count in total.items()))
    sys.exit(bool(total["problems"]))


if __name__ == "__main__":
    main()
