"""Find every member of a wheel that some Python, installer or system could load as bytecode."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

from detpyc import pyc_paths
from detpyc.errors import WheelError
from detpyc.file_names import mapped_name
from detpyc.limits import MAX_FILE, MAX_PATH_FILE
from detpyc.verify.disguises import MAGIC_SIZE, TAIL, disguise, may_be_run
from detpyc.verify.path_files import PATH_FILES, added_paths
from detpyc.verify.pycs import Pyc
from detpyc.verify.recorded import by_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from detpyc.provenance import Provenance
    from detpyc.wheel.distribution import Wheel

_EXECUTABLE = 0o111  # in the mode; installers keep these bits, and set them for scripts


def wheel_pycs(
    wheel: Wheel, recorded: Provenance | None, elsewhere: Mapping[str, Callable[[], bytes]]
) -> Iterator[Pyc]:
    """Yield every pyc in a wheel, including those that are not installed as modules.

    Which source a pyc has is decided by the paths that they have when installed.

    Args:
        wheel: the wheel.
        recorded: its provenance.
        elsewhere: what reads the sources that are not in the wheel, by the paths that they would have when installed.

    """
    installed = {path: name for name, path in wheel.importable.items()}
    slots = by_slot(recorded)
    for member in sorted(wheel.archive.members):
        if not member.endswith(".pyc"):
            continue
        importable = wheel.importable.get(member)
        name = pyc_paths.parse(importable or member)
        source = installed.get(name.source) if importable else name.source
        if source not in wheel.archive.members:
            source = None
        slot = slots.get((name.cache_tag, name.optimization))
        if slot is not None and name.cache_tag is None and source is None:
            # Beside its source, a pyc is for level 0: zipimport loads it at any level, in place of the source.
            name = name._replace(optimization=str(slot.optimize or ""))
        yield Pyc(
            member,
            name,
            partial(wheel.read_member, member, MAX_FILE),
            elsewhere.get(name.source) if source is None else partial(wheel.read_member, source, MAX_FILE),
            recorded=slot,
            in_wheel=True,
            any_level=name.cache_tag is None and source is None and slot is None,
        )


def wheel_disguises(wheel: Wheel, compiled: Collection[str | None]) -> Iterator[str]:
    """Yield the problems of members that contain bytecode, and are not named like pycs.

    Args:
        wheel: the wheel.
        compiled: the installed paths of sources that are known to compile, and so are not bytecode.

    Raises:
        WheelError: if a member is damaged.

    """
    on_path = set(_on_path(wheel))
    for name, member in wheel.archive.members.items():
        if name.endswith((".pyc", "/")) or wheel.importable.get(name) in compiled:
            continue
        if name.endswith(".py") and member.size > MAX_FILE:
            continue  # which `Wheel.check` reports
        if "/scripts/" in name or name in on_path or may_be_run(mapped_name(name.rpartition("/")[2])):
            content = wheel.read_member(name) if member.size <= MAX_FILE else _ends(wheel, name)
        elif member.external_attributes >> 16 & _EXECUTABLE:
            content = _ends(wheel, name)
        else:
            continue
        problem = disguise(name, io.BytesIO(content))
        if problem is not None:
            yield f"{name}: {problem}"


def _on_path(wheel: Wheel) -> Iterator[str]:
    """Yield the members that the ``.pth`` files of a wheel put on ``sys.path``."""
    path_files = [(name, path) for name, path in wheel.importable.items() if path.endswith(PATH_FILES)]
    if path_files:
        installed = {path: name for name, path in wheel.importable.items()}
        for name, path in path_files:
            added = added_paths(path, wheel.read_member(name, MAX_PATH_FILE))
            yield from (installed[other] for other in added if other in installed)


def _ends(wheel: Wheel, name: str) -> bytes:
    """Read the first and the last bytes of a large member."""
    start = end = b""
    try:
        for chunk in wheel.archive.chunks(name):
            start = start if len(start) >= MAGIC_SIZE else start + chunk[:MAGIC_SIZE]
            end = (end + chunk)[-TAIL:]
    except WheelError as error:
        error.path = str(wheel.path)
        raise
    return start + end
