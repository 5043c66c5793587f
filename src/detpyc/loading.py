"""Which Pythons load which pycs: from a wheel's tag and ``Requires-Python``, and each pyc's place and header.

An installer refuses a wheel whose tag or ``Requires-Python`` does not fit. The import system loads what is installed by
the rules of PEP 3147, PEP 488 and PEP 552.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode.header import InvalidationMode
from detpyc.errors import WheelError
from detpyc.pyc_paths import LEVELS, is_cached, parse
from detpyc.wheel.tags import is_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from packaging.specifiers import SpecifierSet

    from detpyc.bytecode.header import PycHeader
    from detpyc.pyc_paths import PycName

__all__ = ["Audience", "Loader", "Loading", "PlacedPyc", "find_loaders", "name_loaders", "required_python"]

# How `python` is started so that it loads the pycs of a level.
_FLAGS = ("", " -O", " -OO")

# The fields of a METADATA file end at the first empty line; `packaging.metadata` takes longer than all else of a small
# wheel to be imported.
_HEADERS = re.compile(rb"\r?\n\r?\n")
_REQUIRES_PYTHON = re.compile(rb"^requires-python[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)

# The patch releases of a version that Requires-Python is asked about. No version has had more than 24.
_PATCHES = range(100)


class Loader(NamedTuple):
    """What loads pycs.

    Attributes:
        version: of CPython, e.g. ``(3, 12)``.
        level: the optimization level at which it runs; None for any, as what is sourceless is loaded at any.

    """

    version: tuple[int, int]
    level: int | None = 0

    def __str__(self) -> str:
        """Name it, e.g. ``3.12 -OO``."""
        return "{}.{}".format(*self.version) + _FLAGS[self.level or 0]


class PlacedPyc(NamedTuple):
    """A pyc in a wheel or a directory.

    Attributes:
        name: of its member, or its path on disk.
        path: the path by which modules are imported, with ``/`` as separator; None if they are not imported from there.
        header: None if it is not one that a supported CPython reads.
        matches: whether the header matches the source.

    """

    name: str
    path: str | None
    header: PycHeader | None
    matches: bool = True


@dataclass(frozen=True, slots=True)
class Loading:
    """What will be loaded of a wheel or a directory.

    Attributes:
        loaders: by the names of the pycs that are loaded, by what.
        never: by the names of those that no Python ever loads, why.

    """

    loaders: dict[str, Loader] = field(default_factory=dict)
    never: dict[str, str] = field(default_factory=dict)

    @property
    def by(self) -> tuple[str, ...]:
        """The names of all that load some of the pycs."""
        return name_loaders(self.loaders.values())


@dataclass(frozen=True)
class Audience:
    """Who can install a wheel.

    Attributes:
        tag: of the wheel, e.g. ``py3-none-any``.
        requires_python: the specifiers of its ``Requires-Python``; None if it has none.

    """

    tag: str
    requires_python: SpecifierSet | None = None

    @functools.cache  # noqa: B019 - one for each wheel, and as short-lived
    def exclusion(self, version: tuple[int, int]) -> str | None:
        """Return why no CPython of a version can install the wheel; None if one can."""
        if not is_for(self.tag, version):
            return f"no CPython {version[0]}.{version[1]} can install a wheel with the tag {self.tag}"
        specifiers = self.requires_python
        if specifiers is None:
            return None
        releases = ("{}.{}.{}".format(*version, patch) for patch in _PATCHES)
        if any(specifiers.contains(release, prereleases=True) for release in releases):
            return None
        return f"Requires-Python ({specifiers}) excludes CPython {version[0]}.{version[1]}"


def name_loaders(loaders: Iterable[Loader]) -> tuple[str, ...]:
    """Return the names of what loads pycs, each once and in order: ``3.11``, ``3.12``, ``3.12 -OO``."""
    return tuple(map(str, sorted(set(loaders), key=lambda loader: (loader.version, loader.level or 0))))


def required_python(metadata: bytes) -> SpecifierSet | None:
    """Read ``Requires-Python`` from the content of a METADATA file; None if it has none.

    Raises:
        WheelError: if it cannot be read.

    """
    found = _REQUIRES_PYTHON.findall(_HEADERS.split(metadata, maxsplit=1)[0])
    if not found:
        return None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - not every wheel has the field

    try:
        (value,) = found
        text = value.decode("utf-8").strip()
    except ValueError as error:
        raise WheelError("METADATA has more than one Requires-Python, or one that is not UTF-8") from error
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise WheelError(f"METADATA has the Requires-Python {text!r:.100}, which is not a list of versions") from error


def find_loaders(pycs: Iterable[PlacedPyc], sources: Collection[str], audience: Audience | None = None) -> Loading:
    """Return what loads each pyc of a wheel or a directory.

    Whether a pyc is what its source compiles to does not matter.

    Args:
        pycs: all of them.
        sources: the paths by which sources are imported.
        audience: who can install the wheel; None for a directory.

    """
    loaders: dict[str, Loader] = {}
    never: dict[str, str] = {}
    for pyc in pycs:
        found = _loader(pyc, sources, audience)
        if isinstance(found, str):
            never[pyc.name] = found
        else:
            loaders[pyc.name] = found
    return Loading(loaders, never)


def _loader(pyc: PlacedPyc, sources: Collection[str], audience: Audience | None) -> Loader | str:
    """Return what loads a pyc, or why nothing does."""
    if pyc.header is None:
        return "it is not a pyc of a supported CPython"
    if pyc.path is None:
        return "it is not installed where modules are imported from"
    if audience is not None:
        if pyc.header.mode == InvalidationMode.TIMESTAMP and is_cached(pyc.path):
            return "its header has the mtime of its source, and installers do not keep that"
        excluded = audience.exclusion(pyc.header.version)
        if excluded is not None:
            return excluded
    return _loader_once_installed(parse(pyc.path), pyc.header, sources, matches=pyc.matches)


def _loader_once_installed(
    name: PycName, header: PycHeader, sources: Collection[str], *, matches: bool
) -> Loader | str:
    if name.cache_tag is None:
        if name.source in sources:
            return "its source is beside it, and is imported in its place"
        return Loader(header.version, None)
    if name.source not in sources:
        return "its source is missing, and without it no pyc in __pycache__ is loaded"
    if name.cache_tag != "cpython-{}{}".format(*header.version) or name.optimization not in LEVELS:
        return "no CPython looks for a pyc of that name"
    if not matches and header.mode != InvalidationMode.UNCHECKED_HASH:
        return "its header does not match its source, which is compiled instead"
    return Loader(header.version, LEVELS[name.optimization])
