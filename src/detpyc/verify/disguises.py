"""Find bytecode in files that are not named like pycs."""

from __future__ import annotations

from os import SEEK_END
from typing import BinaryIO

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.file_names import mapped_name
from detpyc.wheel.zip_format import CENTRAL_HEADER, CENTRAL_SIGNATURE, END, END_SIGNATURE, MAX_COMMENT

MAGIC_SIZE = 4  # bytes
TAIL = 1 << 20  # bytes at the end of a large file that are searched for the directory of an archive

ARCHIVE = "is an archive with pycs, which are not verified here; verify it on its own"
_ARCHIVES = (".egg", ".pex", ".pyz", ".pyzw", ".whl", ".zip")
# Launchers on Windows are programs with an archive behind them.
_RUNNABLE = (".exe", ".py", ".pyo", ".pyw", *_ARCHIVES)
_END_OF_MAGIC = b"\r\n"
_NAME_SIZE = 28  # where an entry has the size of its name


def is_bytecode(start: bytes) -> bool:
    """Return whether a file is bytecode by its first bytes.

    ``python FILE`` runs it as such, whatever its name (``maybe_pyc_file`` in ``Python/pythonrun.c``), and so does Linux
    where Python is registered with binfmt_misc, as in Debian.
    """
    number = int.from_bytes(start[:2], "little")
    return start[2:MAGIC_SIZE] == _END_OF_MAGIC and number in MAGIC_NUMBERS


def may_be_run(mapped: str) -> bool:
    """Return whether a file's name, as systems map it, is that of what people run or import from."""
    return mapped.endswith(_RUNNABLE) or "." not in mapped


def disguise(name: str, stream: BinaryIO) -> str | None:
    """Return what is wrong with a file that is not named like a pyc; None if Python cannot take it for bytecode.

    Args:
        name: of the file.
        stream: its content.

    Raises:
        OSError: if it cannot be read.

    """
    if is_bytecode(stream.read(MAGIC_SIZE)):
        return "contains bytecode, but its name does not end in .pyc"
    # Whatever the name, and whatever is before it: `python FILE` runs an archive.
    is_archive = mapped_name(name).endswith(_ARCHIVES)
    if END_SIGNATURE in _last(stream, END.size + MAX_COMMENT) and (
        has_archive(_last(stream, TAIL)) or _has_pycs(stream, is_archive=is_archive)
    ):
        return ARCHIVE
    return None


def _last(stream: BinaryIO, size: int) -> bytes:
    try:
        end = stream.seek(0, SEEK_END)
    except OSError:  # as of a file in Linux's /proc, in which zipimport finds no end either
        return b""
    stream.seek(max(end - size, 0))
    return stream.read()


def has_archive(content: bytes) -> bool:
    """Return whether a file is an archive with pycs for some reader, if its directory is in the bytes that are given.

    Readers differ in which directory they find: zipimport ignores some fields of the end record and, before 3.13, ZIP64
    records, and only some heed extra fields with another name. So every entry counts, wherever it is.
    """
    if content.find(END_SIGNATURE, max(len(content) - END.size - MAX_COMMENT, 0)) < 0:
        return False
    at = -1
    while (at := content.find(CENTRAL_SIGNATURE, at + 1)) >= 0:
        name = at + CENTRAL_HEADER.size
        end = name + int.from_bytes(content[at + _NAME_SIZE : at + _NAME_SIZE + 2], "little")
        if content.endswith(b".pyc", name, end) and end <= len(content):
            return True
    return False


def _has_pycs(stream: BinaryIO, *, is_archive: bool) -> bool:
    """Return whether an archive has pycs, also where its directory is longer than what is searched for entries."""
    import zipfile  # noqa: PLC0415 - nearly no file ends as archives do

    try:
        with zipfile.ZipFile(stream) as archive:
            return any(mapped_name(name).endswith(".pyc") for name in archive.namelist())
    except MemoryError:
        return True
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return is_archive  # perhaps a program that has to do with archives
