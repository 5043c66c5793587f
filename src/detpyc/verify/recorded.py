"""What provenance says of pycs, and where their judgements contradict it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc import pyc_paths
from detpyc.artifacts.entries import Format
from detpyc.errors import DetpycError
from detpyc.gitignore import select_bounded
from detpyc.limits import MAX_PROVENANCE, MAX_RECORD
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.settings import SOURCELESS
from detpyc.verify.reports import Status
from detpyc.wheel import record
from detpyc.wheel.problems import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detpyc.artifacts.entries import Artifact
    from detpyc.provenance import Bytecode
    from detpyc.verify.pycs import Judgement
    from detpyc.verify.trees import Tree
    from detpyc.wheel.distribution import Wheel


def by_slot(recorded: Provenance | None) -> dict[tuple[str | None, str], Bytecode]:
    """Return what provenance says, by cache tag and optimization level as they are in the pycs' names.

    The name of a pyc in its source's place has neither.
    """
    return {
        (None, "") if bytecode.layout == SOURCELESS else (bytecode.cache_tag, str(bytecode.optimize or "")): bytecode
        for bytecode in (() if recorded is None else recorded.bytecode)
    }


def of_installed_wheels(artifact: Artifact, tree: Tree) -> dict[str, Bytecode]:
    """Return what the provenance of installed wheels says of the pycs that their RECORDs list.

    Args:
        artifact: the wheels are installed in it, or it is in what they were installed in.
        tree: what is in it. What is wrong with provenance is added to its problems.

    Returns:
        By the paths of the pycs; see `located`.

    """
    documents = {located(artifact, document) for document in tree.documents}
    if artifact.format is Format.DIRECTORY:
        for parent in (artifact.path / FILE_NAME).absolute().parents:
            documents |= {document.as_posix() for document in parent.glob(f"*.dist-info/{FILE_NAME}")}
    found: dict[str, Bytecode] = {}
    for document in sorted(documents):
        if document.endswith(f".dist-info/{FILE_NAME}"):
            try:
                found |= _of_installed_wheel(artifact, document)
            except DetpycError as error:
                problem = str(error) if error.path else f"{artifact.shown(document)}: {error}"
                tree.problems.append(Problem(problem, Rule.PROVENANCE))
    return found


def located(artifact: Artifact, path: str) -> str:
    """Return a path by which different paths of a file in an artifact can be compared: on disk, the absolute one."""
    if artifact.format is not Format.DIRECTORY or os.path.isabs(path):  # noqa: PTH117 - a string
        return path
    return Path(path).absolute().as_posix()


def _of_installed_wheel(artifact: Artifact, document: str) -> dict[str, Bytecode]:
    slots = by_slot(Provenance.from_json(artifact.read(document, MAX_PROVENANCE)))
    dist_info = document.rpartition("/")[0]
    site = dist_info.rpartition("/")[0]
    found: dict[str, Bytecode] = {}
    for entry in record.parse(artifact.read(f"{dist_info}/RECORD", MAX_RECORD)):
        if entry.path.endswith(".pyc"):
            name = pyc_paths.parse(entry.path)
            slot = slots.get((name.cache_tag, name.optimization))
            if slot is not None:
                found[f"{site}/{entry.path}" if site else entry.path] = slot
    return found


def contradictions(wheel: Wheel, recorded: Provenance, judgements: Sequence[Judgement]) -> Iterator[str]:
    """Yield where a wheel is not what its provenance says."""
    yield from _unlike_recorded(wheel, recorded, {judged.finding.pyc: judged for judged in judgements})
    for judged in judgements:
        if judged.contradicted:
            yield f"provenance names another release than the one that compiled {judged.finding.pyc}"


def _unlike_recorded(wheel: Wheel, recorded: Provenance, by_pyc: dict[str, Judgement]) -> Iterator[str]:
    sources = list(wheel.importable_sources())
    expected: set[str] = set()
    for bytecode in recorded.bytecode:
        try:
            selected = select_bounded(sources, bytecode.include, bytecode.exclude)
        except ValueError as error:
            yield f"provenance has patterns that cannot be applied: {error}"
            return
        for source in selected:
            sourceless = bytecode.layout == SOURCELESS
            pyc = f"{source}c" if sourceless else pyc_paths.pyc_name(source, *bytecode.slot)
            expected.add(pyc)
            yield from _contradiction(source, pyc, by_pyc.get(pyc), bytecode)
    for member in wheel.archive.members:
        path = wheel.importable.get(member)
        if path is not None and pyc_paths.is_cached(path) and member not in expected:
            yield f"provenance does not mention {member}"


def _contradiction(source: str, pyc: str, judged: Judgement | None, bytecode: Bytecode) -> Iterator[str]:
    """Yield where a pyc is not what provenance says; if its header cannot be read, that is a finding."""
    skipped = source in bytecode.skipped
    if bytecode.layout == SOURCELESS and not skipped:
        yield f"provenance says that {pyc} replaces its source, but there is {source}"
    if judged is None:
        if not skipped:
            yield f"provenance says that {source} is byte-compiled, but there is no {pyc}"
        return
    if skipped:
        yield f"provenance says that {source} is not byte-compiled, but there is {pyc}"
    if judged.header is None:
        return
    if judged.header.mode != bytecode.invalidation_mode:
        yield f"provenance says that {pyc} is {bytecode.invalidation_mode}, but it is {judged.header.mode}"
    elif judged.finding.status is Status.EQUIVALENT:
        reasons = ", ".join(judged.finding.reasons)
        yield f"provenance says that detpyc wrote {pyc}, but detpyc writes it differently: {reasons}"
