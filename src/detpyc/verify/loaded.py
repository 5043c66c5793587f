"""What will be loaded of the pycs that were judged."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from detpyc.artifacts.entries import Format
from detpyc.audience import Audience, required_python
from detpyc.bytecode.header import InvalidationMode
from detpyc.errors import DetpycError
from detpyc.limits import MAX_METADATA
from detpyc.loading import Finder, Loading, PlacedPyc, Surroundings, extension_modules, find_loaders
from detpyc.pyc_paths import parse
from detpyc.verify.reports import Status
from detpyc.verify.requirements import unmet
from detpyc.wheel.problems import Problem, Rule
from detpyc.wheel.tags import tag_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from detpyc.artifacts.entries import Artifact
    from detpyc.verify.places import Beside
    from detpyc.verify.pycs import Judgement
    from detpyc.verify.reports import Finding
    from detpyc.verify.requirements import Requirement
    from detpyc.verify.trees import Tree
    from detpyc.wheel.distribution import Wheel

_PROGRAM = "__main__.py"  # which `python FILE` runs in an archive
_PROGRAMS = (".egg", ".pyz")
_PEX = "PEX-INFO"


class Wanted(NamedTuple):
    """What the caller wants to know about loading.

    Attributes:
        required: what must load a pyc of every source.
        versions: of CPython, that matter; none for all.
        levels: at which they run; none for all.
        finder: that finds modules in the artifact; None for what follows from the artifact.

    """

    required: Sequence[Requirement] = ()
    versions: Collection[tuple[int, int]] = ()
    levels: Collection[int] = ()
    finder: Finder | None = None


class Loaded(NamedTuple):
    """What is loaded of an artifact.

    Attributes:
        loading: by what, narrowed to what matters.
        unmet: the requirements that are not met, with the sources that have no pyc for them.

    """

    loading: Loading
    unmet: dict[str, tuple[str, ...]]

    def findings(self, judgements: Iterable[Judgement]) -> tuple[Finding, ...]:
        """Return the findings with what is loaded."""
        never = self.loading.never
        findings = (judged.finding for judged in judgements)
        return tuple(
            replace(finding, loads=finding.pyc not in never, ignored_because=never.get(finding.pyc))
            for finding in findings
        )


def loaded_of_wheel(wheel: Wheel, judgements: Iterable[Judgement], wanted: Wanted, problems: list[str]) -> Loaded:
    """Return what loads the pycs of a wheel, once it is installed.

    Args:
        wheel: the wheel.
        judgements: on its pycs.
        wanted: what matters.
        problems: what is wrong with METADATA is added to them.

    """
    paths = wheel.importable
    pycs = [_placed(judged, paths.get(judged.finding.pyc)) for judged in judgements]
    installed = {*paths.values()}
    audience = _audience(wheel, problems)
    around = Surroundings(
        installed.__contains__,
        extension_modules(installed),
        (wanted.finder or Finder.INSTALLED,),
        audience,
        windows=audience.tag.rpartition("-")[2].startswith("win"),
    )
    sources = {path: path for path in paths.values() if path.endswith(".py")}
    return _loaded(pycs, sources, around, wanted)


def loaded_of_tree(beside: Beside, tree: Tree, judgements: Sequence[Judgement], wanted: Wanted) -> Loaded:
    """Return what loads the pycs of an artifact other than a wheel.

    Args:
        beside: where their sources are.
        tree: what is in the artifact.
        judgements: on the pycs of the tree, in their order.
        wanted: what matters.

    """
    artifact, places = beside.artifact, map(beside.place, tree.pycs)
    pycs = [_timed(_placed(judged, path), artifact) for path, judged in zip(places, judgements, strict=True)]
    around = Surroundings(
        artifact.is_file,
        extension_modules(tree.extensions if beside.prefix is None else _beside_sources(artifact, judgements)),
        _finders(artifact, wanted.finder),
        windows=artifact.format is Format.DIRECTORY and sys.platform == "win32",
        is_listed=partial(_is_listed, artifact),
        zip_since=artifact.imported_since,
    )
    return _loaded(pycs, {source: artifact.shown(source) for source in tree.sources}, around, wanted)


def _is_listed(artifact: Artifact, directory: str) -> bool:
    """Return whether a ZIP file has an entry for a directory; another artifact always has what this stands for."""
    entry = artifact.find(directory)
    return artifact.format is not Format.ZIP or (entry is not None and entry.mtime is not None)


def _beside_sources(artifact: Artifact, judgements: Iterable[Judgement]) -> Iterator[str]:
    """Yield the paths of what is in the directories of sources."""
    sources = (judged.finding.source for judged in judgements)
    for directory in {source.rpartition("/")[0] for source in sources if source is not None}:
        yield from (entry.path for entry in artifact.listing(directory))


def _finders(artifact: Artifact, chosen: Finder | None) -> tuple[Finder, ...]:
    """Return what finds modules in an artifact.

    Python runs and imports from some ZIP files; others are unpacked. A PEX runs as an archive at first, unpacks itself
    without restoring times, and runs again.
    """
    if chosen is not None:
        return (chosen,)
    if artifact.format is not Format.ZIP:
        return (Finder.DIRECTORY,)
    if artifact.find(_PEX) is not None:
        return (Finder.INSTALLED, Finder.ZIP)
    is_program = artifact.path.suffix in _PROGRAMS or any(artifact.find(name) for name in (_PROGRAM, f"{_PROGRAM}c"))
    return (Finder.ZIP,) if is_program else (Finder.DIRECTORY,)


def _placed(judged: Judgement, path: str | None) -> PlacedPyc:
    finding = judged.finding
    return PlacedPyc(finding.pyc, path, judged.header, finding.status is not Status.STALE)


def _timed(pyc: PlacedPyc, artifact: Artifact) -> PlacedPyc:
    """Add the mtimes of the source to a pyc whose header has one."""
    if pyc.path is None or pyc.header is None or pyc.header.mode != InvalidationMode.TIMESTAMP:
        return pyc
    source = artifact.find(parse(pyc.path).source)
    if source is None:
        return pyc
    # In other formats, a header that has another time is stale.
    unpacked = (source.unpacked_mtime or source.mtime) if artifact.format is Format.ZIP else None
    return pyc._replace(unpacked=unpacked, zipped=source.mtime)


def _loaded(pycs: Collection[PlacedPyc], sources: Mapping[str, str], around: Surroundings, wanted: Wanted) -> Loaded:
    """Return what is loaded, and what is required and is not.

    Args:
        pycs: all of them.
        sources: by the paths by which they are imported, the paths as they are reported.
        around: what is around them.
        wanted: what matters.

    """
    loading = find_loaders(pycs, around)
    missing: dict[str, tuple[str, ...]] = {}
    if wanted.required:
        loaders = [(pyc.path or "", loading.loaders[pyc.name]) for pyc in pycs if pyc.name in loading.loaders]
        found = unmet(wanted.required, [*sources], loaders)
        missing = {requirement: tuple(sources[path] for path in paths) for requirement, paths in found}
    return Loaded(loading.narrowed(wanted.versions, wanted.levels), missing)


def _audience(wheel: Wheel, problems: list[str]) -> Audience:
    name, requires = f"{wheel.dist_info}/METADATA", None
    try:
        if name in wheel.archive.members:
            requires = required_python(wheel.read_member(name, MAX_METADATA))
    except DetpycError as error:
        problems.append(Problem(error.reason, Rule.METADATA))
    return Audience(tag_of(wheel.path.name), requires)
