"""Find bytecode in files that are not named like pycs."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, BinaryIO

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.file_names import mapped_name

if TYPE_CHECKING:
    import os

MAGIC_SIZE = 4  # bytes

_ARCHIVES = (".egg", ".pex", ".pyz", ".whl", ".zip")
_SOURCES = (".py", ".pyw")
_END_OF_MAGIC = b"\r\n"


def is_bytecode(start: bytes) -> bool:
    """Return whether a file is bytecode by its first bytes.

    ``python FILE`` runs it as such, whatever its name (``maybe_pyc_file`` in ``Python/pythonrun.c``), and so does Linux
    where Python is registered with binfmt_misc, as in Debian.
    """
    number = int.from_bytes(start[:2], "little")
    return start[2:MAGIC_SIZE] == _END_OF_MAGIC and number in MAGIC_NUMBERS


def may_be_run(entry: os.DirEntry[str], mapped: str) -> bool:
    """Return whether people or systems may run a file, so that it is worth looking into.

    Args:
        entry: a file.
        mapped: its name, as systems map names.

    """
    if mapped.endswith((*_SOURCES, *_ARCHIVES)) or "." not in mapped:
        return True
    try:
        return bool(entry.stat().st_mode & 0o111)
    except OSError:  # a link that leads nowhere
        return False


def disguise(name: str, stream: BinaryIO) -> str | None:
    """Return what is wrong with a file that is not named like a pyc; None if Python cannot take it for bytecode.

    Args:
        name: of the file.
        stream: its content; of anything but an archive, the start is enough.

    Raises:
        OSError: if it cannot be read.

    """
    if is_bytecode(stream.read(MAGIC_SIZE)):
        return "contains bytecode, but its name does not end in .pyc"
    if is_archive(name) and zipfile.is_zipfile(stream) and _has_pycs(stream):
        return "is an archive with pycs, which are not verified"
    return None


def is_archive(name: str) -> bool:
    """Return whether a file is an archive that Python imports from if it is on ``sys.path``, by its name."""
    return mapped_name(name).endswith(_ARCHIVES)


def _has_pycs(stream: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(stream) as archive:
            return any(mapped_name(name).endswith(".pyc") for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, MemoryError):
        return True  # zipimport may read what zipfile does not
