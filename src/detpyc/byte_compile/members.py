"""Plan the byte-compilation of a wheel: which members are to be added, kept and dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from detpyc.bytecode.header import PycHeader, source_hash
from detpyc.compilation.pool import Compiled, Pool, Refused, Source
from detpyc.errors import BytecodeError, CompilationError, DetpycError, WheelError
from detpyc.gitignore import select
from detpyc.provenance import FILE_NAME, Bytecode, Provenance
from detpyc.pyc_paths import is_cached, pyc_name
from detpyc.settings import SOURCELESS, STORED
from detpyc.wheel import tags
from detpyc.wheel.archive import NewMember
from detpyc.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Failed, Outcome
    from detpyc.settings import Settings
    from detpyc.wheel.distribution import Wheel

_LISTED = 10  # of many failures, how many an error tells


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of a wheel.

    Attributes:
        new: the members to add.
        replaced: what takes the place of old members, by their names.
        kept: the names of pycs of earlier runs that stay.
        dropped: the names of members that go.
        foreign: the pycs among them that no run of detpyc with these settings would have replaced.
        skipped: the sources that do not compile, each with the reason.
        modules: how many sources were byte-compiled.
        pycs: how many pycs that made.

    """

    new: list[NewMember]
    replaced: dict[str, NewMember]
    kept: set[str]
    dropped: set[str]
    foreign: set[str]
    skipped: dict[str, str]
    modules: int
    pycs: int


def make_plan(
    wheel: Wheel, settings: Settings, chosen: Sequence[Interpreter], jobs: int | None, *, normalized: bool = False
) -> Plan:
    """Byte-compile the sources of a wheel, and say what is to become of it.

    Args:
        wheel: the wheel as it is.
        settings: what to byte-compile, and how.
        chosen: the interpreters that compile; one, if the layout is sourceless.
        jobs: how many workers; by default as many as there are usable processors.
        normalized: whether the archive is going to be normalized, which is recorded.

    Raises:
        DetpycError: if something does not compile, or what an earlier run left in the wheel does not allow it.

    """
    importable = wheel.importable_sources()
    selected = select(importable, settings.include, settings.exclude)
    sources = {name: importable[name] for name in selected}
    earlier = _earlier_bytecode(wheel)
    _refuse_if_sources_are_gone(wheel, earlier, settings, chosen)

    new: list[NewMember] = []
    bytecode: list[Bytecode] = []
    skipped: dict[str, str] = {}
    compiled: set[str] = set()
    with wheel.checking([name for name in wheel.archive.members if name not in sources]):
        for interpreter in chosen:
            members, refused = _compile(wheel, sources, interpreter, settings, jobs)
            new += members
            compiled |= sources.keys() - refused.keys()
            by = f"CPython {interpreter.release}: " if len(chosen) > 1 else ""
            skipped |= {name: f"{by}{reason}" for name, reason in refused.items()}
            bytecode += (_recorded(interpreter, level, settings, refused) for level in settings.optimize)

    pycs = len(new)
    redone = {each.slot for each in bytecode}
    kept, still_true = _kept(wheel, importable, [each for each in earlier if each.slot not in redone], settings)
    cached = {name for name in wheel.archive.members if _is_cached_pyc(wheel, name)}
    dropped = cached - kept - {each.member.name for each in new}
    foreign = dropped - {pyc_name(name, *each.slot) for each in earlier if each.slot in redone for name in importable}
    replaced: dict[str, NewMember] = {}
    if settings.layout == SOURCELESS:
        dropped |= compiled
        tag = tags.tag_of(wheel.path.name)
        replaced = tags.retagged(wheel, tags.sourceless_tag(tag, chosen[0].version))

    provenance = f"{wheel.dist_info}/{FILE_NAME}"
    if settings.provenance:
        content = Provenance((*bytecode, *still_true), settings.compression, normalized).to_json()
        like = wheel.archive.members[wheel.record_name]
        new.append(NewMember.make(provenance, content, like, stored=settings.compression == STORED))
    elif provenance in wheel.archive.members:
        dropped.add(provenance)
    return Plan(new, replaced, kept, dropped, foreign, skipped, len(compiled), pycs)


def _refuse_if_sources_are_gone(
    wheel: Wheel, earlier: Sequence[Bytecode], settings: Settings, chosen: Sequence[Interpreter]
) -> None:
    """Refuse to make something else of a wheel without sources than it is already."""
    wanted = [(each.release, level) for each in chosen for level in settings.optimize]
    for each in earlier:
        same = settings.layout == SOURCELESS and wanted == [(each.release, each.optimize)]
        if each.layout == SOURCELESS and not same:
            raise WheelError(
                f"{wheel.path}: has no sources any more: it was made sourceless for CPython {each.release}, level"
                f" {each.optimize}; start from the wheel that has them"
            )


def _compile(
    wheel: Wheel, sources: dict[str, str], interpreter: Interpreter, settings: Settings, jobs: int | None
) -> tuple[list[NewMember], dict[str, str]]:
    """Byte-compile sources by one interpreter.

    Args:
        wheel: that they are in.
        sources: their names, each with its path as it is when installed.
        interpreter: that compiles.
        settings: how.
        jobs: how many workers; by default as many as there are usable processors.

    Returns:
        The pycs, in the order of the sources, and the sources that were skipped, each with the reason.

    Raises:
        CompilationError: if a source that is not to be skipped does not compile.

    """
    # Largest first, so that no worker is left alone with a large source at the end.
    names = sorted(sources, key=lambda name: wheel.archive.members[name].size, reverse=True)

    def finish(index: int, outcome: Outcome) -> list[NewMember] | Refused | Failed:
        if not isinstance(outcome, Compiled):
            return outcome
        name = names[index]
        header = PycHeader(
            interpreter.magic_number, settings.invalidation_mode, source_hash=outcome.source_hash
        ).to_bytes()
        return [
            NewMember.make(
                f"{name}c" if settings.layout == SOURCELESS else pyc_name(name, interpreter.cache_tag, level),
                header + payload,
                wheel.archive.members[name],
                stored=settings.compression == STORED,
            )
            for level, payload in zip(settings.optimize, outcome.payloads, strict=True)
        ]

    contents = (Source(sources[name], wheel.read_member(name)) for name in names)
    with Pool(interpreter, jobs) as pool:
        results = dict(zip(names, pool.byte_compile(contents, settings.optimize, finish), strict=True))
    return _sorted_out({name: results[name] for name in sources}, wheel, interpreter, settings)


def _sorted_out(
    results: Mapping[str, list[NewMember] | Refused | Failed],
    wheel: Wheel,
    interpreter: Interpreter,
    settings: Settings,
) -> tuple[list[NewMember], dict[str, str]]:
    """Tell the pycs from what is skipped, with the reasons.

    Raises:
        CompilationError: if there is something else; it names the first of it.

    """
    members: list[NewMember] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    advice = ""
    for name, result in results.items():
        if isinstance(result, list):
            members += result
        elif isinstance(result, Refused) and settings.on_syntax_error == "skip" and not _needed(name, settings):
            skipped[name] = result.reason
        else:
            failed[name] = result.reason
            if isinstance(result, Refused):
                advice = _advice(name, settings)
    if failed:
        lines = [f"\n    {name}: {reason}" for name, reason in list(failed.items())[:_LISTED]]
        more = f"\n    and {len(failed) - _LISTED} more" if len(failed) > _LISTED else ""
        raise CompilationError(
            f"{wheel.path}: CPython {interpreter.release} does not byte-compile {counted(len(failed), 'source')}:"
            f"{''.join(lines)}{more}{advice}"
        )
    return members, skipped


def _needed(name: str, settings: Settings) -> bool:
    """Tell whether a source cannot be skipped: without it, the modules of a package that has no sources are lost."""
    return settings.layout == SOURCELESS and name.rpartition("/")[2] == "__init__.py"


def _advice(name: str, settings: Settings) -> str:
    """Say what to do about a source that does not compile."""
    if _needed(name, settings):
        return (
            "\nA sourceless package cannot do without its __init__.py, so that is never skipped. Mend it, or leave the"
            ' package as it is with "exclude".'
        )
    return '\nMend them, leave them out with "exclude", or set on-syntax-error to "skip".'


def _recorded(interpreter: Interpreter, level: int, settings: Settings, skipped: dict[str, str]) -> Bytecode:
    return Bytecode(
        interpreter.release,
        interpreter.cache_tag,
        interpreter.magic_number,
        level,
        settings.invalidation_mode,
        settings.include,
        settings.exclude,
        skipped,
        settings.layout,
    )


def _earlier_bytecode(wheel: Wheel) -> tuple[Bytecode, ...]:
    """Read what an earlier run of detpyc recorded in the wheel."""
    name = f"{wheel.dist_info}/{FILE_NAME}"
    if name not in wheel.archive.members:
        return ()
    try:
        return Provenance.from_json(wheel.read_member(name)).bytecode
    except DetpycError as error:
        raise WheelError(f"{wheel.path}: {error}") from error


def _kept(
    wheel: Wheel, sources: Iterable[str], earlier: Iterable[Bytecode], settings: Settings
) -> tuple[set[str], list[Bytecode]]:
    """Tell which pycs of earlier runs stay, and what is to be recorded of them; if nothing is, they go."""
    kept: set[str] = set()
    records = []
    if settings.provenance and settings.layout != SOURCELESS:
        for each in earlier:
            names, record = _still_valid(wheel, sources, each)
            if names:
                kept |= names
                records.append(record)
    return kept, records


def _still_valid(wheel: Wheel, sources: Iterable[str], bytecode: Bytecode) -> tuple[set[str], Bytecode]:
    """Tell which pycs of an earlier run still match their source, and what is to be recorded of them."""
    valid = set()
    skipped = dict(bytecode.skipped)
    for source in sources:
        pyc = pyc_name(source, *bytecode.slot)
        if pyc not in wheel.archive.members:
            continue
        try:
            header = PycHeader.parse(wheel.read_member(pyc))
        except BytecodeError:
            matches = False
        else:
            expected = source_hash(wheel.read_member(source), bytecode.magic_number)
            matches = (header.magic_number, header.mode, header.source_hash) == (
                bytecode.magic_number,
                bytecode.invalidation_mode,
                expected,
            )
        if matches:
            valid.add(pyc)
        else:
            skipped[source] = "its bytecode did not match it any more and was dropped"
    return valid, replace(bytecode, skipped=skipped)


def _is_cached_pyc(wheel: Wheel, name: str) -> bool:
    """Tell whether a member is a pyc where the import system looks for it beside a source."""
    path = wheel.importable_path(name)
    return path is not None and is_cached(path)
