"""Sources that do not lie beside their pycs: those of a sourceless wheel, in a source distribution or another wheel."""

from __future__ import annotations

import tarfile
from functools import partial
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.files import open_regular
from detpyc.limits import MAX_FILE
from detpyc.wheel.distribution import open_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from detpyc.wheel.distribution import Wheel

# Where the packages of a source distribution lie, below its one directory; the first that has a file is meant, and
# after them any other directory.
_ROOTS = ("", "src/", "lib/")
_DEEPEST = 20  # directories down, elsewhere; nobody vouches for an archive


def open_sources(path: Path, stack: ExitStack) -> dict[str, Callable[[], bytes]]:
    """Open a source distribution or a wheel for the sources in it.

    Args:
        path: of a ``.tar.gz`` or a ``.whl``.
        stack: closes it.

    Returns:
        By the path that each source has when it is installed, e.g. ``package/module.py``, what reads it.

    Raises:
        DetpycError: if it is neither, or cannot be read.

    """
    if path.suffix == ".whl":
        return _in_wheel(stack.enter_context(open_wheel(path)))
    stream = stack.enter_context(open_regular(path))
    try:
        archive = stack.enter_context(tarfile.open(fileobj=stream))  # noqa: SIM115 - the stack closes it
        members = {member.name: member for member in archive if member.isfile() and member.size <= MAX_FILE}
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise DetpycError(f"{path}: is no wheel and no source distribution: {tar_fault(error)}") from error
    return _in_sdist(path, archive, members)


def tar_fault(error: Exception) -> str:
    """Return the first line of what `tarfile` says, which then has one for each compression that it has tried."""
    return str(error).partition("\n")[0].rstrip(":")


def _in_wheel(wheel: Wheel) -> dict[str, Callable[[], bytes]]:
    return {path: partial(wheel.read_member, name, MAX_FILE) for name, path in wheel.importable_sources().items()}


def _in_sdist(
    path: Path, archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]
) -> dict[str, Callable[[], bytes]]:
    found: dict[str, Callable[[], bytes]] = {}
    for root in _ROOTS:
        for name, member in members.items():
            inside = name.partition("/")[2]
            if inside.startswith(root) and inside.endswith(".py"):
                found.setdefault(inside.removeprefix(root), partial(_extract, path, archive, member))
    for installed, candidates in _anywhere(members).items():
        if len(candidates) == 1:
            found.setdefault(installed, partial(_extract, path, archive, candidates[0]))
    return found


def _anywhere(members: dict[str, tarfile.TarInfo]) -> dict[str, list[tarfile.TarInfo]]:
    """Return the sources by each path that they could have when installed, wherever their packages lie."""
    found: dict[str, list[tarfile.TarInfo]] = {}
    for name, member in members.items():
        directories = name.split("/")
        if name.endswith(".py"):
            for depth in range(2, min(len(directories), _DEEPEST)):
                found.setdefault("/".join(directories[depth:]), []).append(member)
    return found


def _extract(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    try:
        stream = archive.extractfile(member)
        return b"" if stream is None else stream.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DetpycError(f"{path}: {member.name} cannot be read: {error}") from error
