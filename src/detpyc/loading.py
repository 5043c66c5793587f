"""Which pycs Python loads, by the rules of the finder that meets them.

The path finder imports from directories: PEP 3147, PEP 488, PEP 552, and `importlib.machinery.FileFinder` and
``SourceFileLoader`` in ``Lib/importlib/_bootstrap_external.py``. `zipimport` imports from ZIP files; its rules for pycs
are the same in CPython 3.8 to 3.15, but it reads more archives since 3.13, and finds more packages since 3.14.
Installers, and programs that unpack without restoring times, make directories in which no mtime in a header matches.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode.header import InvalidationMode
from detpyc.pyc_paths import LEVELS, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from detpyc.audience import Audience
    from detpyc.bytecode.header import PycHeader
    from detpyc.pyc_paths import PycName

__all__ = ["Finder", "Loader", "Loading", "PlacedPyc", "Surroundings", "extension_modules", "find_loaders"]

# How `python` is started so that it loads the pycs of a level.
_FLAGS = ("", " -O", " -OO")

_INIT = "__init__"
_IMPLICIT_SINCE = (3, 14)  # whose zipimport finds namespace packages that have no entry (CPython's issue 121735)
_ZIP_SLACK = 1  # second; `zipimport._eq_mtime`
_ZIP_EPOCH, _DAY = 315_532_800, 86_400  # 1980-01-01, which builders write for every file; in seconds
_U32 = 0xFFFFFFFF
# The suffixes for the stable ABI, by the version that they are known since; those of 3.13 and 3.14 with an architecture
# are Debian's. 3.15 also loads what is for free-threaded builds (PEP 803).
_STABLE_ABI = (((3, 15), r"abi3t?(-[\w-]+)?"), ((3, 13), r"abi3(-[\w-]+)?"), ((3, 0), "abi3"))

_NO_EXTENSIONS: Mapping[str, Collection[str]] = MappingProxyType({})

_NOT_KEPT = "its header has the mtime of its source, and installers do not keep that"
_EPOCH = "its header has the mtime of its source, and the archive dates the source 1980-01-01"
_OTHER_MTIME = "its header has the mtime of its source, and the archive has another time for the source"
_STALE = "its header does not match its source, which is compiled instead"
_BESIDE = "its source is beside it, and is imported in its place"
_PACKAGE = "a package of its name is beside it, and is imported in its place"
_NOT_LISTED = "its package has neither __init__.py nor an entry in the archive, and zipimport does not find it"
_MODULE = "a module with the name of its package is beside that, and is imported in its place"
_EXTENSION = "an extension module is beside it, and is imported in its place"


class Finder(str, Enum):
    """What finds modules in an artifact: the path finder in a directory, or `zipimport`.

    INSTALLED is a directory that was unpacked without the times of the files, as installers do.
    """

    DIRECTORY = "directory"
    ZIP = "zip"
    INSTALLED = "installed"


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
    """A pyc in an artifact.

    Attributes:
        name: of its member, or its path on disk.
        path: the path by which modules are imported, with ``/`` as separator; None if they are not imported from there.
        header: None if it is not one that a supported CPython reads.
        matches: whether the header matches the source.
        unpacked: the mtime that the source has once it is unpacked; None if `matches` includes it.
        zipped: the mtime that the source has for `zipimport`; None if it has none.

    """

    name: str
    path: str | None
    header: PycHeader | None
    matches: bool = True
    unpacked: int | None = None
    zipped: int | None = None


class Surroundings(NamedTuple):
    """What is around the pycs of an artifact.

    Attributes:
        is_file: whether a path by which something is imported is that of a file.
        extensions: by the paths of modules, without suffixes, the suffixes of their extension modules.
        finders: what imports from it; a pyc is loaded if one of them loads it.
        audience: who can install it, if it is a wheel.
        windows: whether it is for Windows, where extension modules have other suffixes.
        is_listed: whether an archive has an entry for a directory, which it need not have.
        zip_since: the first version whose `zipimport` reads the archive.

    """

    is_file: Callable[[str], bool]
    extensions: Mapping[str, Collection[str]] = _NO_EXTENSIONS
    finders: tuple[Finder, ...] = (Finder.DIRECTORY,)
    audience: Audience | None = None
    windows: bool = False
    is_listed: Callable[[str], bool] = lambda _: True
    zip_since: tuple[int, int] = (3, 8)


class Loading(NamedTuple):
    """What is loaded of an artifact.

    Attributes:
        loaders: by the names of the pycs that are loaded, by what.
        never: by the names of those that no Python ever loads, why.

    """

    loaders: dict[str, Loader]
    never: dict[str, str]

    @property
    def by(self) -> tuple[str, ...]:
        """The names of all that load some of the pycs."""
        return name_loaders(self.loaders.values())

    def narrowed(self, versions: Collection[tuple[int, int]], levels: Collection[int]) -> Loading:
        """Return what some versions load, running at some levels; without any, all do."""
        loaders: dict[str, Loader] = {}
        never = dict(self.never)
        for name, loader in self.loaders.items():
            if versions and loader.version not in versions:
                never[name] = "its magic number is that of CPython {}.{}".format(*loader.version)
            elif levels and loader.level is not None and loader.level not in levels:
                never[name] = f"its name is for optimization level {loader.level}"
            else:
                loaders[name] = loader
        return Loading(loaders, never)


def name_loaders(loaders: Iterable[Loader]) -> tuple[str, ...]:
    """Return the names of what loads pycs, each once and in order: ``3.11``, ``3.12``, ``3.12 -OO``."""
    ordered = sorted(set(loaders), key=lambda loader: (loader.version, loader.level or 0))
    return tuple(dict.fromkeys(map(str, ordered)))


def extension_modules(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the suffixes of extension modules, by the paths of the modules without suffixes."""
    found: dict[str, set[str]] = {}
    for path in paths:
        if path.endswith((".so", ".pyd")):
            directory, separator, name = path.rpartition("/")
            module, _, suffix = name.partition(".")
            found.setdefault(f"{directory}{separator}{module}", set()).add(suffix)
    return found


def find_loaders(pycs: Iterable[PlacedPyc], around: Surroundings) -> Loading:
    """Return what loads each pyc of an artifact.

    Whether a pyc is what its source compiles to does not matter.

    Args:
        pycs: all of them.
        around: what is around them.

    """
    loaders: dict[str, Loader] = {}
    never: dict[str, str] = {}
    for pyc in pycs:
        found = _loader(pyc, around)
        if isinstance(found, str):
            never[pyc.name] = found
        else:
            loaders[pyc.name] = found
    return Loading(loaders, never)


def _loader(pyc: PlacedPyc, around: Surroundings) -> Loader | str:
    """Return what loads a pyc, or why nothing does."""
    if pyc.header is None:
        return "it is not a pyc of a supported CPython"
    if pyc.path is None:
        return "it is not installed where modules are imported from"
    if around.audience is not None:
        excluded = around.audience.exclusion(pyc.header.version)
        if excluded is not None:
            return excluded
    reasons: list[str] = []
    name = parse(pyc.path)
    for finder in around.finders:
        judge = _by_zipimport if finder is Finder.ZIP else _by_path_finder
        reason = judge(pyc, name, pyc.header, finder, around)
        if reason is None:
            return Loader(pyc.header.version, None if name.cache_tag is None else LEVELS[name.optimization])
        reasons.append(reason)
    return reasons[0]


def _by_path_finder(
    pyc: PlacedPyc, name: PycName, header: PycHeader, finder: Finder, around: Surroundings
) -> str | None:
    """Return why the path finder does not load a pyc; None if it does."""
    has_source = around.is_file(name.source)
    if name.cache_tag is None:
        return _BESIDE if has_source else _replaced(name, header, around)
    if not has_source:
        return "its source is missing, and without it no pyc in __pycache__ is loaded"
    if name.cache_tag != "cpython-{}{}".format(*header.version) or name.optimization not in LEVELS:
        return "no CPython looks for a pyc of that name"
    return _replaced(name, header, around) or _outdated(pyc, header, finder)


def _outdated(pyc: PlacedPyc, header: PycHeader, finder: Finder) -> str | None:
    """Return why the header of a pyc keeps it from being loaded in place of its source; None if it does not."""
    if header.mode == InvalidationMode.TIMESTAMP:
        if finder is Finder.INSTALLED:
            return _NOT_KEPT
        kept = pyc.unpacked is None or header.mtime == pyc.unpacked & _U32
        return _mtime_reason(pyc.unpacked or 0) if not kept else None if pyc.matches else _STALE
    return None if pyc.matches or header.mode == InvalidationMode.UNCHECKED_HASH else _STALE


def _mtime_reason(mtime: int) -> str:
    return _EPOCH if abs(mtime - _ZIP_EPOCH) <= _DAY else _OTHER_MTIME


def _by_zipimport(pyc: PlacedPyc, name: PycName, header: PycHeader, _: Finder, around: Surroundings) -> str | None:
    """Return why `zipimport` does not load a pyc; None if it does.

    It reads the pyc beside a source, at any optimization level (``_unmarshal_code`` and ``_zip_searchorder``).
    """
    unreachable = _unreachable(name, header, around)
    if unreachable is not None:
        return unreachable
    if _is_package(name, around):
        return _PACKAGE
    if not around.is_file(name.source):
        return None
    if header.mode == InvalidationMode.TIMESTAMP:
        mtime = pyc.zipped or 0
        if abs((header.mtime or 0) - mtime) > _ZIP_SLACK:
            return _mtime_reason(mtime)
    return None if pyc.matches or header.mode == InvalidationMode.UNCHECKED_HASH else _STALE


def _unreachable(name: PycName, header: PycHeader, around: Surroundings) -> str | None:
    """Return why `zipimport` never comes to where a pyc is; None if it does."""
    if name.cache_tag is not None:
        return "zipimport does not look into __pycache__"
    if header.version < around.zip_since:
        return "zipimport does not read ZIP64 archives before CPython {}.{}".format(*around.zip_since)
    parents = [*_parents(name.source)]
    if header.version < _IMPLICIT_SINCE and not all(_is_found(parent, around) for parent in parents):
        return _NOT_LISTED
    modules = (_is_file(parent, around) and not _is_file(f"{parent}/{_INIT}", around) for parent in parents)
    return _MODULE if any(modules) else None


def _parents(path: str) -> Iterator[str]:
    """Yield the directories above a file."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _is_found(directory: str, around: Surroundings) -> bool:
    """Return whether `zipimport` finds a package: one with a module, or a namespace package that the archive lists."""
    return _is_file(f"{directory}/{_INIT}", around) or around.is_listed(directory)


def _is_module(directory: str, header: PycHeader, around: Surroundings) -> bool:
    """Return whether the path finder finds a module before a directory of its name, which has no ``__init__`` then."""
    if _is_file(f"{directory}/{_INIT}", around) or _has_extension(f"{directory}/{_INIT}", header, around):
        return False
    return _is_file(directory, around) or _has_extension(directory, header, around)


def _is_file(module: str, around: Surroundings) -> bool:
    return around.is_file(f"{module}.py") or around.is_file(f"{module}.pyc")


def _replaced(name: PycName, header: PycHeader, around: Surroundings) -> str | None:
    """Return what the path finder finds before a source or a sourceless pyc; None if there is nothing."""
    if around.audience is not None and any(_is_module(parent, header, around) for parent in _parents(name.source)):
        return _MODULE  # elsewhere, the directory may be on sys.path itself
    module = name.source.removesuffix(".py")
    if _is_package(name, around) or _has_extension(f"{module}/{_INIT}", header, around):
        return _PACKAGE
    return _EXTENSION if _has_extension(module, header, around) else None


def _is_package(name: PycName, around: Surroundings) -> bool:
    return _is_file(f"{name.source.removesuffix('.py')}/{_INIT}", around)


def _has_extension(module: str, header: PycHeader, around: Surroundings) -> bool:
    suffixes = around.extensions.get(module)
    if suffixes is None:
        return False
    pattern = _extension_suffix(header.version, windows=around.windows)
    return any(map(pattern.fullmatch, suffixes))


@functools.cache
def _extension_suffix(version: tuple[int, int], *, windows: bool) -> re.Pattern[str]:
    """Return a pattern for `importlib.machinery.EXTENSION_SUFFIXES` of a version, on whichever architecture."""
    number = "{}{}".format(*version)
    stable = next(suffix for since, suffix in _STABLE_ABI if version >= since)
    return re.compile(rf"(cp{number}-\w+\.)?pyd" if windows else rf"(cpython-{number}-[\w-]+\.|{stable}\.)?so")
