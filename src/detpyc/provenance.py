"""Provenance: what detpyc records about its work, in ``detpyc.json`` in a wheel's ``.dist-info`` directory."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from detpyc import __version__
from detpyc.bytecode.header import FORM, MAGIC_NUMBERS
from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_PROVENANCE, MAX_SHOWN
from detpyc.settings import DEFLATED, LAYOUTS, OPTIMIZATION_LEVELS, PYCACHE, STORED, WHEEL_MODES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["COMPRESSIONS", "FILE_NAME", "FORMAT", "Bytecode", "Provenance"]

T = TypeVar("T")

FILE_NAME = "detpyc.json"
FORMAT = 1
COMPRESSIONS = (DEFLATED, STORED)
_NONE: Mapping[str, str] = MappingProxyType({})


class Bytecode(NamedTuple):
    """The bytecode of one interpreter at one optimization level.

    Attributes:
        release: the release of the CPython that compiled it, e.g. ``3.12.1``.
        cache_tag: e.g. ``cpython-312``.
        magic_number: e.g. 3531.
        optimize: the level.
        invalidation_mode: ``checked-hash`` or ``unchecked-hash``.
        include: the patterns that sources had to match; if empty, all did.
        exclude: the patterns that sources had not to match.
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
    skipped: Mapping[str, str] = _NONE
    layout: str = PYCACHE

    @property
    def slot(self) -> tuple[str, int]:
        """The cache tag and the level, which distinguish the names of its pycs from others."""
        return self.cache_tag, self.optimize

    @property
    def sort_key(self) -> tuple[tuple[int, int], int]:
        """The key that orders bytecode in the file: the version of CPython, and the level."""
        return MAGIC_NUMBERS[self.magic_number], self.optimize


class Provenance(NamedTuple):
    """The content of ``detpyc.json``.

    Attributes:
        bytecode: in the order of versions and levels.
        compression: ``deflated`` or ``stored``, the setting of the last run.
        normalized: whether the last run normalized the archive.
        detpyc: the version of detpyc that wrote it.
        missing: the releases of CPython that were requested and skipped because they were missing.

    """

    bytecode: tuple[Bytecode, ...]
    compression: str = DEFLATED
    normalized: bool = False
    detpyc: str = __version__
    missing: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Encode it, with sorted keys, and without a time or a path of the machine.

        Raises:
            TooLargeError: if the result is so large that `from_json` refuses it.

        """
        document: dict[str, object] = {
            "format": FORMAT,
            "detpyc": self.detpyc,
            "canonical-form": FORM,
            "archive": {"compression": self.compression, "normalized": self.normalized},
            "bytecode": [_to_object(entry) for entry in sorted(self.bytecode, key=lambda entry: entry.sort_key)],
        }
        if self.missing:
            document["missing"] = sorted(self.missing)
        encoded = (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
        _check_size(encoded)
        return encoded

    @classmethod
    def from_json(cls, data: bytes) -> Provenance:
        """Decode it.

        Raises:
            DetpycError: if it is malformed, has another format or canonical form, or unknown settings.
            TooLargeError: if it is larger than `detpyc.limits.MAX_PROVENANCE`.

        """
        _check_size(data)
        try:
            document = _object(json.loads(data.decode("utf-8")))
            _check_versions(document)
            archive = _only(_object(document["archive"]), {"compression", "normalized"})
            bytecode = tuple(_from_object(_object(entry)) for entry in _list(document["bytecode"]))
            if len({entry.slot for entry in bytecode}) < len(bytecode):
                raise ValueError("it describes the same pycs twice")
            return cls(
                bytecode,
                _known(archive["compression"], COMPRESSIONS),
                _known(archive["normalized"], (True, False)),
                _version(document["detpyc"]),
                tuple(_release(entry) for entry in _list(document.get("missing", []))),
            )
        except KeyError as error:
            raise DetpycError(f"{FILE_NAME} is malformed: {error} is missing") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise DetpycError(f"{FILE_NAME} is malformed: {error}") from error


def _check_size(data: bytes) -> None:
    if len(data) > MAX_PROVENANCE:
        raise TooLargeError(f"{FILE_NAME} has {len(data)} bytes; the limit is {MAX_PROVENANCE}")


def _check_versions(document: dict[str, Any]) -> None:
    """Refuse a document of another format, or one that describes another canonical form.

    Raises:
        DetpycError: if it is such a document.
        KeyError: if it does not name its canonical form.

    """
    if document.get("format") != FORMAT:
        raise DetpycError(
            f"{FILE_NAME} has format {_shown(document.get('format'))}, and this version of detpyc reads {FORMAT};"
            f" use the version that wrote it, {_shown(document.get('detpyc'))}, or a later one"
        )
    if document["canonical-form"] != FORM:
        raise DetpycError(
            f"{FILE_NAME} describes bytecode in canonical form {_shown(document['canonical-form'])}, and this version"
            f" of detpyc writes form {FORM}; use the version that wrote it, {_shown(document.get('detpyc'))}"
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
        "skipped": dict(bytecode.skipped),
        "layout": bytecode.layout,
    }


def _from_object(value: dict[str, Any]) -> Bytecode:
    magic_number = _known(value["magic-number"], MAGIC_NUMBERS)
    major, minor = MAGIC_NUMBERS[magic_number]
    release = _string(value["release"])
    if not re.fullmatch(rf"{major}\.{minor}\.\d{{1,3}}\w{{,6}}", release, re.ASCII):
        raise ValueError(f"{_shown(release)} is not a release of CPython {major}.{minor}")
    found = Bytecode(
        release=release,
        cache_tag=_known(value["cache-tag"], [f"cpython-{major}{minor}"]),
        magic_number=magic_number,
        optimize=_known(value["optimize"], OPTIMIZATION_LEVELS),
        invalidation_mode=_known(value["invalidation-mode"], WHEEL_MODES),
        include=tuple(_string(pattern) for pattern in _list(value["include"])),
        exclude=tuple(_string(pattern) for pattern in _list(value["exclude"])),
        skipped={_string(path): _string(reason) for path, reason in _object(value["skipped"]).items()},
        layout=_known(value["layout"], LAYOUTS),
    )
    _only(value, _to_object(found))
    return found


def _only(value: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return an object that has only known keys; another setting could have shaped the bytes."""
    for key in value:
        if key not in known:
            raise ValueError(f"unknown setting {_shown(key)}")
    return value


def _known(value: object, known: Collection[T]) -> T:
    """Return the known value that equals a value and has the same type."""
    for candidate in known:
        if type(candidate) is type(value) and candidate == value:
            return candidate
    raise ValueError(f"{_shown(value)} is not one of {', '.join(map(str, known))}")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} is not a string")
    value.encode("utf-8")  # a UnicodeEncodeError, which is a ValueError, for a lone surrogate
    return value


def _release(value: object) -> str:
    release = _string(value)
    if not re.fullmatch(r"3\.\d+(\.\d+\w*)?", release, re.ASCII):
        raise ValueError(f"{_shown(release)} is not a release of CPython")
    return release


def _version(value: object) -> str:
    version = _string(value)
    if len(version) > MAX_SHOWN:
        raise ValueError(f"{_shown(version)} is not a version")
    return version


def _shown(value: object) -> str:
    """Format a value for a message."""
    return f"{value!r:.{MAX_SHOWN}}"


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{_shown(value)} is not a list")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{_shown(value)} is not an object")
    return value
