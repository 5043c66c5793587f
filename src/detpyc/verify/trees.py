"""Find every file in an artifact that some system could load as bytecode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from detpyc.artifacts.entries import EXECUTABLE, Kind
from detpyc.errors import DetpycError, TooLargeError
from detpyc.file_names import is_short_name, mapped_name
from detpyc.limits import MAX_DIRECTORIES, MAX_PATH_FILE, MAX_PYCS
from detpyc.provenance import FILE_NAME
from detpyc.pyc_paths import CACHE
from detpyc.verify.disguises import disguise, may_be_run
from detpyc.verify.path_files import PATH_FILES, added_paths
from detpyc.wheel.problems import Problem, Rule, under_rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from detpyc.artifacts.entries import Artifact, Entry

_MODULES = (".py", ".pyc")
_SHORT = 8  # characters; longer names have short ones as well
_EXTENSIONS = (".so", ".pyd")
_WANTED = (*_MODULES, *PATH_FILES, CACHE, FILE_NAME)


@dataclass(slots=True)
class Tree:
    """What is in an artifact. Paths are those of its entries.

    Attributes:
        pycs: the paths of what is named like a pyc, in order: those in a directory before those below it.
        sources: the paths of what is named like a source.
        extensions: the paths of what is named like an extension module.
        documents: the paths of provenance documents.
        suspects: the paths of files that may be run, and could be bytecode that is not named like it.
        problems: what could be loaded as bytecode, and cannot be judged.

    """

    pycs: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory that is to be scanned.

    Attributes:
        path: by which Python would reach it.
        real: the same without links.
        parent: the real path of the directory that its path is in.
        mapped: the path as systems map names.

    """

    path: str
    real: str
    parent: str
    mapped: str

    @property
    def key(self) -> tuple[str, str]:
        """What verdicts on its files depend on: the directory, and for a ``__pycache__`` where its sources are."""
        return self.real, self.parent if self.path.rpartition("/")[2] == CACHE else ""


class _Item(NamedTuple):
    """What matters in a directory.

    Attributes:
        entry: as the directory has it.
        mapped: the name as systems map it.
        is_directory: whether it is one, or leads to one.
        is_link: whether it leads elsewhere.
        is_suspect: whether it may be run, or be read as bytecode by some system.

    """

    entry: Entry
    mapped: str
    is_directory: bool
    is_link: bool
    is_suspect: bool


def scan(artifact: Artifact) -> Tree:
    """Scan an artifact.

    Links are followed, as Python does. A directory that is reached by several paths is scanned once, under its own path
    if that is in the artifact, as the verdicts are the same.

    Raises:
        TooLargeError: if there are more directories or pycs than `limits` allows.
        DetpycError: if a directory cannot be read.

    """
    found = Tree(problems=[*artifact.problems])
    root = artifact.root
    pending = [_Directory(root, artifact.real(root), "", "")]
    links: list[_Directory] = []  # scanned last
    seen: set[tuple[str, str]] = set()
    twins: dict[str, list[str]] = {}
    while pending or links:
        directory = pending.pop() if pending else links.pop(0)
        if directory.key in seen:
            continue
        seen.add(directory.key)
        if len(seen) > MAX_DIRECTORIES:
            raise TooLargeError(
                f"has more than {MAX_DIRECTORIES} directories, and no more are read", path=artifact.path
            )
        twins.setdefault(directory.mapped, []).append(directory.path)
        _scan_directory(artifact, directory, found, pending, links)
        if max(len(found.pycs), len(found.suspects)) > MAX_PYCS:
            raise TooLargeError(f"has more than {MAX_PYCS} pycs or programs, and no more are read", path=artifact.path)
    for directories in twins.values():
        if len(directories) > 1:
            both = (_items(artifact, directory) for directory in directories)
            found.problems += under_rule(Rule.NAME, _twins(artifact, both))
    _add_files_on_path(artifact, found)
    found.pycs.sort(key=_order)
    found.sources.sort(key=_order)
    found.documents.sort()
    found.problems = sorted(set(found.problems))
    return found


def _scan_directory(
    artifact: Artifact, directory: _Directory, found: Tree, pending: list[_Directory], links: list[_Directory]
) -> None:
    """Add what is in one directory to what was found, and the directories in it to those that are to be scanned."""
    items = _items(artifact, directory.path)
    found.problems += under_rule(Rule.NAME, (*_twins(artifact, [items]), *_short_names(artifact, items)))
    for item in items:
        path, name = item.entry.path, item.entry.name
        if item.is_directory:
            real = artifact.real(path) if item.is_link else _joined(directory.real, name)
            child = _Directory(path, real, directory.real, f"{directory.mapped}/{item.mapped}")
            (links if item.is_link else pending).append(child)
        elif name.endswith(".pyc"):
            found.pycs.append(path)
        elif name == FILE_NAME:
            found.documents.append(path)
        else:
            if name.endswith(_EXTENSIONS):
                found.extensions.append(path)
            if name.endswith(".py"):
                found.sources.append(path)
            if item.is_suspect:
                found.suspects.append(path)
        problem = _problem(item)
        if problem is not None:
            found.problems.append(Problem(f"{artifact.shown(path)}: {problem}", Rule.NAME))


def _add_files_on_path(artifact: Artifact, found: Tree) -> None:
    """Add the files in an artifact that its ``.pth`` files put on ``sys.path``."""
    root = artifact.real(artifact.root)
    inside = root and f"{root.rstrip('/')}/"
    suspects = dict.fromkeys(found.suspects)
    for path_file in found.suspects:
        if not path_file.endswith(PATH_FILES) or not artifact.is_file(path_file):
            continue
        try:
            content = artifact.read(path_file, MAX_PATH_FILE)
        except DetpycError as error:
            found.problems.append(Problem(f"{artifact.shown(path_file)}: {error.reason}", Rule.CONTENT))
            continue
        for path in added_paths(path_file, content):
            if artifact.is_file(path) and not path.endswith(".pyc") and artifact.real(path).startswith(inside):
                suspects[path] = None
    found.suspects = [*suspects]


def _joined(directory: str, name: str) -> str:
    return f"{directory.rstrip('/')}/{name}" if directory else name


def _problem(item: _Item) -> str | None:
    """Return how a file or a directory could hide bytecode by its name, or despite its name."""
    name, mapped = item.entry.name, item.mapped
    if name.endswith(".pyc"):
        return None
    if mapped.endswith(".pyc") and not item.is_directory:
        return f"some systems or unpackers read it as {mapped}"
    if mapped == CACHE and name != CACHE:
        return f"some systems or unpackers read it as {CACHE}"
    if mapped == CACHE and item.is_link and not item.is_directory:
        return "the link does not lead to a directory"
    return None


def tree_disguises(artifact: Artifact, suspects: Iterable[str], compiled: Collection[str | None]) -> Iterator[Problem]:
    """Yield the problems of files that contain bytecode, or could, and are not named like pycs.

    Args:
        artifact: that they are in.
        suspects: the paths of the files.
        compiled: the paths of sources that are known to compile, and so are not bytecode.

    """
    for suspect in suspects:
        if suspect not in compiled:
            problem = _disguise(artifact, suspect)
            if problem is not None:
                yield problem


def _disguise(artifact: Artifact, suspect: str) -> Problem | None:
    shown = artifact.shown(suspect)
    try:
        with artifact.open_ends(suspect) as stream:
            problem = disguise(suspect.rpartition("/")[2], stream)
    except DetpycError as error:
        # What is not a regular file, or leads nowhere, cannot be run. Other programs may be able to read what is one.
        unreadable = Problem(f"{shown}: {error.reason}; it could be bytecode", Rule.CONTENT)
        return unreadable if artifact.is_file(suspect) else None
    return None if problem is None else Problem(f"{shown}: {problem}", Rule.DISGUISE)


def _twins(artifact: Artifact, listings: Iterable[list[_Item]]) -> Iterator[str]:
    """Yield the problems of modules that some systems take for one: in one directory, or in several of one name."""
    modules: dict[str, str] = {}
    for item in (item for listing in listings for item in listing):
        path, mapped = item.entry.path, item.mapped
        twin = modules.setdefault(mapped, path) if mapped.endswith(_MODULES) else path
        if twin != path:
            yield f"{artifact.shown(path)}: some systems or unpackers read it as {artifact.shown(twin)}"


def _short_names(artifact: Artifact, items: list[_Item]) -> Iterator[str]:
    """Yield the problems of modules and directories that Windows could take for others with longer names."""
    for item in items:
        name, mapped = item.entry.name, item.mapped
        if is_short_name(name) and (mapped.endswith(_MODULES) or item.is_directory):
            # Of a long name, two characters stay if there are many that are alike.
            longer = next((other.entry.name for other in items if _is_long_name(other.entry.name, mapped[:2])), None)
            if longer is not None:
                yield f"{artifact.shown(item.entry.path)}: Windows can read it as {longer}"


def _is_long_name(name: str, start: str) -> bool:
    return len(name) > _SHORT and mapped_name(name).startswith(start) and not is_short_name(name)


def _items(artifact: Artifact, directory: str) -> list[_Item]:
    """Return what matters in a directory, by name."""
    found: list[_Item] = []
    for entry in artifact.listing(directory):
        mapped = mapped_name(entry.name)
        is_link = entry.kind is Kind.LINK
        leads_to = artifact.find(entry.path) if is_link else entry
        is_directory = leads_to is not None and leads_to.kind is Kind.DIRECTORY
        is_suspect = mapped.endswith(_WANTED) or (leads_to is not None and _may_be_run(leads_to, mapped))
        if is_suspect or is_directory or mapped.endswith(_EXTENSIONS):
            found.append(_Item(entry, mapped, is_directory, is_link, is_suspect))
    return found


def _may_be_run(entry: Entry, mapped: str) -> bool:
    return may_be_run(mapped) or bool(entry.mode & EXECUTABLE)


def _order(path: str) -> tuple[list[str], str]:
    *directories, name = path.split("/")
    return directories, name
