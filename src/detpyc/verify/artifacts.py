"""Verify bytecode in wheels, in directory trees, and in single pycs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc import pyc_paths
from detpyc.compilation.pool import TIME_LIMIT
from detpyc.errors import DetpycError
from detpyc.files import open_regular, read_file
from detpyc.limits import MAX_PROVENANCE
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.termination import terminable
from detpyc.verify.judging import judge
from detpyc.verify.loaded import loaded_of_wheel, unmet_in_tree
from detpyc.verify.pycs import Pyc
from detpyc.verify.recorded import contradictions, of_installed_wheels
from detpyc.verify.reports import Status, VerificationReport
from detpyc.verify.requirements import Requirement
from detpyc.verify.trees import Tree, scan, tree_disguises
from detpyc.verify.wheels import wheel_disguises, wheel_pycs
from detpyc.wheel.distribution import Wheel, is_wheel
from detpyc.wheel.problems import Problem, Rule, limited, under_rule

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.provenance import Bytecode
    from detpyc.verify.pycs import Judgement

    JudgeAll = Callable[[Iterator[Pyc], int], tuple[Judgement, ...]]
    Progress = Callable[[int], Callable[[], None]]

__all__ = ["verify_artifact"]


def verify_artifact(  # noqa: PLR0913 - all but the path are optional, and given by name
    path: str | os.PathLike[str],
    interpreters: Sequence[Interpreter] = (),
    *,
    sources: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    install: bool = False,
    require: Iterable[str] = (),
    progress: Progress | None = None,
) -> VerificationReport:
    """Verify every pyc in a wheel, or in a directory and below, or a single pyc.

    Of a wheel, RECORD and provenance are verified as well. Nothing is changed or locked, so several processes may
    verify the same path at the same time. No code of the artifact is run, and there is no network access unless
    ``install`` is set.

    It fails closed: if it returns, it has looked at everything in the artifact that could be loaded as bytecode. What
    could not be decided has a status, or is a problem, that does not pass.

    Args:
        path: of the wheel, directory or pyc.
        interpreters: to use, each for the pycs of its version; for other versions, interpreters are searched for.
        sources: a source distribution or a wheel that has the sources which the wheel at the path lacks.
        jobs: how many workers; by default as many as there are usable processors.
        time_limit: seconds for one source.
        install: have uv install the recorded releases that are missing; for pycs without one, the releases of their
            version in turn until one compiles the source to the same code.
        require: the CPythons that must load a pyc of every source, as cache tags, and optimization levels other than
            0, e.g. ``cpython-312`` or ``cpython-312:2``.
        progress: shows the progress: called with the number of pycs, it returns a function to call after each, from any
            thread.

    Returns:
        What was found. It can be pickled.

    Raises:
        SettingsError: if a requirement is malformed.
        DetpycError: if the path is not a wheel, directory or pyc, or cannot be read.

    """
    required = [Requirement.parse(text) for text in require]
    judge_all = partial(judge, given=interpreters, jobs=jobs, time_limit=time_limit, install=install, progress=progress)
    with terminable(resend=True):  # workers would go on if the process were ended
        return _verify(Path(path), None if sources is None else Path(sources), judge_all, required)


def _verify(
    path: Path, sources: Path | None, judge_all: JudgeAll, required: Sequence[Requirement]
) -> VerificationReport:
    if is_wheel(path):
        return _verify_wheel(path, sources, judge_all, required)
    if sources is not None:
        raise DetpycError("not a wheel, and sources can be named for wheels only", path=path)
    if not path.exists():
        raise DetpycError("no such file or directory", path=path)
    if not path.is_dir() and path.suffix != ".pyc":
        raise DetpycError("not a wheel, directory or .pyc file", path=path)
    return _verify_tree(path, judge_all, required)


def _verify_wheel(
    path: Path,
    sources: Path | None,
    judge_all: JudgeAll,
    required: Sequence[Requirement],
) -> VerificationReport:
    with ExitStack() as stack:
        wheel = Wheel.open(path, stack.enter_context(open_regular(path)))
        elsewhere = {} if sources is None else _open_sources(sources, stack)
        problems: list[str] = []
        recorded = _read_provenance(wheel, problems)
        with wheel.checking([name for name in wheel.archive.members if not name.endswith((".py", ".pyc"))]):
            count = sum(name.endswith(".pyc") for name in wheel.archive.members)
            judgements = judge_all(wheel_pycs(wheel, recorded, elsewhere), count)
        if recorded is not None:
            problems += under_rule(Rule.PROVENANCE, contradictions(wheel, recorded, judgements))
        problems += under_rule(Rule.DISGUISE, wheel_disguises(wheel, _compiled(judgements)))
        loading, unmet = loaded_of_wheel(wheel, judgements, required, problems)
        found = (*wheel.check(), *limited(problems))
    report = _report(path, judgements, found)
    return replace(report, loaded_by=loading.by, never_loaded=loading.never, unmet=unmet)


def _open_sources(path: Path, stack: ExitStack) -> dict[str, Callable[[], bytes]]:
    from detpyc.verify.sources import open_sources  # noqa: PLC0415 - reading sdists takes long to import

    return open_sources(path, stack)


def _compiled(judgements: Sequence[Judgement]) -> set[str | None]:
    """Return the paths of the sources that are known to compile."""
    passed = {Status.IDENTICAL, Status.EQUIVALENT}
    return {judged.finding.source for judged in judgements if judged.finding.status in passed}


def _report(path: Path, judgements: Sequence[Judgement], problems: tuple[Problem, ...]) -> VerificationReport:
    return VerificationReport(str(path), tuple(judged.finding for judged in judgements), problems)


def _read_provenance(wheel: Wheel, problems: list[str]) -> Provenance | None:
    """Read a wheel's provenance; what is wrong with it is added to the problems."""
    name = f"{wheel.dist_info}/{FILE_NAME}"
    if name not in wheel.archive.members:
        return None
    try:
        return Provenance.from_json(wheel.read_member(name, MAX_PROVENANCE))
    except DetpycError as error:
        problems.append(Problem(str(error), Rule.PROVENANCE))
        return None


def _verify_tree(path: Path, judge_all: JudgeAll, required: Sequence[Requirement]) -> VerificationReport:
    """Verify every pyc in a directory and below, or a single one."""
    tree = scan(path) if path.is_dir() else Tree(pycs=[str(path)])
    recorded = of_installed_wheels(path, tree)
    judgements = judge_all((_tree_pyc(Path(pyc), recorded) for pyc in tree.pycs), len(tree.pycs))
    problems = [*tree.problems, *tree_disguises(tree.suspects, _compiled(judgements))]
    unmet = unmet_in_tree(judgements, tree.sources, required)
    return replace(_report(path, judgements, limited(problems)), unmet=unmet)


def _tree_pyc(pyc: Path, recorded: Mapping[str, Bytecode]) -> Pyc:
    name = pyc_paths.parse(pyc.as_posix())
    source = Path(name.source)
    try:
        mtime = source.stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        mtime = None
    except OSError:  # reading it will say why
        mtime = 0.0
    return Pyc(
        str(pyc),
        name,
        partial(read_file, pyc),
        None if mtime is None else partial(read_file, source),
        mtime=mtime,
        recorded=recorded.get(str(pyc.absolute())),
    )
