"""The installed view of a wheel: the path that each member gets wherever an installer could put it.

Installers put what is in a wheel's ``.data`` directories elsewhere: beside the other members, or where scripts, headers
and data go (PEP 427; the installation schemes of `sysconfig`). They differ in which ``.data`` directories they know and
in the places: with ``--target``, uv puts data where modules go, and pip does so with data below ``lib/python``. Windows
and macOS map several names to one file. If two members could become one file, what runs may not be what was verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detpyc.file_names import is_short_name
from detpyc.wheel.member_names import Conflict, conflicts, mapped_path
from detpyc.wheel.problems import Rule, limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["InstalledView", "installed_view"]

_CACHE = "__pycache__"
_METADATA, _DATA_DIRECTORY = ".dist-info", ".data"
_ROOT, _DATA, _SCRIPTS, _HEADERS = "root", "data", "scripts", "headers"
_IMPORTABLE = ("purelib", "platlib")
_SCHEMES = {*_IMPORTABLE, _DATA, _SCRIPTS, _HEADERS}
_SITES = {"site-packages", "dist-packages"}
_SCRIPT_DIRECTORIES = ("bin", "scripts")  # on POSIX and on Windows
_CODE = (".py", ".pyc", ".pyd", ".pth", ".pyw", ".so")


class InstalledView(NamedTuple):
    """What installers make of a wheel.

    Attributes:
        importable: the path that each importable member gets in a directory of ``sys.path``, by name. The importable
            roots are the archive's own, without its ``.dist-info`` and ``.data`` directories, and in the latter
            ``purelib`` and ``platlib``.
        problems: why installers, or systems, could make something else of it.

    """

    importable: dict[str, str]
    problems: tuple[str, ...]


class _Place(NamedTuple):
    """Where a member goes.

    Attributes:
        name: of the member.
        scheme: the directory that it goes to.
        path: in there, mapped.
        moved: whether its path in the archive is another.

    """

    name: str
    scheme: str
    path: str
    moved: bool


def installed_view(names: Iterable[str], dist_info: str) -> InstalledView:
    """Return what installers make of a wheel.

    Args:
        names: of its members; they are not malformed.
        dist_info: the name of its ``.dist-info`` directory.

    """
    names = list(names)
    places = [_place(name, mapped_path(name)) for name in names]
    importable = {name: path for name in names if (path := _importable_path(name, dist_info))}
    problems = [problem for place in places if _may_be_wrong(place) for problem in _problems(place)]
    if any(place.moved for place in places):
        problems += map(_conflict_problem, _conflicts(places, dist_info))
    return InstalledView(importable, limited(problems, Rule.INSTALLED_PATH))


def _importable_path(name: str, dist_info: str) -> str:
    top, _, rest = name.partition("/")
    if top == dist_info:
        return ""
    if not top.endswith(_DATA_DIRECTORY):
        return name
    scheme, _, path = rest.partition("/")
    return path if scheme in _IMPORTABLE else ""


def _place(name: str, path: str) -> _Place:
    top, _, rest = path.partition("/")
    if top.endswith(_DATA_DIRECTORY):
        scheme, _, inside = rest.partition("/")
        if inside and scheme in _SCHEMES:
            return _Place(name, _ROOT if scheme in _IMPORTABLE else scheme, inside, moved=True)
    return _Place(name, _ROOT, path, moved=False)


def _may_be_wrong(place: _Place) -> bool:
    """Return whether a member has to be examined by itself: its path has something that `_problems` looks for."""
    path = place.path
    return (
        place.moved
        or ("~" in path or _CACHE in path or ".pyc" in path)
        or (f"{_METADATA}/" in path or f"{_DATA_DIRECTORY}/" in path)
    )


def _problems(place: _Place) -> Iterator[str]:
    """Yield what is wrong with a member by itself."""
    if place.moved or place.path != place.name or "~" in place.name:
        yield from _name_problems(place.name)
    if place.scheme == _ROOT:
        return
    parts = place.path.split("/")
    if place.scheme == _DATA and place.path.endswith(_CODE) and not _SITES.isdisjoint(parts[:-1]):
        yield f"{place.name}: would be installed among the modules, though it is data; only some installers do that"
    elif place.path.endswith(".pyc") and (
        place.scheme in {_SCRIPTS, _HEADERS} or (place.scheme == _DATA and parts[0] in _SCRIPT_DIRECTORIES)
    ):
        yield f"{place.name}: is bytecode where no modules are"


def _name_problems(name: str) -> Iterator[str]:
    """Yield what is wrong with a name, if some system takes it for another one that has a meaning."""
    parts, mapped = name.split("/"), mapped_path(name).split("/")
    last = parts[-1] or parts[-2]
    for part, meaning in zip(parts, mapped, strict=True):
        if part == meaning:
            pass
        elif meaning == _CACHE:
            yield f"{name}: is in a directory that some systems or unpackers take for {_CACHE}"
        elif meaning.endswith(".pyc") and part is last and not part.endswith(".pyc"):
            yield f"{name}: is a name that some systems or unpackers take for that of a pyc, {meaning}"
    if any(map(is_short_name, parts)):
        yield f"{name}: has the form of a short name, by which Windows could know another file"
    if len(parts) > 1:
        for suffix in (_METADATA, _DATA_DIRECTORY):
            if mapped[0].endswith(suffix) and not parts[0].endswith(suffix):
                yield f"{name}: is in a directory that only some systems or unpackers take for a {suffix} directory"
        if mapped[0].endswith(_DATA_DIRECTORY) and mapped[1] in _SCHEMES and parts[1] != mapped[1]:
            yield f"{name}: is in a directory that only some systems or unpackers take for {mapped[1]}"


def _conflicts(places: Iterable[_Place], dist_info: str) -> Iterator[Conflict]:
    """Yield the members of which one could overwrite the other when they are installed."""
    project = mapped_path(dist_info).partition("-")[0]
    own: list[tuple[str, str]] = []  # one path in one scheme, with every installer
    anywhere: list[tuple[str, str]] = []  # one path with some installer
    for place in places:
        own.append((f"{place.scheme}/{place.path}", place.name))
        directory, _, script = place.path.partition("/")
        if place.scheme == _DATA and script and directory in _SCRIPT_DIRECTORIES:
            own.append((f"{_SCRIPTS}/{script}", place.name))
        if place.scheme == _ROOT or place.path.endswith(_CODE):
            anywhere += ((path, place.name) for path in _paths(place, project))
    yield from filter(_of_files, conflicts(own))
    with_bytecode = {_package(path) for path, _ in anywhere if path.endswith(".pyc")}
    for conflict in filter(_of_files, conflicts(anywhere)):
        # Where there is no bytecode, what runs is the source that is installed, whichever that is.
        if _package(conflict.path) in with_bytecode:
            yield conflict


def _of_files(conflict: Conflict) -> bool:
    """Return whether one of the members is a file: directories become one without harm."""
    return not (conflict.name.endswith("/") and conflict.other.endswith("/"))


def _paths(place: _Place, project: str) -> Iterator[str]:
    """Yield the paths that a member could get in a directory of ``sys.path``, or below one for all schemes."""
    path = place.path
    if place.scheme == _SCRIPTS:
        yield from (f"{directory}/{path}" for directory in _SCRIPT_DIRECTORIES)
    elif place.scheme == _HEADERS:
        yield f"include/{path}"
        yield f"include/{project}/{path}"
    else:
        yield path
    if place.scheme == _DATA and path.startswith("lib64/"):  # which is a link to lib in many systems
        path = f"lib/{path.removeprefix('lib64/')}"
        yield path
    if place.scheme == _DATA and path.startswith("lib/python/"):
        yield path.removeprefix("lib/python/")


def _package(path: str) -> str:
    """Return the directory of the modules that a path belongs to."""
    directory = path.rpartition("/")[0]
    return directory.removesuffix(_CACHE).removesuffix("/") if directory.endswith(_CACHE) else directory


def _conflict_problem(conflict: Conflict) -> str:
    if conflict.inside:
        return f"{conflict.other}: would be installed where {conflict.name} needs a directory"
    return f"{conflict.name}: could be installed over {conflict.other}, or the other way round"
