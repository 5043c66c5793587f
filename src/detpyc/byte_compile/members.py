"""Choose the members of a byte-compiled wheel: what is added, kept and dropped. Nothing is read or compiled here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detpyc.errors import WheelError
from detpyc.provenance import FILE_NAME, Bytecode, Provenance
from detpyc.pyc_paths import is_cache_directory, pyc_name
from detpyc.settings import SOURCELESS, STORED
from detpyc.wheel import tags
from detpyc.wheel.writing import NewMember

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from detpyc.byte_compile.contents import Contents
    from detpyc.byte_compile.modules import CompiledModules
    from detpyc.settings import Settings

__all__ = ["ChosenMembers", "choose_members"]


class ChosenMembers(NamedTuple):
    """The changes to the members of a wheel.

    Attributes:
        new: the members to add.
        replaced: what takes the place of old members, by their names.
        kept: the names of pycs of earlier runs that stay.
        dropped: the members to remove, with the reasons.
        foreign: the pycs among them that no run of detpyc with these settings would have replaced.
        skipped: the sources that do not compile, with the reasons.
        modules: the number of sources that were byte-compiled.
        pycs: the number of pycs that are added.
        bytecode: what there are pycs of, from this run and from earlier ones.

    """

    new: list[NewMember]
    replaced: dict[str, NewMember]
    kept: frozenset[str]
    dropped: dict[str, str]
    foreign: frozenset[str]
    skipped: dict[str, str]
    modules: int
    pycs: int
    bytecode: tuple[Bytecode, ...]


def choose_members(
    contents: Contents,
    compiled: Sequence[CompiledModules],
    settings: Settings,
    tag: str,
    *,
    missing: Collection[str] = (),
    normalized: bool = False,
) -> ChosenMembers:
    """Choose the members of a byte-compiled wheel.

    Args:
        contents: of the wheel before.
        compiled: the new bytecode, by each interpreter.
        settings: of this run.
        tag: of the new wheel.
        missing: the interpreters that were missing, which is recorded.
        normalized: whether the archive is going to be normalized, which is recorded.

    Raises:
        WheelError: if the wheel is to be sourceless, and its WHEEL file is missing or malformed.

    """
    pycs = _pycs(contents, compiled, settings)
    kept = frozenset(pyc_name(source, *run.recorded.slot) for run in contents.earlier for source in run.matching)
    stray = contents.cached - kept - {pyc.member.name for pyc in pycs}
    foreign = stray - _repeated(contents, compiled, settings)
    modules = {source for result in compiled for source in result.pycs}
    sourceless = settings.layout == SOURCELESS
    bytecode = _bytecode(contents, compiled, settings)
    missing = _still_missing(contents, bytecode, missing)
    recorded = Provenance(bytecode, settings.compression, normalized, missing=missing).to_json()
    retagged = _retagged(contents, tag) if sourceless else {}
    provenance = f"{contents.dist_info}/{FILE_NAME}"
    dropped = _dropped(contents, stray, settings)
    if sourceless:
        dropped |= dict.fromkeys([*modules, *stray], "the layout is sourceless")
    new = list(pycs)
    if not settings.provenance and provenance in contents.members:
        dropped[provenance] = "provenance is disabled"
    if settings.provenance:
        like = contents.members[f"{contents.dist_info}/RECORD"]
        new.append(NewMember.make(provenance, recorded, like, stored=settings.compression == STORED))
    return ChosenMembers(
        new=new,
        replaced={name: NewMember.replacing(contents.members[name], content) for name, content in retagged.items()},
        kept=kept,
        dropped=dropped,
        foreign=foreign,
        skipped=_skipped(compiled),
        modules=len(modules),
        pycs=len(pycs),
        bytecode=_with_pycs(bytecode, contents, compiled),
    )


def _pycs(contents: Contents, compiled: Sequence[CompiledModules], settings: Settings) -> list[NewMember]:
    """Return the new pycs, with the dates of their sources."""
    pycs = []
    for result in compiled:
        for source, by_level in result.pycs.items():
            for level, packed in zip(settings.optimize, by_level, strict=True):
                cached = pyc_name(source, result.interpreter.cache_tag, level)
                name = f"{source}c" if settings.layout == SOURCELESS else cached
                pycs.append(NewMember.of(name, packed, contents.members[source].date_time))
    return pycs


def _repeated(contents: Contents, compiled: Sequence[CompiledModules], settings: Settings) -> set[str]:
    """Return the names of the pycs of earlier runs that this run makes again, or no longer makes."""
    slots = {(result.interpreter.cache_tag, level) for result in compiled for level in settings.optimize}
    again = [run.recorded.slot for run in contents.earlier if run.recorded.slot in slots]
    return {pyc_name(source, *slot) for slot in again for source in contents.sources}


def _dropped(contents: Contents, stray: Iterable[str], settings: Settings) -> dict[str, str]:
    """Return the members to remove from any wheel, with the reasons."""
    recorded = {pyc_name(source, *run.recorded.slot) for run in contents.earlier for source in contents.sources}
    stale = {pyc_name(source, *run.recorded.slot) for run in contents.earlier for source in run.stale}
    # Installers create directories for files. Tools that repair or unpack and pack wheels add these entries if they
    # find pycs; without them, it makes no difference which of the two is done first.
    dropped = dict.fromkeys(filter(is_cache_directory, contents.members), "installers create directories for files")
    for name in stray:
        if name in stale:
            dropped[name] = "stale, as its source has changed"
        elif name in recorded:
            dropped[name] = "these settings do not make it again" if settings.provenance else "provenance is disabled"
        else:
            dropped[name] = "no earlier run has recorded it"
    return dropped


def _skipped(compiled: Sequence[CompiledModules]) -> dict[str, str]:
    """Return the sources that do not compile, with the reason that the last interpreter has."""
    several = len(compiled) > 1
    return {
        source: f"CPython {result.interpreter.release}: {reason}" if several else reason
        for result in compiled
        for source, reason in result.skipped.items()
    }


def _retagged(contents: Contents, tag: str) -> dict[str, bytes]:
    """Return the WHEEL file with another tag, by its name; nothing if it has that tag already."""
    name = f"{contents.dist_info}/WHEEL"
    if contents.wheel_file is None:
        raise WheelError(f"has no {name}")
    retagged = tags.retagged(contents.wheel_file, tag)
    return {} if retagged is None else {name: retagged}


def _bytecode(contents: Contents, compiled: Sequence[CompiledModules], settings: Settings) -> tuple[Bytecode, ...]:
    """Return the bytecode of this run, and of the earlier runs that have pycs left."""
    new = [
        Bytecode(
            release=result.interpreter.release,
            cache_tag=result.interpreter.cache_tag,
            magic_number=result.interpreter.magic_number,
            optimize=level,
            invalidation_mode=settings.invalidation_mode,
            include=settings.include,
            exclude=settings.exclude,
            skipped=result.skipped,
            layout=settings.layout,
        )
        for result in compiled
        for level in settings.optimize
    ]
    stale = "its bytecode did not match it any more and was dropped"
    earlier = [
        run.recorded._replace(skipped={**run.recorded.skipped, **dict.fromkeys(run.stale, stale)})
        for run in contents.earlier
        if run.matching
    ]
    return (*new, *earlier)


def _with_pycs(
    bytecode: Iterable[Bytecode], contents: Contents, compiled: Sequence[CompiledModules]
) -> tuple[Bytecode, ...]:
    """Return the bytecode that there is at least one pyc of."""
    earlier = {run.recorded.slot for run in contents.earlier if run.matching}
    tags = {result.interpreter.cache_tag for result in compiled if result.pycs}
    return tuple(entry for entry in bytecode if entry.cache_tag in tags or entry.slot in earlier)


def _still_missing(contents: Contents, bytecode: Sequence[Bytecode], missing: Iterable[str]) -> tuple[str, ...]:
    """Return the interpreters that were missing in this run and in those that have pycs left, and are not added now."""
    earlier = contents.missing if any(run.matching for run in contents.earlier) else ()
    releases = [f"{entry.release}." for entry in bytecode]
    return tuple(
        request
        for request in {*missing, *earlier}
        if not any(release.startswith(f"{request}.") for release in releases)
    )
