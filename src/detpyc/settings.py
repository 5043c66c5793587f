"""The settings: a raw table, wherever it came from, made into a frozen, checked object.

Named tuples and imports at use keep the start short, as most runs have no patterns and no mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from detpyc.errors import SettingsError
from detpyc.gitignore import gitignore_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

VARIABLES = "DETPYC_"
FRONTEND = "detpyc."  # stands before the keys among a build frontend's settings

# Settings that environment variables and build frontends give as text, and that are no text: lists, and yes or no.
_LISTS = frozenset({"interpreters", "optimize", "include", "exclude"})
_FLAGS = frozenset({"provenance", "disable"})
# Not settings of a wheel, but variables and frontends may give them as well.
_OTHERS = frozenset({"disable", "jobs"})
_MISSPELT = 0.85  # how near, by difflib's measure: DETPYC_INTERPRETER, DETPYC_OPTIMISE

_NOTHING: Mapping[str, Any] = MappingProxyType({})

OPTIMIZATION_LEVELS = (0, 1, 2)
_LEVELS = {str(level): level for level in OPTIMIZATION_LEVELS}
PYCACHE, SOURCELESS = LAYOUTS = ("pycache", "sourceless")
DEFLATED, STORED = "deflated", "stored"
WHEEL_MODES = ("checked-hash", "unchecked-hash")


class Settings(NamedTuple):
    """What to byte-compile, for which interpreters, and how.

    Attributes:
        interpreters: requests as `detpyc.compilation.interpreters.find_interpreter` takes them; empty means the running
            one.
        optimize: optimization levels, ascending.
        invalidation_mode: ``checked-hash`` or ``unchecked-hash``.
        include: gitignore patterns over paths in the wheel; only sources that match are byte-compiled.
        exclude: gitignore patterns; sources that match are not byte-compiled.
        on_syntax_error: ``fail``, or ``skip`` to leave out sources that do not compile.
        layout: ``pycache``, or ``sourceless`` to put each pyc in the place of its source, for one interpreter.
        compression: ``deflated``, or ``stored`` for bytes that do not depend on a deflate implementation.
        provenance: whether ``detpyc.json`` is put into the ``.dist-info`` directory.

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
        """Check a table, and what goes before it.

        Args:
            table: as TOML gives it.
            location: where it stands, e.g. ``tool.pdm.build.hooks.detpyc``; messages name keys in full.
            reserved: keys that are somebody else's and are passed over.
            modes: the invalidation modes that make sense for what is byte-compiled.
            environment: variables that go before the table, e.g. ``DETPYC_ON_SYNTAX_ERROR``; a list's items are
                separated by commas, and an empty variable is none.
            frontend: what was given to the build frontend as ``detpyc.KEY=VALUE``, by KEY; it goes before both. A list
                is one value with commas, or several.
            names: what messages call keys that the user has written otherwise than in a table, such as ``--include``.

        Returns:
            The settings, with the defaults for what none of them says.

        Raises:
            SettingsError: if anything is wrong; the message tells every mistake.

        """
        if not isinstance(table, Mapping):
            raise SettingsError(f"{location} must be a table, not {_shown(table)}")
        checks = {**_CHECKS, "invalidation-mode": _invalidation_mode(modes)}
        known = {*checks, *_OTHERS}
        problems = [*_misspelt(environment, known), *_unknown(frontend, known, FRONTEND)]
        problems += _unknown((key for key in table if key not in reserved), checks, f"{location}.")
        given = {key: (names.get(key, f"{location}.{key}"), value) for key, value in table.items() if key in checks}
        for key in checks:
            said = _said(key, environment, frontend)
            if said is not None:
                given[key] = said[0], _from_text(key, said[1])
        values: dict[str, Any] = {}
        for key, (name, value) in given.items():
            try:
                values[key.replace("-", "_")] = checks[key](value)
            except ValueError as error:
                problems.append(f"{name} {error}")
        if not problems and values.get("layout") == SOURCELESS:
            problems += (
                f'{given[key][0]} has {len(values[key])} entries, and with layout = "sourceless" there is room for one'
                for key in ("interpreters", "optimize")
                if len(values.get(key, ())) > 1
            )
        if problems:
            raise SettingsError(*problems)
        return cls(**values)


def variable(key: str) -> str:
    """Return the environment variable for a setting."""
    return f"{VARIABLES}{key.upper().replace('-', '_')}"


def disabled(environment: Mapping[str, str], frontend: Mapping[str, Any] = _NOTHING) -> bool:
    """Tell whether builds are not to be byte-compiled: ``DETPYC_DISABLE=1``, or ``detpyc.disable=1``.

    Raises:
        SettingsError: if what is said is neither yes nor no.

    """
    name, text = _said("disable", environment, frontend) or ("", "0")
    try:
        return _flag(_from_text("disable", text))
    except ValueError as error:
        raise SettingsError(f"{name} {error}") from error


def jobs(environment: Mapping[str, str], frontend: Mapping[str, Any] = _NOTHING) -> int | None:
    """Return how many workers are asked for, in ``DETPYC_JOBS`` or as ``detpyc.jobs``; None if it is not said.

    Raises:
        SettingsError: if that is no positive number.

    """
    said = _said("jobs", environment, frontend)
    if said is None:
        return None
    name, text = said
    try:
        return positive(text)
    except ValueError as error:
        raise SettingsError(f"{name} {error}") from error


def positive(text: str) -> int:
    """Read a positive number, of up to nine digits.

    Raises:
        ValueError: if it is none; the message goes on after a name.

    """
    if not re.fullmatch("[1-9][0-9]{,8}", text):
        raise ValueError(f"must be a positive number, not {_shown(text)}")
    return int(text)


def _said(key: str, environment: Mapping[str, str], frontend: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return where outside of the table a setting is given, and the text; None if it is not."""
    if key in frontend:
        value = frontend[key]
        return f"{FRONTEND}{key}", ",".join(map(str, value)) if isinstance(value, list) else str(value)
    name = variable(key)
    return (name, environment[name]) if environment.get(name) else None


def _unknown(keys: Iterable[str], known: Collection[str], prefix: str) -> Iterator[str]:
    """Say which keys are none."""
    for key in keys:
        if key not in known:
            near = _near(key.replace("_", "-").lower(), known)
            meant = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(sorted(known))}"
            yield f"{prefix}{key} is no setting; {meant}"


def _misspelt(environment: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Say which variables are none but look like one; others may be there for other versions, or other uses."""
    variables = [variable(key) for key in known]
    for name in environment:
        if name.startswith(VARIABLES) and name not in variables:
            for near in _near(name, variables, _MISSPELT):
                yield f"{name} is no setting; did you mean {near}?"


def _near(word: str, known: Collection[str], cutoff: float = 0.6) -> list[str]:
    """Return the one that may be meant, if there is one."""
    from difflib import get_close_matches  # noqa: PLC0415 - as in the module's docstring

    return get_close_matches(word, known, n=1, cutoff=cutoff)


def _from_text(key: str, value: str) -> object:
    """Read a setting from text, as environment variables and build frontends give it."""
    if key in _FLAGS:
        return {"1": True, "true": True, "0": False, "false": False}.get(value.lower(), value)
    if key not in _LISTS:
        return value
    items = [item.strip() for item in value.split(",") if item.strip()]
    return [_LEVELS.get(item, item) for item in items] if key == "optimize" else [*items]


def _one_of(*choices: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            expected = " or ".join(f'"{choice}"' for choice in choices)
            raise ValueError(f"must be {expected}, not {_shown(value)}")
        return value

    return check


def _list(value: object) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list, not {_shown(value)}")  # noqa: TRY004 - one kind of error for every mistake
    return list(value)


def _texts(value: object) -> tuple[str, ...]:
    items = _list(value)
    for item in items:
        if not isinstance(item, str) or not item:
            raise ValueError(f"must be a list of non-empty strings, and has {_shown(item)}")
        if not _is_unicode(item):
            raise ValueError(f"must be a list of strings in Unicode, and has {item!a}")
    return tuple(str(item) for item in items)


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written; what the command line gives may hold bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _patterns(value: object) -> tuple[str, ...]:
    patterns = _texts(value)
    try:
        gitignore_spec(patterns)
    except ValueError as error:
        raise ValueError(f"must be a list of gitignore patterns: {error}") from error
    return patterns


def _invalidation_mode(modes: Collection[str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value == "timestamp" and value not in modes:
            raise ValueError('cannot be "timestamp": installers do not keep a source\'s mtime, so it would never load')
        return _one_of(*modes)(value)

    return check


def _interpreters(value: object) -> tuple[str, ...]:
    requests = _texts(value)
    if not requests:
        raise ValueError("is empty; leave it out for the interpreter that runs the build")
    return requests


def _levels(value: object) -> tuple[int, ...]:
    levels = []
    for item in _list(value):
        if type(item) is not int or item not in OPTIMIZATION_LEVELS:
            raise ValueError(f"must be a list of 0, 1 and 2, and has {_shown(item)}")
        levels.append(item)
    if not levels:
        raise ValueError("is empty; leave it out for level 0")
    return tuple(sorted(set(levels)))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {_shown(value)}")  # noqa: TRY004 - as above
    return value


def _shown(value: object) -> str:
    """Show a value as TOML writes it, as far as that is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value)


_CHECKS: dict[str, Callable[[object], Any]] = {
    "interpreters": _interpreters,
    "optimize": _levels,
    "invalidation-mode": _one_of(*WHEEL_MODES),
    "include": _patterns,
    "exclude": _patterns,
    "on-syntax-error": _one_of("fail", "skip"),
    "layout": _one_of(*LAYOUTS),
    "compression": _one_of(DEFLATED, STORED),
    "provenance": _flag,
}
