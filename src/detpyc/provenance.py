"""Provenance: what detpyc records of its work, in ``detpyc.json`` in a wheel's ``.dist-info`` directory."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from detpyc import __version__
from detpyc.bytecode.canonical import FORM
from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.errors import DetpycError
from detpyc.settings import DEFLATED, LAYOUTS, OPTIMIZATION_LEVELS, PYCACHE, STORED, WHEEL_MODES

if TYPE_CHECKING:
    from collections.abc import Collection

T = TypeVar("T")

FILE_NAME = "detpyc.json"
FORMAT = 1


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
        compression: ``deflated`` or ``stored``, as the last run was told.
        normalized: whether the last run normalized the archive.
        detpyc: the version that wrote it.

    """

    bytecode: tuple[Bytecode, ...]
    compression: str = DEFLATED
    normalized: bool = False
    detpyc: str = __version__

    def to_json(self) -> bytes:
        """Write it: sorted keys, no time, no path of the machine."""
        document = {
            "format": FORMAT,
            "detpyc": self.detpyc,
            "canonical-form": FORM,
            "archive": {"compression": self.compression, "normalized": self.normalized},
            "bytecode": [_to_object(each) for each in sorted(self.bytecode, key=lambda each: each.sort_key)],
        }
        return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")

    @classmethod
    def from_json(cls, data: bytes) -> Provenance:
        """Read it.

        Raises:
            DetpycError: if it is malformed, of a later format, of another canonical form, or made with settings that
                do not exist.

        """
        try:
            document = _object(json.loads(data))
            if document.get("format") != FORMAT:
                raise DetpycError(
                    f"{FILE_NAME} is of format {document.get('format')!r} and this detpyc knows {FORMAT};"
                    f" use the detpyc that wrote it, {document.get('detpyc')!r}, or a later one"
                )
            if document["canonical-form"] != FORM:
                raise DetpycError(
                    f"{FILE_NAME} tells of bytecode in canonical form {document['canonical-form']!r}, and this detpyc"
                    f" knows {FORM}; use the detpyc that wrote it, {document.get('detpyc')!r}"
                )
            archive = _only(_object(document["archive"]), {"compression", "normalized"})
            return cls(
                tuple(_from_object(_object(each)) for each in _list(document["bytecode"])),
                _known(archive["compression"], (DEFLATED, STORED)),
                _known(archive["normalized"], (True, False)),
                _text(document["detpyc"]),
            )
        except KeyError as error:
            raise DetpycError(f"{FILE_NAME} is malformed: {error} is missing") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise DetpycError(f"{FILE_NAME} is malformed: {error}") from error


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
    major, minor = MAGIC_NUMBERS[magic_number]
    release = _text(value["release"])
    if not re.fullmatch(rf"{major}\.{minor}\.\d+\w*", release, re.ASCII):
        raise ValueError(f"{release!r} is no release of CPython {major}.{minor}")
    found = Bytecode(
        release=release,
        cache_tag=_known(value["cache-tag"], [f"cpython-{major}{minor}"]),
        magic_number=magic_number,
        optimize=_known(value["optimize"], OPTIMIZATION_LEVELS),
        invalidation_mode=_known(value["invalidation-mode"], WHEEL_MODES),
        include=tuple(_text(each) for each in _list(value["include"])),
        exclude=tuple(_text(each) for each in _list(value["exclude"])),
        skipped={_text(path): _text(reason) for path, reason in _object(value["skipped"]).items()},
        layout=_known(value["layout"], LAYOUTS),
    )
    _only(value, _to_object(found))
    return found


def _only(value: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return an object that has no keys but the known ones; with another setting, the bytes would be others."""
    for key in value:
        if key not in known:
            raise ValueError(f"{key!r} is no setting of this detpyc's")
    return value


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
