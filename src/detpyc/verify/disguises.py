"""Find bytecode in files that are not named like pycs."""

from __future__ import annotations

from os import SEEK_END
from typing import BinaryIO

from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.file_names import mapped_name
from detpyc.wheel.zip_format import CENTRAL_SIGNATURE, END_SIGNATURE, MAX_COMMENT

MAGIC_SIZE = 4  # bytes
TAIL = 1 << 20  # bytes at the end of a large file that are searched for the directory of an archive

_ARCHIVES = (".egg", ".pex", ".pyz", ".whl", ".zip")
_RUNNABLE = (".py", ".pyw", *_ARCHIVES)
_END_OF_MAGIC = b"\r\n"
_END = 2 * MAX_COMMENT  # bytes at the end of a file; the end record of an archive begins in them


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
    if END_SIGNATURE in _tail(stream, _END) and _has_pycs(stream, is_archive=mapped_name(name).endswith(_ARCHIVES)):
        return "is an archive with pycs, which are not verified"
    return None


def _has_pycs(stream: BinaryIO, *, is_archive: bool) -> bool:
    import zipfile  # noqa: PLC0415 - nearly no file ends as archives do

    if not zipfile.is_zipfile(stream):
        return False
    try:
        with zipfile.ZipFile(stream) as archive:
            return any(mapped_name(name).endswith(".pyc") for name in archive.namelist())
    except MemoryError:
        return True
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return is_archive or _mentions_pycs(stream)  # zipimport reads some that zipfile does not


def _mentions_pycs(stream: BinaryIO) -> bool:
    """Return whether what is perhaps an archive, perhaps a program that has to do with them, has names of pycs."""
    tail = _tail(stream, TAIL)
    return CENTRAL_SIGNATURE in tail and b".pyc" in tail.lower()


def _tail(stream: BinaryIO, size: int) -> bytes:
    """Return the last bytes of a file."""
    stream.seek(-min(stream.seek(0, SEEK_END), size), SEEK_END)
    return stream.read()
