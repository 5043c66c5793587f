"""The settings: check a raw table, the environment and the frontend's settings, and return a frozen object.

Named tuples and imports at use keep the start short, as most runs have no patterns and no mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from detpyc.errors import SettingsError
from detpyc.limits import MAX_MISTAKES, MAX_SHOWN
from detpyc.setting_values import (
    CHECKS,
    DEFLATED,
    FAIL,
    INSTALL,
    LAYOUTS,
    LEVELS,
    ON_MISSING,
    OPTIMIZATION_LEVELS,
    PYCACHE,
    SOURCELESS,
    STORED,
    WHEEL_MODES,
    flag,
    invalidation_mode,
    shortened,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = [
    "DEFLATED",
    "FAIL",
    "FRONTEND",
    "INSTALL",
    "LAYOUTS",
    "ON_MISSING",
    "OPTIMIZATION_LEVELS",
    "PYCACHE",
    "SOURCELESS",
    "STORED",
    "VARIABLES",
    "WHEEL_MODES",
    "Settings",
    "disabled",
    "jobs",
    "positive",
    "variable",
]

VARIABLES = "DETPYC_"
FRONTEND = "detpyc."  # the prefix of the keys among a build frontend's settings

# The types of settings that are not strings, as environment variables and build frontends only have strings.
_LISTS = frozenset({"interpreters", "optimize", "include", "exclude"})
_FLAGS = frozenset({"provenance", "disable", "cache"})
# What variables and frontends may set in addition to the settings of a wheel.
_OTHERS = frozenset({"disable", "jobs"})
# Variables that are not settings of a build.
_CACHE = ("cache-dir", "cache-size")
_MISSPELT = 0.85  # a ratio of difflib's: DETPYC_INTERPRETER, DETPYC_OPTIMISE

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Settings(NamedTuple):
    """What to byte-compile, for which interpreters, and how.

    Attributes:
        interpreters: requests as `detpyc.find_interpreter` takes them; if empty, the running interpreter is used.
        optimize: optimization levels, ascending.
        invalidation_mode: ``checked-hash`` or ``unchecked-hash``.
        include: gitignore patterns over paths in the wheel; only sources that match are byte-compiled.
        exclude: gitignore patterns; sources that match are not byte-compiled.
        on_syntax_error: ``fail``, or ``skip`` to skip sources that do not compile.
        layout: ``pycache``, or ``sourceless`` to replace each source by its pyc, for one interpreter.
        compression: ``deflated``, or ``stored`` for bytes that do not depend on a deflate implementation.
        provenance: whether to record in ``.dist-info/detpyc.json`` what made the bytecode.
        on_missing_interpreter: ``fail``, ``skip`` to do without its bytecode, or ``install`` to have uv install it.
        cache: whether to use the compile cache, which does not change the result. `byte_compile_tree` has an option of
            its own.

    """

    interpreters: tuple[str, ...] = ()
    optimize: tuple[int, ...] = (0,)
    invalidation_mode: str = "checked-hash"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    on_syntax_error: str = "fail"
    layout: str = PYCACHE
    compression: str = DEFLATED
    provenance: bool = True
    on_missing_interpreter: str = FAIL
    cache: bool = False

    @classmethod
    def from_table(
        cls,
        table: Mapping[str, Any],
        location: str,
        reserved: Collection[str] = (),
        modes: Collection[str] = WHEEL_MODES,
        environment: Mapping[str, str] = _NOTHING,
        frontend: Mapping[str, Any] = _NOTHING,
        names: Mapping[str, str] = _NOTHING,
    ) -> Settings:
        """Check a table, the environment and the frontend's settings.

        Args:
            table: a parsed TOML table.
            location: the table's full key, e.g. ``tool.pdm.build.hooks.detpyc``, for messages.
            reserved: keys of the table that belong to somebody else and are ignored.
            modes: the invalidation modes to allow.
            environment: variables that take precedence over the table, e.g. ``DETPYC_ON_SYNTAX_ERROR``. The items of
                a list are separated by commas. An empty variable counts as unset.
            frontend: the settings that the user passes to the build frontend as ``detpyc.KEY=VALUE``, by KEY. They
                take precedence over the environment. A list is one value with commas, or several values.
            names: what messages call a key of the table that the user wrote in another way, such as ``--include``.

        Returns:
            The settings, with the defaults for what is not set.

        Raises:
            SettingsError: if anything is wrong; it lists every mistake, up to `detpyc.limits.MAX_MISTAKES`.

        """
        if not isinstance(table, Mapping):
            raise SettingsError(f"{location} must be a table, not {shown(table)}")
        given = _given(table, location, environment, frontend, names)
        values: dict[str, Any] = {}
        wrong = []
        for key, (name, value) in given.items():
            check = invalidation_mode(modes) if key == "invalidation-mode" else CHECKS[key]
            try:
                values[key.replace("-", "_")] = check(value)
            except ValueError as error:
                wrong.append(f"{name} {error}")
        problems = chain(
            _misspelt(environment),
            _unknown(frontend, {*CHECKS, *_OTHERS}, FRONTEND),
            _unknown((key for key in table if key not in reserved), CHECKS, f"{location}."),
            wrong or _too_many(values, given),
        )
        reported = [*islice(problems, MAX_MISTAKES)]
        if reported:
            raise SettingsError(*reported, *(["there are more mistakes"] if any(problems) else []))
        return cls(**values)


def variable(key: str) -> str:
    """Return the environment variable for a setting."""
    return f"{VARIABLES}{key.upper().replace('-', '_')}"


def disabled(environment: Mapping[str, str], frontend: Mapping[str, Any] = _NOTHING) -> bool:
    """Return whether builds are not byte-compiled: ``DETPYC_DISABLE=1``, or ``detpyc.disable=1``.

    Raises:
        SettingsError: if the value is neither true nor false.

    """
    given = _outside("disable", environment, frontend)
    if given is None:
        return False
    try:
        return flag(_from_text("disable", given.value))
    except ValueError as error:
        raise SettingsError(f"{given.name} {error}") from error


def jobs(environment: Mapping[str, str], frontend: Mapping[str, Any] = _NOTHING) -> int | None:
    """Return the number of workers in ``DETPYC_JOBS`` or ``detpyc.jobs``; None if neither is set.

    Raises:
        SettingsError: if it is not a positive number.

    """
    given = _outside("jobs", environment, frontend)
    if given is None:
        return None
    try:
        return positive(given.value)
    except ValueError as error:
        raise SettingsError(f"{given.name} {error}") from error


def positive(text: str) -> int:
    """Read a positive number of up to nine digits.

    Raises:
        ValueError: if it is not one; the message continues after a name.

    """
    if not re.fullmatch("[1-9][0-9]{,8}", text):
        raise ValueError(f"must be a positive number, not {shown(text)}")
    return int(text)


class _Given(NamedTuple):
    """A value from outside a table, and its name there."""

    name: str
    value: str


def _outside(key: str, environment: Mapping[str, str], frontend: Mapping[str, Any]) -> _Given | None:
    """Return what the frontend or the environment sets a key to; None if neither does."""
    if key in frontend:
        value = frontend[key]
        return _Given(f"{FRONTEND}{key}", ",".join(map(str, value)) if isinstance(value, list) else str(value))
    name = variable(key)
    return _Given(name, environment[name]) if environment.get(name) else None


def _given(
    table: Mapping[str, Any],
    location: str,
    environment: Mapping[str, str],
    frontend: Mapping[str, Any],
    names: Mapping[str, str],
) -> dict[str, tuple[str, object]]:
    """Return, for each key that is set, its name for messages and the value that takes precedence."""
    given = {key: (names.get(key, f"{location}.{key}"), value) for key, value in table.items() if key in CHECKS}
    for key in CHECKS:
        found = _outside(key, environment, frontend)
        if found is not None:
            given[key] = found.name, _from_text(key, found.value)
    return given


def _too_many(values: Mapping[str, Any], given: Mapping[str, tuple[str, object]]) -> Iterator[str]:
    """Yield a problem for each list that is too long for the layout."""
    if values.get("layout") == SOURCELESS:
        for key in ("interpreters", "optimize"):
            if len(values.get(key, ())) > 1:
                yield f'{given[key][0]} has {len(values[key])} entries; layout = "sourceless" takes one'


def _unknown(keys: Iterable[str], known: Collection[str], prefix: str) -> Iterator[str]:
    """Yield a problem for each unknown key."""
    for key in keys:
        if key not in known:
            near = _near(key.replace("_", "-").lower(), known)
            advice = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(sorted(known))}"
            yield f"unknown setting {prefix}{shortened(key)}; {advice}"


def _misspelt(environment: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each variable that is not one but resembles one.

    Others are ignored; they may be for other versions, or other programs.
    """
    variables = [variable(key) for key in (*CHECKS, *_OTHERS, *_CACHE)]
    for name in environment:
        if name.startswith(VARIABLES) and name not in variables:
            for near in _near(name, variables, _MISSPELT):
                yield f"unknown setting {name}; did you mean {near}?"


def _near(word: str, known: Collection[str], cutoff: float = 0.6) -> list[str]:
    """Return the known word that is most similar, if one is similar enough."""
    from difflib import get_close_matches  # noqa: PLC0415 - as in the module's docstring

    return get_close_matches(word, known, n=1, cutoff=cutoff) if len(word) <= MAX_SHOWN else []


def _from_text(key: str, value: str) -> object:
    """Parse the value of an environment variable or of a build frontend's setting."""
    if key in _FLAGS:
        return {"1": True, "true": True, "0": False, "false": False}.get(value.lower(), value)
    if key not in _LISTS:
        return value
    items = [item.strip() for item in value.split(",") if item.strip()]
    return [LEVELS.get(item, item) for item in items] if key == "optimize" else [*items]
