"""Verify bytecode in wheels, directories, archives and images, and in single pycs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc import pyc_paths
from detpyc.artifacts.directories import Directory
from detpyc.artifacts.entries import Format
from detpyc.compilation.pool import TIME_LIMIT
from detpyc.errors import DetpycError
from detpyc.files import open_regular
from detpyc.limits import MAX_FILE, MAX_PROVENANCE
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.termination import terminable
from detpyc.verify.disguises import disguise
from detpyc.verify.judging import judge
from detpyc.verify.loaded import loaded_of_wheel, unmet_in_tree
from detpyc.verify.pycs import Pyc
from detpyc.verify.recorded import contradictions, located, of_installed_wheels
from detpyc.verify.reports import Status, VerificationReport
from detpyc.verify.requirements import Requirement
from detpyc.verify.trees import Tree, scan, tree_disguises
from detpyc.verify.wheels import wheel_disguises, wheel_pycs
from detpyc.wheel.distribution import Wheel, is_wheel
from detpyc.wheel.problems import Problem, Rule, limited, under_rule

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from detpyc.artifacts.entries import Artifact
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
    """Verify every pyc in a wheel, a directory, an archive or a container image, or a single pyc.

    Archives are ZIP and tar files, images OCI image layouts and archives by ``docker save``. Of a wheel, RECORD and
    provenance are verified as well. Nothing is changed or locked, so several processes may verify the same path at the
    same time. No code of the artifact is run, and there is no network access unless ``install`` is set.

    It fails closed: if it returns, it has looked at everything in the artifact that could be loaded as bytecode. What
    could not be decided has a status, or is a problem, that does not pass.

    Args:
        path: of the artifact.
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
        DetpycError: if the path is something else, cannot be read, or is damaged.

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
    if path.suffix == ".pyc" and not path.is_dir():
        report = _verify_pycs(Directory(path.parent), Tree(pycs=[path.as_posix()]), judge_all, required)
        return replace(report, path=str(path))
    from detpyc.artifacts.opening import open_artifacts  # noqa: PLC0415 - wheels do without

    with open_artifacts(path) as artifacts:
        artifacts[-1].problems += _runnable(artifacts[-1])
        return _joined([_verify_pycs(artifact, scan(artifact), judge_all, required) for artifact in artifacts])


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


def _runnable(artifact: Artifact) -> Iterator[str]:
    """Yield a problem if Python takes a tar file for an archive of modules, whatever else is in it."""
    if artifact.format is Format.TAR:
        with open_regular(artifact.path) as stream:
            problem = disguise(artifact.path.name, stream)
        if problem is not None:
            yield Problem(f"the file {problem}", Rule.DISGUISE)


def _joined(reports: Sequence[VerificationReport]) -> VerificationReport:
    """Return one report on all that a path contains."""
    unmet: dict[str, tuple[str, ...]] = {}
    for report in reports:
        for requirement, sources in report.unmet.items():
            unmet[requirement] = (*unmet.get(requirement, ()), *sources)
    return VerificationReport(
        reports[0].path,
        tuple(finding for report in reports for finding in report.findings),
        limited(problem for report in reports for problem in report.problems),
        unmet=unmet,
    )


def _verify_pycs(
    artifact: Artifact,
    tree: Tree,
    judge_all: JudgeAll,
    required: Sequence[Requirement],
) -> VerificationReport:
    """Verify pycs that are in an artifact; of all others than wheels."""
    recorded = of_installed_wheels(artifact, tree)
    # In this order, copies of a module come after each other, and their source may have to be compiled only once.
    order = sorted(tree.pycs, key=lambda path: path.split("/")[::-1])
    judged = judge_all((_pyc(artifact, path, recorded) for path in order), len(order))
    by_path = dict(zip(order, judged, strict=True))
    judgements = [by_path[path] for path in tree.pycs]
    problems = [*tree.problems, *tree_disguises(artifact, tree.suspects, _compiled(judgements))]
    unmet = unmet_in_tree(judgements, [artifact.shown(source) for source in tree.sources], required)
    return replace(_report(artifact.path, judgements, limited(problems)), unmet=unmet)


def _pyc(artifact: Artifact, path: str, recorded: Mapping[str, Bytecode]) -> Pyc:
    name = pyc_paths.parse(path)
    source = artifact.find(name.source)
    entry = artifact.find(path) if artifact.format is Format.IMAGE else None
    return Pyc(
        artifact.shown(path),
        name,
        partial(artifact.read, path, MAX_FILE),
        None if source is None else partial(artifact.read, name.source, MAX_FILE),
        # The dates in a ZIP file are not those that the files had: they are local times, and may be odd seconds off.
        mtime=None if source is None or artifact.format is Format.ZIP else source.mtime,
        recorded=recorded.get(located(artifact, path)),
        layer=None if entry is None else entry.layer,
    )
