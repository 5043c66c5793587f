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
from detpyc.errors import DetpycError, SettingsError
from detpyc.files import open_regular
from detpyc.limits import MAX_FILE, MAX_PROVENANCE
from detpyc.loading import Finder, name_loaders
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.termination import terminable
from detpyc.verify.disguises import disguise
from detpyc.verify.judging import judge
from detpyc.verify.loaded import Wanted, loaded_of_tree, loaded_of_wheel
from detpyc.verify.places import Beside, places_of
from detpyc.verify.pycs import Pyc
from detpyc.verify.recorded import contradictions, located, of_installed_wheels
from detpyc.verify.reports import Status, VerificationReport
from detpyc.verify.requirements import Requirement, target_version
from detpyc.verify.trees import Tree, scan, tree_disguises
from detpyc.verify.wheels import wheel_disguises, wheel_pycs
from detpyc.wheel.distribution import Wheel, is_wheel
from detpyc.wheel.problems import Problem, Rule, limited, under_rule

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from detpyc.artifacts.entries import Artifact
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.loading import Loading
    from detpyc.provenance import Bytecode
    from detpyc.verify.loaded import Loaded
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
    targets: Iterable[str] = (),
    levels: Iterable[int] = (),
    loaded_as: str | None = None,
    source_root: str | os.PathLike[str] | None = None,
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
        targets: the CPythons that the artifact is for, as cache tags: what only others load counts as never loaded. By
            default, all.
        levels: the optimization levels at which they run, likewise.
        loaded_as: how modules are found in it: in a ``directory``; in a ``zip`` file, by `zipimport`; or ``installed``,
            in a directory whose files have other times than in the artifact. By default, this follows from the
            artifact.
        source_root: the directory with the sources, if the path is that of a tree of ``PYTHONPYCACHEPREFIX``, which
            mirrors it. For the tree of a running system this is ``/``.
        progress: shows the progress: called with the number of pycs, it returns a function to call after each, from any
            thread.

    Returns:
        What was found. It can be pickled.

    Raises:
        SettingsError: if a requirement, a target or ``loaded_as`` is malformed.
        DetpycError: if the path is something else, cannot be read, or is damaged.

    """
    wanted = Wanted(
        [Requirement.parse(text) for text in require],
        {target_version(tag) for tag in targets},
        {*levels},
        None if loaded_as is None else _finder(loaded_as),
    )
    judge_all = partial(judge, given=interpreters, jobs=jobs, time_limit=time_limit, install=install, progress=progress)
    with terminable(resend=True):  # workers would go on if the process were ended
        elsewhere = None if sources is None else Path(sources)
        root = None if source_root is None else Path(source_root)
        return _verify(Path(path), elsewhere, root, judge_all, wanted)


def _finder(name: str) -> Finder:
    try:
        return Finder(name)
    except ValueError as error:
        known = ", ".join(finder.value for finder in Finder)
        raise SettingsError(f"{name!r:.100} is not how modules are found; choose from {known}") from error


def _verify(
    path: Path, sources: Path | None, source_root: Path | None, judge_all: JudgeAll, wanted: Wanted
) -> VerificationReport:
    single = path.suffix == ".pyc" and not path.is_dir()
    if source_root is not None and (single or is_wheel(path)):
        raise DetpycError("not a tree of pycs, and a source root can be named for such trees only", path=path)
    if is_wheel(path):
        return _verify_wheel(path, sources, judge_all, wanted)
    if sources is not None:
        raise DetpycError("not a wheel, and sources can be named for wheels only", path=path)
    if not path.exists():
        raise DetpycError("no such file or directory", path=path)
    if single:
        directory = Directory(path.parent)
        report, _ = _verify_pycs(Beside(directory), directory, Tree(pycs=[path.as_posix()]), judge_all, wanted)
        return replace(report, path=str(path))
    from detpyc.artifacts.opening import open_artifacts  # noqa: PLC0415 - wheels do without

    with open_artifacts(path) as artifacts:
        artifacts[-1].problems += _runnable(artifacts[-1])
        places = [places_of(artifact, source_root) for artifact in artifacts]
        return _joined(
            [
                _verify_pycs(beside, artifact, scan(artifact), judge_all, wanted)
                for beside, artifact in zip(places, artifacts, strict=True)
            ]
        )


def _verify_wheel(path: Path, sources: Path | None, judge_all: JudgeAll, wanted: Wanted) -> VerificationReport:
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
        installed = [judged for judged in judgements if judged.finding.pyc in wheel.importable]
        problems += under_rule(Rule.DISGUISE, wheel_disguises(wheel, _compiled(installed)))
        loaded = loaded_of_wheel(wheel, judgements, wanted, problems)
        found = (*wheel.check(), *limited(problems))
    return _report(path, judgements, found, loaded)


def _open_sources(path: Path, stack: ExitStack) -> dict[str, Callable[[], bytes]]:
    from detpyc.verify.sources import open_sources  # noqa: PLC0415 - reading sdists takes long to import

    return open_sources(path, stack)


def _compiled(judgements: Sequence[Judgement]) -> set[str | None]:
    """Return the paths of the sources that are known to compile."""
    passed = {Status.IDENTICAL, Status.EQUIVALENT}
    return {judged.finding.source for judged in judgements if judged.finding.status in passed}


def _report(
    path: Path, judgements: Sequence[Judgement], problems: tuple[Problem, ...], loaded: Loaded
) -> VerificationReport:
    loading = loaded.loading
    findings = loaded.findings(judgements)
    return VerificationReport(str(path), findings, problems, loading.by, loading.never, loaded.unmet)


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


def _joined(found: Sequence[tuple[VerificationReport, Loading]]) -> VerificationReport:
    """Return one report on all that a path contains."""
    unmet: dict[str, tuple[str, ...]] = {}
    reports = [report for report, _ in found]
    for report in reports:
        for requirement, sources in report.unmet.items():
            unmet[requirement] = (*unmet.get(requirement, ()), *sources)
    return VerificationReport(
        reports[0].path,
        tuple(finding for report in reports for finding in report.findings),
        limited(problem for report in reports for problem in report.problems),
        name_loaders(loader for _, loading in found for loader in loading.loaders.values()),
        {name: reason for report in reports for name, reason in report.never_loaded.items()},
        unmet,
    )


def _verify_pycs(
    beside: Beside, artifact: Artifact, tree: Tree, judge_all: JudgeAll, wanted: Wanted
) -> tuple[VerificationReport, Loading]:
    """Verify pycs that are in an artifact other than a wheel; return what loads them as well."""
    recorded = of_installed_wheels(artifact, tree)
    # In this order, copies of a module come after each other, and their source may have to be compiled only once.
    order = sorted(tree.pycs, key=lambda path: path.split("/")[::-1])
    judged = judge_all((_pyc(beside, artifact, path, recorded) for path in order), len(order))
    by_path = dict(zip(order, judged, strict=True))
    judgements = [by_path[path] for path in tree.pycs]
    problems = [*tree.problems, *tree_disguises(artifact, tree.suspects, _compiled(judgements))]
    loaded = loaded_of_tree(beside, tree, judgements, wanted)
    return _report(artifact.path, judgements, limited(problems), loaded), loaded.loading


def _pyc(beside: Beside, artifact: Artifact, path: str, recorded: Mapping[str, Bytecode]) -> Pyc:
    name = pyc_paths.parse(beside.place(path))
    source = beside.artifact.find(name.source)
    entry = artifact.find(path) if artifact.format is Format.IMAGE else None
    return Pyc(
        artifact.shown(path),
        name,
        partial(artifact.read, path, MAX_FILE),
        None if source is None else partial(beside.artifact.read, name.source, MAX_FILE),
        # The dates in a ZIP file are not those that the files had: they are local times, and may be odd seconds off.
        mtime=None if source is None or beside.artifact.format is Format.ZIP else source.mtime,
        recorded=recorded.get(located(artifact, path)),
        layer=None if entry is None else entry.layer,
    )
