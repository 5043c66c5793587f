"""Which names members may have: every unpacker must create the same files from them, on every system."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from detpyc.file_names import mapped_name
from detpyc.limits import MAX_DEPTH, MAX_PATH
from detpyc.wheel.problems import limited
from detpyc.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHOWN = 100  # characters of a long name
_CHANGED = re.compile(r"[\x01-\x1f\x7f]|;[0-9]*\Z")  # what unzip removes on every system; see `mapped_name`
# What `mapped_name` changes, besides letter case, and dots and spaces at the end; one set is searched for quickest.
_MAPPED = re.compile(r'[\0-\x1f\x7f-\U0010ffff:;<>|"?*]')

__all__ = ["Conflict", "conflicts", "mapped_path", "name_problems"]


class Conflict(NamedTuple):
    """Two members that cannot both be unpacked.

    Attributes:
        path: of the first member, mapped.
        name: of the second member.
        other: the name of the first member.
        inside: whether the second would be in a directory in the place of the first, or both have one path.

    """

    path: str
    name: str
    other: str
    inside: bool


def name_problems(names: Iterable[str]) -> tuple[str, ...]:
    """Return what is wrong with the names of an archive's members.

    Args:
        names: all of them, as they are written.

    """
    names = list(names)
    mapped = [(mapped_path(name), name) for name in names]
    examined = ((path, name) for path, name in mapped if _may_be_malformed(path, name))
    malformed = (problem for path, name in examined for problem in _malformed(path, name))
    return limited([*malformed, *map(_conflict_problem, conflicts(mapped))])


def mapped_path(path: str) -> str:
    """Return a path with every part as the systems see it that ignore most; see `mapped_name`.

    A ``/`` at the end stays, which marks a directory.
    """
    if not _MAPPED.search(path) and "./" not in path and " /" not in path and path[-1:] not in {".", " "}:
        return path.lower()  # as nearly all are; the general way takes several times as long
    return "/".join(map(mapped_name, path.split("/")))


def conflicts(members: Iterable[tuple[str, str]]) -> Iterator[Conflict]:
    """Yield the members that cannot both be unpacked: of one path, or a file and what is in a directory of its path.

    Args:
        members: the mapped path and the name of every member, one or several times.

    """
    # With a separator that sorts before everything else, what is in a directory comes directly after it.
    keyed = ((path.removesuffix("/").replace("/", "\0"), number, name) for number, (path, name) in enumerate(members))
    file: tuple[str, str] | None = None  # the last one that is not in the place of a directory itself
    previous: tuple[str, str] | None = None
    for key, _, name in sorted(keyed):
        inside = file is not None and key.startswith(f"{file[0]}\0")
        if previous is not None and key == previous[0]:
            yield Conflict(key.replace("\0", "/"), name, previous[1], inside=False)
        elif file is not None and inside:
            yield Conflict(file[0].replace("\0", "/"), name, file[1], inside=True)
        if not inside and not name.endswith("/"):
            file = key, name
        previous = key, name


def _conflict_problem(conflict: Conflict) -> str:
    name, other = conflict.name, conflict.other
    if conflict.inside:
        return f"{other}: is a file, and {name} would be in a directory of that name"
    if name == other:
        return f"{name}: occurs twice"
    return f"{name}: occurs twice, as {other}, on systems that ignore letter case or Unicode form"


def _may_be_malformed(path: str, name: str) -> bool:
    """Return whether a name has to be examined; nearly all need not be, and searches for strings are quickest."""
    return (
        path[:1] in {"", "/"}
        or name[0] == "."
        or ("//" in path or "/." in name or "\\" in name or "\0" in name or ":" in name)
        or (";" in name or not name.isprintable())
        or (path[-1] == "/") != (name[-1] == "/")
        or len(name) > MAX_PATH
        or name.count("/") >= MAX_DEPTH
    )


def _malformed(path: str, name: str) -> Iterator[str]:
    """Yield the problem of a name that leads out of the wheel, or that unpackers do not understand alike."""
    ignored = "//" in path or path[:1] in {"", "/"} or (path[-1] == "/") != (name[-1] == "/")
    parts = name.removesuffix("/").split("/")
    if len(name) > MAX_PATH:
        yield f"{shortened(name, _SHOWN)}: has {len(name)} characters; the limit is {MAX_PATH}"
    elif len(parts) > MAX_DEPTH:
        yield f"{shortened(name, _SHOWN)}: has {len(parts)} parts; the limit is {MAX_DEPTH}"
    elif name.startswith("/"):
        yield f"{name}: is an absolute path"
    elif "\\" in name or "\0" in name:
        yield f"{name!r}: contains a backslash or a NUL"
    elif _CHANGED.search(name):
        yield f"{name!r}: contains a control character or ends in a version, which unpackers remove"
    elif len(name) > 1 and name[1] == ":":
        yield f"{name}: starts with a drive"
    elif not {"", ".", ".."}.isdisjoint(parts):
        yield f"{name}: has an empty, '.' or '..' part"
    elif ignored:
        yield f"{name!r}: has a part that some systems ignore"
