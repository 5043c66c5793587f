"""Verify many artifacts on any executor: on processes of this machine, on Dask, on Ray, over MPI."""

from __future__ import annotations

import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detpyc import __version__
from detpyc.engines.artifacts import Artifact, of_paths
from detpyc.engines.fetching import ATTEMPTS, DownloadError, fetched
from detpyc.engines.results import Results, write_table
from detpyc.errors import DetpycError
from detpyc.limits import MAX_PROBLEMS
from detpyc.verify.reports import PASSING, Status

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from detpyc.verify.reports import VerificationReport

__all__ = ["BatchSummary", "verify_many"]

_WINDOW = 64


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What is known of a batch after a run.

    Attributes:
        verified: how many artifacts this run has verified.
        known: how many an earlier run had verified.
        passed: how many of all these pass.
        empty: how many of those that pass have no pycs, so that nothing was verified.
        refused: the locations of those that do not, in the order of the results.
        counts: how many pycs there are of each status.
        failures: the reason for each artifact that could not be verified, by location; a later run tries again.
        outdated: how many results in the file are from another version or with other requirements; not counted.
        invalid: the numbers of the lines of the file that are not results.

    """

    verified: int
    known: int
    passed: int
    empty: int
    refused: tuple[str, ...]
    counts: dict[str, int]
    failures: dict[str, str]
    outdated: int
    invalid: tuple[int, ...]


def verify_many(  # noqa: PLR0913 - all but the first two are given by name
    artifacts: Iterable[Artifact | str | os.PathLike[str]],
    executor: Executor,
    *,
    results: str | os.PathLike[str],
    require: Iterable[str] = (),
    allowed: Iterable[Status] = PASSING,
    window: int = _WINDOW,
    restart: Callable[[], Executor] | None = None,
    progress: Callable[[int], Callable[[], None]] | None = None,
) -> BatchSummary:
    """Verify artifacts on an executor, and append a line to a file for each.

    A run that was stopped is continued: what has a result is not verified again, unless it has changed. The file does
    not depend on the executor, and, when its lines are sorted, not on how often the run was stopped.

    What fails for a reason that may pass, such as a download or a worker that died, is tried twice more.

    Args:
        artifacts: wheels and pycs: paths that the workers can read, or artifacts with a hash. They are taken as they
            are needed.
        executor: whose workers have the same detpyc, and the interpreters.
        results: the directory of the results, ``results.jsonl`` and ``failures.jsonl``, and with pyarrow
            ``results.parquet``.
        require: as for `verify_artifact`.
        allowed: the statuses that pass; by default identical and equivalent.
        window: how many artifacts the executor has at the same time; some for each worker.
        restart: returns another executor when this one takes no more work, as a process pool whose process was killed;
            by default, that ends the run.
        progress: shows the progress: called with the number of artifacts, it returns a function to call after each.

    Returns:
        What is known then.

    Raises:
        DetpycError: if the results cannot be written, or another run uses them; or if the executor takes no more work.

    """
    wanted = [*dict.fromkeys(of_paths(artifacts))]
    with Results(Path(results), tuple(require)) as file:
        run = _Run(executor, file, window, restart)
        step = progress(len(wanted)) if progress is not None else lambda: None
        try:
            run.verify(wanted, step)
        finally:
            run.cancel()
            file.write_failures()
        write_table(file)
        return _summary(file, run, frozenset(allowed))


@dataclass(slots=True)
class _Task:
    """An artifact that has no result yet.

    Attributes:
        artifact: to verify.
        known: the hash for which there is a result; empty if there is none.
        attempts: how many have failed.
        alone: whether nothing else was under way with it.
        executor: that has it.

    """

    artifact: Artifact
    known: str = ""
    attempts: int = 0
    alone: bool = False
    executor: Executor | None = None


@dataclass(slots=True)
class _Run:
    """One run; it keeps no more than a window of artifacts, whatever the number of results."""

    executor: Executor
    results: Results
    window: int
    restart: Callable[[], Executor] | None
    pending: dict[Future[Any], _Task] = field(default_factory=dict)
    again: deque[_Task] = field(default_factory=deque)
    suspects: deque[_Task] = field(default_factory=deque)
    verified: int = 0
    known: int = 0
    broken: bool = False

    def verify(self, artifacts: Iterable[Artifact], step: Callable[[], None]) -> None:
        """Verify all artifacts that have no result."""
        tasks = self._tasks(artifacts, step)
        while True:
            self._submit(tasks)
            if not self.pending:
                return
            done, _ = wait(self.pending, return_when=FIRST_COMPLETED)
            for future in done:
                if self._finish(future, self.pending.pop(future)):
                    step()

    def cancel(self) -> None:
        """Cancel what is under way, if the run ends early."""
        for future in self.pending:
            future.cancel()

    def _tasks(self, artifacts: Iterable[Artifact], step: Callable[[], None]) -> Iterator[_Task]:
        for artifact in artifacts:
            known = self.results.known.get(artifact.location, "")
            if artifact.failure is not None:
                self.results.failures[artifact.location] = artifact.failure
                step()
            elif known and known == artifact.sha256:
                self.known += 1
                step()
            else:
                yield _Task(artifact, known)

    def _submit(self, tasks: Iterator[_Task]) -> None:
        """Fill the window. After a break, each artifact that was under way goes alone: one of them may be the cause."""
        if self.suspects:
            if not self.pending:
                self.suspects[0].alone = True
                self._submit_one(self.suspects.popleft())
            return
        while len(self.pending) < self.window:
            task = self.again.popleft() if self.again else next(tasks, None)
            if task is None:
                return
            self._submit_one(task)

    def _submit_one(self, task: _Task) -> None:
        if self.broken:
            self._restart("a worker ended")
        try:
            future = self.executor.submit(judge, task.artifact, self.results.require, task.known, task.attempts)
        except Exception as error:  # noqa: BLE001 - each executor has its own
            self._restart(repr(error))
            future = self.executor.submit(judge, task.artifact, self.results.require, task.known, task.attempts)
        task.executor = self.executor
        self.pending[future] = task

    def _restart(self, reason: str) -> None:
        if self.restart is None:
            raise DetpycError(f"the executor takes no more work ({reason}); run again to continue")
        self.executor = self.restart()
        self.broken = False

    def _finish(self, future: Future[Any], task: _Task) -> bool:
        """Record what became of an artifact; return whether that is final."""
        try:
            outcome = future.result()
        except BrokenExecutor:
            self._lose(task)
            if task.alone:
                return self._try_again(task, "the worker that verified it died")
            self.suspects.append(task)
            return False
        except (Exception, CancelledError) as error:  # noqa: BLE001 - each executor has its own for a lost worker
            if isinstance(error, CancelledError) and self.restart is not None:
                self._lose(task)  # Dask's client has lost its scheduler, and what it gets next would be lost too
            return self._try_again(task, f"the executor lost it: {error!r:.300}")
        if "failure" in outcome:
            return self._try_again(task, outcome["failure"], transient=outcome["transient"])
        if outcome["result"] is None:
            self.known += 1
        elif outcome["result"]["detpyc"] != __version__:
            return self._fail(task, f"the worker has detpyc {outcome['result']['detpyc']}, not {__version__}")
        else:
            self.results.add(outcome["result"])
            self.verified += 1
        return True

    def _lose(self, task: _Task) -> None:
        """Note that the executor that had a task takes no more, unless it has been replaced since."""
        self.broken = self.broken or task.executor is self.executor

    def _try_again(self, task: _Task, reason: str, *, transient: bool = True) -> bool:
        task.attempts += 1
        if not transient or task.attempts == ATTEMPTS:
            return self._fail(task, reason)
        (self.suspects if task.alone else self.again).append(task)
        return False

    def _fail(self, task: _Task, reason: str) -> bool:
        self.results.failures[task.artifact.location] = reason
        return True


def judge(artifact: Artifact, require: tuple[str, ...], known: str = "", attempts: int = 0) -> dict[str, Any]:
    """Verify an artifact, in a worker.

    Args:
        artifact: to verify.
        require: as for `verify_artifact`.
        known: a hash for which there is a result already.
        attempts: how many have failed; there is a pause of so many seconds.

    Returns:
        Under ``result``, what is appended to the results, None if it is known; or under ``failure``, what is wrong,
        and under ``transient``, whether another attempt may succeed. Nothing else, which every executor can transfer.

    """
    from detpyc.verify.artifacts import verify_artifact  # noqa: PLC0415 - not needed by the client

    time.sleep(attempts)
    try:
        with fetched(artifact) as (path, digest):
            if digest == known:
                return {"result": None}
            report = verify_artifact(path, jobs=1, require=require)
            return {"result": _result(artifact, digest, require, report, str(path))}
    except DetpycError as error:
        return {"failure": error.reason, "transient": isinstance(error, DownloadError)}
    except OSError as error:
        return {"failure": str(error), "transient": True}


def _result(
    artifact: Artifact, digest: str, require: tuple[str, ...], report: VerificationReport, path: str
) -> dict[str, Any]:
    """Return a result, which does not contain where a download was stored."""

    def located(text: str) -> str:
        return text.replace(path, artifact.location)

    refused = report.refused()
    return {
        "artifact": artifact.location,
        "sha256": digest,
        "detpyc": __version__,
        "require": [*require],
        "counts": report.counts(),
        "problems": [located(problem) for problem in report.problems],
        "problem-rules": [problem.rule.value for problem in report.problems],
        "loaded-by": None if report.loaded_by is None else [*report.loaded_by],
        "unmet": {requirement: [*sources] for requirement, sources in report.unmet.items()},
        "refused": [
            {"pyc": located(found.pyc), "status": found.status.value, "reasons": [*map(located, found.reasons)]}
            for found in refused[:MAX_PROBLEMS]
        ],
    }


def _summary(file: Results, run: _Run, allowed: frozenset[Status]) -> BatchSummary:
    counts: Counter[str] = Counter()
    refused: list[str] = []
    passed = empty = 0
    names = {status.value for status in allowed}
    for result in file.current():
        counts.update(result["counts"])
        if any(number and status not in names for status, number in result["counts"].items()) or (
            result["problems"] or result["unmet"]
        ):
            refused.append(result["artifact"])
        else:
            passed += 1
            empty += not any(result["counts"].values())
    return BatchSummary(
        verified=run.verified,
        known=run.known,
        passed=passed,
        empty=empty,
        refused=tuple(refused),
        counts={status.value: counts[status.value] for status in Status},
        failures=file.failures,
        outdated=file.outdated,
        invalid=tuple(file.invalid),
    )
