"""The RECORD files of installed distributions: make them list the pycs that exist."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.files import open_locked, read_file
from detpyc.pyc_paths import is_cached, pyc_name
from detpyc.replacement import replace_file
from detpyc.wheel import record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_LOCK_TIMEOUT = 60.0  # seconds; another detpyc process takes much less for a RECORD


def is_record(file: Path) -> bool:
    """Return whether a file is the RECORD of an installed distribution."""
    return file.name == "RECORD" and file.parent.name.endswith(".dist-info")


def update_record(
    file: Path, slots: Collection[tuple[str, int]], *, check: bool = False, dir_fd: int | None = None
) -> bool:
    """Make a RECORD list the pycs of its sources, each once and with the right hash and size.

    Args:
        file: the RECORD.
        slots: the cache tags and optimization levels of the pycs to add. Pycs that are listed already are updated, or
            removed if they do not exist, whatever their tags.
        check: change nothing on disk.
        dir_fd: a descriptor of its directory; it is then written there, whatever becomes of its path.

    Returns:
        Whether it was changed, or with ``check`` would be.

    Raises:
        DetpycError: if it is malformed or too large, it or a pyc cannot be read, or it cannot be written.

    """
    with open_locked(file, _LOCK_TIMEOUT) as stream:
        old = read_file(file)  # within bounds
        try:
            entries = record.parse(old)
        except DetpycError as error:
            error.path = error.path or str(file)
            raise
        new = record.serialize(_updated(entries, file.parent.parent, slots))
        if new != old and not check:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            replace_file(file, new, mode, durable=False, replaced=stream, dir_fd=dir_fd)
    return new != old


def _updated(
    entries: list[record.RecordEntry], site: Path, slots: Collection[tuple[str, int]]
) -> Iterator[record.RecordEntry]:
    listed = {entry.path for entry in entries if is_cached(entry.path)}
    possible = {
        pyc_name(entry.path, tag, level) for entry in entries if entry.path.endswith(".py") for tag, level in slots
    }
    missing = {path: site / path for path in listed | possible if (site / path).is_file()}
    for entry in entries:
        if entry.path not in listed:
            yield entry
        elif entry.path in missing:  # pip lists a file twice if it overwrote it: keep the first
            yield _entry(entry.path, missing.pop(entry.path))
    for path in sorted(missing):
        yield _entry(path, missing[path])


def _entry(path: str, file: Path) -> record.RecordEntry:
    content = read_file(file)
    return record.RecordEntry.of(path, hashlib.sha256(content).digest(), len(content))
