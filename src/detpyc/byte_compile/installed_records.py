"""The RECORDs of installed distributions: make them list the pycs that are there."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.files import open_locked
from detpyc.pyc_paths import is_cached, pyc_name
from detpyc.replacement import Replacement
from detpyc.wheel import record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_PATIENCE = 60.0  # seconds for another detpyc to be done with a RECORD, which takes much less


def is_record(file: Path) -> bool:
    """Tell whether a file is the RECORD of an installed distribution."""
    return file.name == "RECORD" and file.parent.name.endswith(".dist-info")


def update_record(file: Path, slots: Collection[tuple[str, int]], *, check: bool = False) -> bool:
    """Make a RECORD list the pycs of its sources, each once and with the hash and size that it has.

    Args:
        file: the RECORD.
        slots: the cache tags and optimization levels of the pycs that it may not list yet. Those that it lists already,
            whatever their tags, are brought up to date, or taken out if they are gone.
        check: change nothing on disk.

    Returns:
        Whether it was changed, or with ``check`` would be.

    Raises:
        DetpycError: if it is malformed, or it or a pyc cannot be read, or it cannot be written.

    """
    with open_locked(file, _PATIENCE) as stream:
        try:
            old = stream.read()
            entries = record.parse(old)
            new = record.serialize(_updated(entries, file.parent.parent, slots))
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError as error:
            raise DetpycError(f"{error.filename or file}: cannot be read: {error.strerror}") from error
        except DetpycError as error:
            raise DetpycError(f"{file}: {error}") from error
        if new != old and not check:
            with Replacement(file, mode) as replacement:
                with replacement.writing() as output:
                    output.write(new)
                replacement.commit(durable=False, replaced=stream)
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
        elif entry.path in missing:  # pip lists what it has overwritten twice: the second time it is none of these
            yield _entry(entry.path, missing.pop(entry.path))
    for path in sorted(missing):
        yield _entry(path, missing[path])


def _entry(path: str, file: Path) -> record.RecordEntry:
    content = file.read_bytes()
    return record.RecordEntry.of(path, hashlib.sha256(content).digest(), len(content))
