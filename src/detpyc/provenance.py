"""Provenance: what detpyc records of its work, in ``detpyc.json`` in a wheel's ``.dist-info`` directory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from detpyc import __version__
from detpyc.bytecode.canonical import FORM
from detpyc.bytecode.header import MAGIC_NUMBERS, InvalidationMode
from detpyc.errors import DetpycError
from detpyc.files import open_locked
from detpyc.settings import DEFLATED, LAYOUTS, OPTIMIZATION_LEVELS, PYCACHE, STORED, Settings
from detpyc.wheel.archive import STORED as METHOD_STORED
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

T = TypeVar("T")

FILE_NAME = "detpyc.json"
FORMAT = 1

_MODES = (InvalidationMode.CHECKED_HASH, InvalidationMode.UNCHECKED_HASH)


@dataclass(frozen=True, slots=True)
class Bytecode:
    """The bytecode of one interpreter at one optimization level.

    Attributes:
        release: of the CPython that compiled it, e.g. ``3.12.1``.
        cache_tag: e.g. ``cpython-312``.
        magic_number: e.g. 3531.
        optimize: the level.
        invalidation_mode: ``checked-hash`` or ``unchecked-hash``.
        include: the patterns that chose the sources.
        exclude: likewise.
        skipped: the sources among them that have no bytecode, each with the reason.
        layout: ``pycache`` or ``sourceless``.

    """

    release: str
    cache_tag: str
    magic_number: int
    optimize: int
    invalidation_mode: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    layout: str = PYCACHE

    @property
    def slot(self) -> tuple[str, int]:
        """What tells its files apart from other bytecode's: the cache tag and the level."""
        return self.cache_tag, self.optimize

    @property
    def sort_key(self) -> tuple[tuple[int, int], int]:
        """The order in which it is recorded."""
        return MAGIC_NUMBERS[self.magic_number], self.optimize


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is recorded.

    Attributes:
        bytecode: in the order of releases and levels.

    """

    bytecode: tuple[Bytecode, ...]

    def to_json(self) -> bytes:
        """Write it: sorted keys, no time, no path of the machine."""
        document = {
            "format": FORMAT,
            "detpyc": __version__,
            "canonical-form": FORM,
            "bytecode": [_to_object(each) for each in sorted(self.bytecode, key=lambda each: each.sort_key)],
        }
        return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")

    @classmethod
    def from_json(cls, data: bytes) -> Provenance:
        """Read it.

        Raises:
            DetpycError: if it is malformed, of a later format, or of another canonical form.

        """
        try:
            document = _object(json.loads(data))
            if document.get("format") != FORMAT:
                raise DetpycError(
                    f"{FILE_NAME} is of format {document.get('format')!r} and this detpyc knows {FORMAT};"
                    f" use the detpyc that wrote it, {document.get('detpyc')!r}, or a later one"
                )
            return cls(tuple(_from_object(_object(each)) for each in _list(document["bytecode"])))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DetpycError(f"{FILE_NAME} is malformed: {type(error).__name__}: {error}") from error


def settings_of(path: Path) -> Settings:
    """Return the settings that made a wheel, from what it records of itself.

    Args:
        path: of the wheel.

    Returns:
        The settings, with the interpreters pinned to their releases.

    Raises:
        DetpycError: if the wheel cannot be read, has no provenance, or was made by runs with different settings.

    """
    with open_locked(path) as stream:
        wheel = Wheel.read(path, stream)
        name = f"{wheel.dist_info}/{FILE_NAME}"
        if name not in wheel.archive.members:
            raise DetpycError(f"{path}: has no {FILE_NAME}; it does not say how it was made")
        try:
            recorded = Provenance.from_json(wheel.read_member(name))
        except DetpycError as error:
            raise DetpycError(f"{path}: {error}") from error
        stored = all(member.method == METHOD_STORED for member in wheel.archive.members.values())
    bytecode = recorded.bytecode
    shapes = {(each.invalidation_mode, each.include, each.exclude, each.layout) for each in bytecode}
    levels = {
        each.release: {other.optimize for other in bytecode if other.release == each.release} for each in bytecode
    }
    if len(shapes) != 1 or len({frozenset(each) for each in levels.values()}) != 1:
        raise DetpycError(f"{path}: was made by several runs with different settings, which one run cannot repeat")
    ((mode, include, exclude, layout),) = shapes
    return Settings(
        interpreters=tuple(levels),
        optimize=tuple(sorted(next(iter(levels.values())))),
        invalidation_mode=mode,
        include=include,
        exclude=exclude,
        on_syntax_error="skip" if any(each.skipped for each in bytecode) else "fail",
        layout=layout,
        compression=STORED if stored else DEFLATED,
    )


def _to_object(bytecode: Bytecode) -> dict[str, object]:
    return {
        "release": bytecode.release,
        "cache-tag": bytecode.cache_tag,
        "magic-number": bytecode.magic_number,
        "optimize": bytecode.optimize,
        "invalidation-mode": bytecode.invalidation_mode,
        "include": list(bytecode.include),
        "exclude": list(bytecode.exclude),
        "skipped": bytecode.skipped,
        "layout": bytecode.layout,
    }


def _from_object(value: dict[str, Any]) -> Bytecode:
    magic_number = _known(value["magic-number"], MAGIC_NUMBERS)
    return Bytecode(
        release=_text(value["release"]),
        cache_tag=_text(value["cache-tag"]),
        magic_number=magic_number,
        optimize=_known(value["optimize"], OPTIMIZATION_LEVELS),
        invalidation_mode=_known(value["invalidation-mode"], _MODES),
        include=tuple(_text(each) for each in _list(value["include"])),
        exclude=tuple(_text(each) for each in _list(value["exclude"])),
        skipped={_text(path): _text(reason) for path, reason in _object(value["skipped"]).items()},
        layout=_known(value["layout"], LAYOUTS),
    )


def _known(value: object, known: Collection[T]) -> T:
    """Return the known value that a value is, of the same type."""
    for each in known:
        if type(each) is type(value) and each == value:
            return each
    raise ValueError(f"{value!r} is not one of {', '.join(map(str, known))}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value
