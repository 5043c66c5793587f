"""Read what a wheel contains before it is byte-compiled, the bytecode of earlier runs included."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from detpyc.byte_compile.modules import Module
from detpyc.bytecode.header import PycHeader, source_hash
from detpyc.errors import BytecodeError, DetpycError, SettingsError, WheelError
from detpyc.gitignore import select_bounded
from detpyc.limits import MAX_FILE, MAX_METADATA, MAX_PROVENANCE
from detpyc.provenance import FILE_NAME, Bytecode, Provenance
from detpyc.pyc_paths import is_cached, pyc_name
from detpyc.settings import SOURCELESS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.settings import Settings
    from detpyc.wheel.distribution import Wheel
    from detpyc.wheel.zip_format import Member

__all__ = ["Contents", "EarlierBytecode", "read_contents"]


class EarlierBytecode(NamedTuple):
    """Bytecode that an earlier run recorded.

    Attributes:
        recorded: what it recorded.
        matching: the sources whose pyc is there and matches them, if it was read.
        stale: the sources whose pyc is there and does not match them, if it was read.

    """

    recorded: Bytecode
    matching: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


class Contents(NamedTuple):
    """A wheel before it is byte-compiled.

    Attributes:
        members: its members, by name.
        dist_info: the name of its ``.dist-info`` directory.
        sources: the names of the importable sources.
        modules: those of them that the settings select.
        cached: the names of the pycs in importable ``__pycache__`` directories.
        earlier: the bytecode of earlier runs.
        wheel_file: its WHEEL file; None if there is none.
        metadata: its METADATA file; empty if there is none.
        missing: the interpreters that were missing in earlier runs.

    """

    members: Mapping[str, Member]
    dist_info: str
    sources: tuple[str, ...]
    modules: tuple[Module, ...]
    cached: frozenset[str]
    earlier: tuple[EarlierBytecode, ...]
    wheel_file: bytes | None
    metadata: bytes = b""
    missing: tuple[str, ...] = ()


def read_contents(wheel: Wheel, settings: Settings, chosen: Sequence[Interpreter]) -> Contents:
    """Read what a wheel contains.

    Args:
        wheel: to read.
        settings: of this run.
        chosen: the interpreters of this run, whose earlier pycs are made again.

    Raises:
        WheelError: if the record of earlier runs is malformed, or they removed the sources.
        DetpycError: if a member cannot be read.

    """
    members, importable = wheel.archive.members, wheel.importable
    files = {"WHEEL": MAX_METADATA, "METADATA": MAX_METADATA, FILE_NAME: MAX_PROVENANCE}
    limits = {f"{wheel.dist_info}/{name}": limit for name, limit in files.items()}
    wheel_file, metadata, provenance = (
        wheel.read_member(name, limit) if name in members else None for name, limit in limits.items()
    )
    recorded, missing = ((), ()) if provenance is None else _read_provenance(provenance)
    _require_sources(recorded, settings, chosen)
    cached = frozenset(name for name, path in importable.items() if is_cached(path))
    sources = tuple(name for name, path in importable.items() if path.endswith(".py"))
    read = partial(wheel.read_member, limit=MAX_FILE)
    modules = tuple(
        Module(name, importable[name], members[name].size, partial(read, name)) for name in _selected(sources, settings)
    )
    stays = set() if settings.layout == SOURCELESS or not settings.provenance else cached
    repeated = {(interpreter.cache_tag, level) for interpreter in chosen for level in settings.optimize}
    earlier = tuple(
        EarlierBytecode(bytecode) if bytecode.slot in repeated else _compared(bytecode, sources, stays, read)
        for bytecode in recorded
    )
    return Contents(members, wheel.dist_info, sources, modules, cached, earlier, wheel_file, metadata or b"", missing)


def _selected(sources: Collection[str], settings: Settings) -> list[str]:
    """Return the sources that the patterns select; the patterns may be those of an untrusted wheel (``--like``)."""
    try:
        return select_bounded(sources, settings.include, settings.exclude)
    except ValueError as error:
        raise SettingsError(f"include and exclude have patterns that cannot be applied: {error}") from error


def _read_provenance(content: bytes) -> tuple[tuple[Bytecode, ...], tuple[str, ...]]:
    """Return the bytecode that earlier runs recorded, and the interpreters that were missing."""
    try:
        provenance = Provenance.from_json(content)
    except DetpycError as error:
        raise WheelError(error.reason) from error
    return provenance.bytecode, provenance.missing


def _require_sources(recorded: Iterable[Bytecode], settings: Settings, chosen: Sequence[Interpreter]) -> None:
    """Refuse a wheel without sources, unless the result is what it is already."""
    wanted = [(interpreter.release, level) for interpreter in chosen for level in settings.optimize]
    for bytecode in recorded:
        same = settings.layout == SOURCELESS and wanted == [(bytecode.release, bytecode.optimize)]
        if bytecode.layout == SOURCELESS and not same:
            raise WheelError(
                f"has no sources any more: it was made sourceless for CPython {bytecode.release}, level"
                f" {bytecode.optimize}; start from the wheel that has them"
            )


def _compared(
    bytecode: Bytecode, sources: Iterable[str], pycs: Collection[str], read: Callable[[str], bytes]
) -> EarlierBytecode:
    """Compare the pycs of an earlier run with their sources.

    Args:
        bytecode: what the run recorded.
        sources: the names of the sources.
        pycs: the names of the pycs that could stay.
        read: returns the content of a member.

    """
    matching: list[str] = []
    stale: list[str] = []
    for source in sources:
        pyc = pyc_name(source, *bytecode.slot)
        if pyc in pycs:
            (matching if _matches(bytecode, read(pyc), read(source)) else stale).append(source)
    return EarlierBytecode(bytecode, tuple(matching), tuple(stale))


def _matches(bytecode: Bytecode, pyc: bytes, source: bytes) -> bool:
    """Return whether the header of a pyc is what a run recorded, and has the hash of its source."""
    try:
        header = PycHeader.parse(pyc)
    except BytecodeError:
        return False
    expected = source_hash(source, bytecode.magic_number)
    found = header.magic_number, header.mode, header.source_hash
    return found == (bytecode.magic_number, bytecode.invalidation_mode, expected)
