"""What will be loaded of the pycs that were judged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.limits import MAX_METADATA
from detpyc.loading import Audience, Loading, PlacedPyc, find_loaders, required_python
from detpyc.verify.reports import Status
from detpyc.verify.requirements import unmet
from detpyc.wheel.problems import Problem, Rule
from detpyc.wheel.tags import tag_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from detpyc.verify.pycs import Judgement
    from detpyc.verify.requirements import Requirement
    from detpyc.wheel.distribution import Wheel

Unmet = dict[str, tuple[str, ...]]


def loaded_of_wheel(
    wheel: Wheel, judgements: Iterable[Judgement], required: Collection[Requirement], problems: list[str]
) -> tuple[Loading, Unmet]:
    """Return what loads the pycs of a wheel, and the requirements that are not met.

    Args:
        wheel: the wheel.
        judgements: on its pycs.
        required: the requirements.
        problems: what is wrong with METADATA is added to them.

    """
    paths = wheel.importable
    pycs = [_placed(judged, paths.get(judged.finding.pyc)) for judged in judgements]
    sources = [path for path in paths.values() if path.endswith(".py")]
    loading = find_loaders(pycs, set(sources), _audience(wheel, problems))
    return loading, _unmet(required, sources, pycs, loading)


def unmet_in_tree(judgements: Iterable[Judgement], sources: Sequence[str], required: Collection[Requirement]) -> Unmet:
    """Return the requirements that the pycs in a directory do not meet."""
    pycs = [_placed(judged, judged.finding.pyc.replace(os.sep, "/")) for judged in judgements]
    paths = [source.replace(os.sep, "/") for source in sources]
    return _unmet(required, paths, pycs, find_loaders(pycs, set(paths)))


def _placed(judged: Judgement, path: str | None) -> PlacedPyc:
    finding = judged.finding
    header = None if finding.status is Status.MALFORMED else judged.header
    return PlacedPyc(finding.pyc, path, header, finding.status is not Status.STALE)


def _unmet(
    required: Collection[Requirement], sources: Sequence[str], pycs: Iterable[PlacedPyc], loading: Loading
) -> Unmet:
    if not required:
        return {}
    loaders = ((pyc.path or "", loading.loaders[pyc.name]) for pyc in pycs if pyc.name in loading.loaders)
    return dict(unmet(required, sources, [*loaders]))


def _audience(wheel: Wheel, problems: list[str]) -> Audience:
    name, requires = f"{wheel.dist_info}/METADATA", None
    try:
        if name in wheel.archive.members:
            requires = required_python(wheel.read_member(name, MAX_METADATA))
    except DetpycError as error:
        problems.append(Problem(error.reason, Rule.METADATA))
    return Audience(tag_of(wheel.path.name), requires)
