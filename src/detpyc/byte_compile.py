"""Byte-compile one wheel: the use case behind the hooks, the wrapping backend and the command line."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.bytecode.header import PycHeader, source_hash
from detpyc.bytecode.names import is_cached, pyc_name
from detpyc.compilation import interpreters
from detpyc.compilation.compiler import Compiled, Refused, Source, byte_compile
from detpyc.errors import BytecodeError, CompilationError, DetpycError, InterpreterError, WheelError
from detpyc.files import Replacement, open_locked
from detpyc.provenance import FILE_NAME, Bytecode, Provenance
from detpyc.settings import select
from detpyc.wheel.archive import NewMember
from detpyc.wheel.distribution import Wheel
from detpyc.wheel.rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detpyc.compilation.compiler import Failed, Outcome
    from detpyc.compilation.interpreters import Interpreter
    from detpyc.settings import Settings

_LISTED = 10  # of many failures, how many an error tells


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to a wheel.

    Attributes:
        path: of the wheel that was written, or would be.
        changed: whether it differs from what was there.
        interpreters: those that compiled.
        modules: how many sources were byte-compiled.
        pycs: how many pycs that made.
        kept: how many pycs of earlier runs stay.
        dropped: the names of pycs that were there and are not: put in by accident, or stale.
        skipped: the sources that do not compile, each with the reason.
        bytes_added: to the size of the wheel.

    """

    path: Path
    changed: bool
    interpreters: tuple[Interpreter, ...]
    modules: int
    pycs: int
    kept: int
    dropped: tuple[str, ...]
    skipped: dict[str, str]
    bytes_added: int

    def summary(self) -> str:
        """Say it in one line."""
        by = ", ".join(each.release for each in self.interpreters)
        parts = [f"{_count(self.modules, 'module')} byte-compiled by CPython {by}", f"{self.bytes_added:+,} bytes"]
        if self.kept:
            parts.append(f"{_count(self.kept, 'pyc')} of earlier runs kept")
        if self.dropped:
            parts.append(f"{_count(len(self.dropped), 'foreign or stale pyc')} dropped")
        if self.skipped:
            parts.append(f"{_count(len(self.skipped), 'source')} skipped that does not compile")
        return f"{self.path.name}: {'; '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def byte_compile_wheel(
    path: Path, settings: Settings, *, output_dir: Path | None = None, jobs: int | None = None, check: bool = False
) -> Report:
    """Put canonical bytecode into a wheel.

    Args:
        path: of the wheel.
        settings: what to byte-compile, and how.
        output_dir: where to put the result, under the same name; by default it takes the wheel's place.
        jobs: how many workers; by default as many as there are usable processors. The result does not depend on it.
        check: change nothing on disk.

    Returns:
        What was done, or with ``check`` would be.

    Raises:
        DetpycError: if it cannot be done; the wheel is then as it was.

    """
    chosen = choose_interpreters(settings.interpreters)
    target = path if output_dir is None else output_dir / path.name
    with open_locked(path) as stream:
        status = os.fstat(stream.fileno())
        wheel = Wheel.read(path, stream)
        wheel.require_rewritable()
        plan = _plan(wheel, settings, chosen, jobs)
        directory = Path(tempfile.gettempdir()) if check else None
        with Replacement(target, stat.S_IMODE(status.st_mode), directory) as replacement:
            with replacement.writing() as output:
                rewrite(wheel, output, new=plan.new, dropped=plan.dropped, late=plan.kept)
                size = output.tell()
            changed = not replacement.equals(target)
            if sys.platform == "win32":
                stream.close()  # an open file cannot be replaced there
            if changed and not check:
                replacement.commit()
    return Report(
        path=target,
        changed=changed,
        interpreters=chosen,
        modules=plan.modules,
        pycs=plan.modules * len(chosen) * len(settings.optimize),
        kept=len(plan.kept),
        dropped=tuple(sorted(plan.foreign)),
        skipped=plan.skipped,
        bytes_added=size - status.st_size,
    )


def choose_interpreters(requests: Iterable[str]) -> tuple[Interpreter, ...]:
    """Find the interpreter for each request; the running one for none.

    Raises:
        InterpreterError: if one is missing or not supported, or if two would write pycs of the same names.

    """
    chosen = [interpreters.find(request) for request in requests] or [interpreters.supported(interpreters.current())]
    by_tag: dict[str, Interpreter] = {}
    for each in chosen:
        other = by_tag.setdefault(each.cache_tag, each)
        if other.release != each.release:
            raise InterpreterError(
                f"CPython {other.release} and {each.release} both write {each.cache_tag} pycs; choose one"
            )
    return tuple(sorted(by_tag.values(), key=lambda each: each.version))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of a wheel.

    Attributes:
        new: the members to add.
        kept: the names of pycs of earlier runs that stay.
        dropped: the names of pycs that go.
        foreign: those among them that no run of detpyc with these settings would have replaced.
        skipped: the sources that do not compile, each with the reason.
        modules: how many sources were byte-compiled.

    """

    new: list[NewMember]
    kept: set[str]
    dropped: set[str]
    foreign: set[str]
    skipped: dict[str, str]
    modules: int


def _plan(wheel: Wheel, settings: Settings, chosen: Iterable[Interpreter], jobs: int | None) -> _Plan:
    importable = {}
    for name in wheel.archive.members:
        path = wheel.importable_path(name)
        if path is not None and path.endswith(".py"):
            importable[name] = path
    sources = {
        name: Source(importable[name], wheel.read_member(name))
        for name in select(importable, settings.include, settings.exclude)
    }

    new: list[NewMember] = []
    bytecode: list[Bytecode] = []
    skipped: dict[str, str] = {}
    for interpreter in chosen:
        members, refused = _compile(wheel, sources, interpreter, settings, jobs)
        new += members
        skipped |= refused
        bytecode += (_recorded(interpreter, level, settings, refused) for level in settings.optimize)

    earlier = _earlier_bytecode(wheel) if settings.provenance else ()
    redone = {each.slot for each in bytecode}
    kept: set[str] = set()
    for each in earlier:
        if each.slot not in redone:
            names, record = _still_valid(wheel, importable, each)
            if names:
                kept |= names
                bytecode.append(record)
    pycs = {name for name in wheel.archive.members if _is_cached_pyc(wheel, name)}
    dropped = pycs - kept - {each.member.name for each in new}
    foreign = dropped - {pyc_name(name, *each.slot) for each in earlier if each.slot in redone for name in importable}

    provenance = f"{wheel.dist_info}/{FILE_NAME}"
    if settings.provenance:
        content = Provenance(tuple(bytecode)).to_json()
        new.append(NewMember.make(provenance, content, wheel.archive.members[wheel.record_name]))
    elif provenance in wheel.archive.members:
        dropped.add(provenance)
    return _Plan(new, kept, dropped, foreign, skipped, len(sources) - len(skipped))


def _compile(
    wheel: Wheel, sources: dict[str, Source], interpreter: Interpreter, settings: Settings, jobs: int | None
) -> tuple[list[NewMember], dict[str, str]]:
    """Byte-compile the sources by one interpreter: the pycs, and the sources skipped with their reasons."""
    names = list(sources)

    def finish(index: int, outcome: Outcome) -> list[NewMember] | Refused | Failed:
        if not isinstance(outcome, Compiled):
            return outcome
        name = names[index]
        header = PycHeader(
            interpreter.magic_number, settings.invalidation_mode, source_hash=outcome.source_hash
        ).to_bytes()
        return [
            NewMember.make(pyc_name(name, interpreter.cache_tag, level), header + payload, wheel.archive.members[name])
            for level, payload in zip(settings.optimize, outcome.payloads, strict=True)
        ]

    results = byte_compile(interpreter, list(sources.values()), settings.optimize, finish, jobs=jobs)
    members: list[NewMember] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    advice = ""
    for name, result in zip(names, results, strict=True):
        if isinstance(result, list):
            members += result
        elif isinstance(result, Refused) and settings.on_syntax_error == "skip":
            skipped[name] = result.reason
        else:
            failed[name] = result.reason
            if isinstance(result, Refused):
                advice = '\nMend them, leave them out with "exclude", or set on-syntax-error to "skip".'
    if failed:
        lines = [f"\n    {name}: {reason}" for name, reason in list(failed.items())[:_LISTED]]
        more = f"\n    and {len(failed) - _LISTED} more" if len(failed) > _LISTED else ""
        raise CompilationError(
            f"{wheel.path}: CPython {interpreter.release} does not byte-compile {_count(len(failed), 'source')}:"
            f"{''.join(lines)}{more}{advice}"
        )
    return members, skipped


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
