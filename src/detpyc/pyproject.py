"""The tables of settings in a project's ``pyproject.toml``: which there are, and which of them a build reads.

Each hook reads the table that its build backend provides for it. The others have no effect, and nothing else would say
so. A backend in the source tree may read any table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from detpyc.errors import DetpycError
from detpyc.limits import MAX_PYPROJECT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

__all__ = [
    "HATCH",
    "HATCH_FOR_ALL_TARGETS",
    "PDM",
    "PYPROJECT",
    "RESERVED",
    "WRAPPED",
    "Table",
    "chosen_table",
    "read_pyproject",
    "settings_tables",
    "unread_tables",
]

PYPROJECT = "pyproject.toml"

# The full keys of the tables.
HATCH = "tool.hatch.build.targets.wheel.hooks.detpyc"
HATCH_FOR_ALL_TARGETS = "tool.hatch.build.hooks.detpyc"  # Hatch ignores it for a target that has its own table
PDM = "tool.pdm.build.hooks.detpyc"
WRAPPED = "tool.detpyc"

_OF_HATCH = frozenset({"dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features"})
# The keys that are not settings: those that Hatch reads from the table of every hook, and those of `detpyc.backend`.
RESERVED = {
    HATCH: _OF_HATCH,
    HATCH_FOR_ALL_TARGETS: _OF_HATCH,
    PDM: frozenset[str](),
    WRAPPED: frozenset({"build-backend", "backend-path"}),
}

_WRAPPER = "detpyc.backend"
_TABLES = {"hatchling.build": HATCH, "hatchling.ouroboros": HATCH, "pdm.backend": PDM, _WRAPPER: WRAPPED}
_DEFAULT = "setuptools.build_meta:__legacy__"  # PEP 517: without [build-system] build-backend


class Table(NamedTuple):
    """A table of settings.

    Attributes:
        location: its full key, e.g. ``tool.detpyc``.
        settings: its content without the keys that belong to the backend.

    """

    location: str
    settings: dict[str, Any]


def read_pyproject(path: Path) -> dict[str, Any]:
    """Read a ``pyproject.toml``.

    Raises:
        TooLargeError: if it is larger than `detpyc.limits.MAX_PYPROJECT`.
        DetpycError: if it cannot be read, or is not TOML.

    """
    from detpyc.files import read_file  # noqa: PLC0415 - backends import this module with every hook

    content = read_file(path, MAX_PYPROJECT)
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise DetpycError(f"not valid TOML: {error}", path=path) from error


def settings_tables(document: Mapping[str, Any]) -> list[Table]:
    """Return the tables in which hooks look for settings.

    Args:
        document: a parsed ``pyproject.toml``.

    """
    found = {location: _at(document, location) for location in RESERVED}
    if found[HATCH] is not None:
        del found[HATCH_FOR_ALL_TARGETS]
    return [
        Table(location, {key: value for key, value in values.items() if key not in RESERVED[location]})
        for location, values in found.items()
        if isinstance(values, Mapping)
    ]


def chosen_table(document: Mapping[str, Any]) -> Table:
    """Return the table with a project's settings, whichever backend it is for.

    Args:
        document: a parsed ``pyproject.toml``.

    Raises:
        DetpycError: if there is none, or more than one.

    """
    found = settings_tables(document)
    if len(found) > 1:
        places = ", ".join(f"[{table.location}]" for table in found)
        raise DetpycError(f"has several tables of settings: {places}; keep only the one that the build reads")
    if not found:
        raise DetpycError(f"has no table of settings; add [{HATCH}], [{PDM}] or [{WRAPPED}]")
    return found[0]


def unread_tables(document: Mapping[str, Any], read: Collection[str] = ()) -> dict[str, str]:
    """Return the tables that no build of a project reads.

    Args:
        document: a parsed ``pyproject.toml``.
        read: the full keys of tables that are read in any case.

    Returns:
        A warning for each table, by its full key.

    """
    backends = _backends(document)
    if backends is None:
        return {}
    wanted = {_TABLES[backend] for backend in backends if backend in _TABLES}
    read = {*read, *wanted}
    if HATCH in wanted and _at(document, HATCH) is None:
        read.add(HATCH_FOR_ALL_TARGETS)
    advice = _advice(backends, wanted)
    return {
        location: f"nothing reads [{location}]: {advice}" for location in _locations(document) if location not in read
    }


def _backends(document: Mapping[str, Any]) -> list[str] | None:
    """Return the modules of the build backend and of the one that it wraps; None if one is in the source tree."""
    backends = []
    for location, default in (("build-system", _DEFAULT), (WRAPPED, "")):
        name = _at(document, f"{location}.build-backend") or default
        if not isinstance(name, str) or _at(document, f"{location}.backend-path") is not None:
            return None
        backends.append(name.partition(":")[0])
        if backends != [_WRAPPER]:
            break
    return backends


def _advice(backends: Sequence[str], wanted: Collection[str]) -> str:
    """Return what the build reads instead, or how to have it read something."""
    if wanted:
        return f"the build backend {backends[0]} reads {' and '.join(f'[{location}]' for location in sorted(wanted))}"
    return (
        f'the build backend is {backends[0]}; set build-system.build-backend to "{_WRAPPER}" and'
        f' {WRAPPED}.build-backend to "{backends[0]}", or use `detpyc wheel --pyproject`'
    )


def _locations(document: Mapping[str, Any]) -> list[str]:
    """Return the full key of every table that looks like one of settings."""
    targets = _at(document, "tool.hatch.build.targets")
    names = targets if isinstance(targets, Mapping) else ()
    locations = dict.fromkeys([*RESERVED, *(f"tool.hatch.build.targets.{name}.hooks.detpyc" for name in names)])
    return [location for location in locations if _at(document, location) is not None]


def _at(document: Any, location: str) -> Any:  # noqa: ANN401 - TOML's values have any type
    """Return the value of a full key; None if it is missing, which no value of TOML is."""
    for key in location.split("."):
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
