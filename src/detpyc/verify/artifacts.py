"""Verify that bytecode is what its source compiles to: in wheels, in directory trees, in single pycs."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc import provenance, pyc_paths
from detpyc.compilation.pool import TIME_LIMIT
from detpyc.errors import DetpycError
from detpyc.files import open_regular, read_file, walk
from detpyc.gitignore import select_untrusted
from detpyc.limits import MAX_FILE
from detpyc.provenance import Provenance
from detpyc.settings import SOURCELESS
from detpyc.verify.sources import open_sources
from detpyc.verify.verdicts import Finding, Judge, Pyc, Status
from detpyc.wheel import record
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.provenance import Bytecode

__all__ = ["Finding", "Report", "Status", "verify_tree", "verify_wheel"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a wheel or a tree.

    Attributes:
        path: of the wheel or the tree.
        findings: one for each pyc, in the order of their paths.
        problems: what is wrong with the whole: RECORD, or provenance that contradicts the content.

    """

    path: str
    findings: tuple[Finding, ...]
    problems: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return how many pycs there are of each status."""
        found = Counter(finding.status for finding in self.findings)
        return {status.value: found[status] for status in Status}

    def refused(self, allowed: Iterable[Status]) -> tuple[Finding, ...]:
        """Return the findings whose status is not allowed."""
        passing = frozenset(allowed)
        return tuple(finding for finding in self.findings if finding.status not in passing)


def verify_wheel(
    path: str | os.PathLike[str],
    given: Sequence[Interpreter] = (),
    *,
    sources: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
) -> Report:
    """Verify a wheel: its RECORD, its provenance, and every pyc in it.

    It changes nothing, and as many processes as like may verify one wheel at the same time.

    Args:
        path: of the wheel.
        given: interpreters to use, each for the pycs of its version; others are searched for.
        sources: a source distribution or a wheel that has the sources which this one lacks.
        jobs: how many workers; by default as many as there are usable processors.
        time_limit: seconds for one source.

    Returns:
        What was found. It can be pickled.

    Raises:
        DetpycError: if it is no wheel, or cannot be read.

    """
    path = Path(path)
    judge = Judge(given, jobs, time_limit)
    with ExitStack() as stack:
        wheel = Wheel.open(path, stack.enter_context(open_regular(path)))
        elsewhere = {} if sources is None else open_sources(Path(sources), stack)
        problems: list[str] = []
        recorded = _recorded(wheel, problems)
        with wheel.checking([name for name in wheel.archive.members if not name.endswith((".py", ".pyc"))]):
            findings = judge.judge(_wheel_pycs(wheel, recorded, elsewhere))
        if recorded is not None:
            problems += _contradictions(wheel, recorded, findings, judge.modes)
            problems += (f"provenance tells of another release than compiled {pyc}" for pyc in judge.contradicted)
        problems[:0] = wheel.check()
    return Report(str(path), findings, tuple(problems))


def _recorded(wheel: Wheel, problems: list[str]) -> Provenance | None:
    """Read a wheel's provenance; what is wrong with it is added to the problems."""
    name = f"{wheel.dist_info}/{provenance.FILE_NAME}"
    if name not in wheel.archive.members:
        return None
    try:
        return Provenance.from_json(wheel.read_member(name, MAX_FILE))
    except DetpycError as error:
        problems.append(str(error))
        return None


def _wheel_pycs(
    wheel: Wheel, recorded: Provenance | None, elsewhere: Mapping[str, Callable[[], bytes]]
) -> Iterator[Pyc]:
    """Give every pyc in a wheel, those among them that are not installed as modules.

    What has no source in the wheel may have one elsewhere, under the path that it would have when installed.
    """
    members = wheel.archive.members
    slots = _slots(recorded)
    for member in sorted(members):
        if not member.endswith(".pyc"):
            continue
        path = wheel.importable.get(member, member)
        name = pyc_paths.parse(path)
        source = member[: len(member) - len(path)] + name.source
        slot = slots.get((name.cache_tag, name.optimization))
        if slot is not None and name.cache_tag is None:
            name = name._replace(optimization=str(slot.optimize or ""))
        yield Pyc(
            member,
            name,
            partial(wheel.read_member, member, MAX_FILE),
            partial(wheel.read_member, source, MAX_FILE) if source in members else elsewhere.get(name.source),
            recorded=slot,
            in_wheel=True,
        )


def _slots(recorded: Provenance | None) -> dict[tuple[str | None, str], Bytecode]:
    """Return what provenance tells for each cache tag and optimization level, as pycs' names have them.

    The name of a pyc in its source's place has neither.
    """
    bytecode = recorded.bytecode if recorded is not None else ()
    return {
        (None, "") if each.layout == SOURCELESS else (each.cache_tag, str(each.optimize or "")): each
        for each in bytecode
    }


def _contradictions(
    wheel: Wheel, recorded: Provenance, findings: Sequence[Finding], modes: Mapping[str, str]
) -> Iterator[str]:
    """Say where a wheel is not what its provenance says."""
    sources = list(wheel.importable_sources())
    by_pyc = {finding.pyc: finding for finding in findings}
    expected: set[str] = set()
    for bytecode in recorded.bytecode:
        try:
            selected = select_untrusted(sources, bytecode.include, bytecode.exclude)
        except ValueError as error:
            yield f"provenance has patterns that cannot be followed: {error}"
            return
        for source in selected:
            sourceless = bytecode.layout == SOURCELESS
            pyc = f"{source}c" if sourceless else pyc_paths.pyc_name(source, *bytecode.slot)
            expected.add(pyc)
            yield from _contradiction(source, by_pyc.get(pyc), pyc, modes.get(pyc), bytecode)
    for member in wheel.archive.members:
        path = wheel.importable.get(member)
        if path is not None and pyc_paths.is_cached(path) and member not in expected:
            yield f"provenance does not tell of {member}"


def _contradiction(
    source: str, finding: Finding | None, pyc: str, mode: str | None, bytecode: Bytecode
) -> Iterator[str]:
    """Say where a pyc is not what provenance says of it; without a mode, its header is wrong, which is a finding."""
    skipped = source in bytecode.skipped
    if finding is None:
        if not skipped:
            yield f"provenance says that {source} is byte-compiled, and there is no {pyc}"
        return
    if skipped:
        yield f"provenance says that {source} is not byte-compiled, and there is {pyc}"
    if mode is None:
        return
    if mode != bytecode.invalidation_mode:
        yield f"provenance says that {pyc} is {bytecode.invalidation_mode}, and it is {mode}"
    elif finding.status is Status.EQUIVALENT:
        yield f"provenance says that detpyc wrote {pyc}, and detpyc writes it otherwise: {', '.join(finding.reasons)}"


def verify_tree(
    path: str | os.PathLike[str],
    given: Sequence[Interpreter] = (),
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
) -> Report:
    """Verify every pyc in a directory and below, or a single pyc.

    Args:
        path: of the directory or the pyc. Symbolic links to directories are not followed.
        given: as for `verify_wheel`.
        jobs: as for `verify_wheel`.
        time_limit: as for `verify_wheel`.

    Returns:
        What was found. It can be pickled.

    Raises:
        DetpycError: if the path is no directory or pyc, or a directory cannot be read.

    """
    path = Path(path)
    if not path.exists():
        raise DetpycError(f"{path}: there is no such file or directory")
    if not path.is_dir() and path.suffix != ".pyc":
        raise DetpycError(f"{path}: is no wheel, directory or pyc")
    problems: list[str] = []
    recorded = _installed(path, problems)
    pycs = walk(path, ".pyc") if path.is_dir() else iter([path])
    findings = Judge(given, jobs, time_limit).judge(_tree_pyc(pyc, recorded) for pyc in pycs)
    return Report(str(path), findings, tuple(problems))


def _tree_pyc(pyc: Path, recorded: dict[str, Bytecode]) -> Pyc:
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


def _installed(path: Path, problems: list[str]) -> dict[str, Bytecode]:
    """Return what the provenance of installed wheels tells of the pycs that their RECORDs list.

    Those wheels are in the tree, or the tree is in what they were installed in.
    """
    documents = {each.absolute() for each in walk(path, provenance.FILE_NAME)} if path.is_dir() else set()
    for parent in path.absolute().parents:
        documents |= set(parent.glob(f"*.dist-info/{provenance.FILE_NAME}"))
    found: dict[str, Bytecode] = {}
    for document in sorted(documents):
        if document.name == provenance.FILE_NAME and document.parent.suffix == ".dist-info":
            try:
                slots = _slots(Provenance.from_json(read_file(document)))
                entries = record.parse(read_file(document.with_name("RECORD")))
            except DetpycError as error:
                problems.append(f"{document}: {error}")
                continue
            for entry in entries:
                name = pyc_paths.parse(entry.path)
                slot = slots.get((name.cache_tag, name.optimization)) if entry.path.endswith(".pyc") else None
                if slot is not None:
                    found[str(document.parent.parent / entry.path)] = slot
    return found
