"""The reproducibility rules: what could vary from build to build is fixed here, each constant with its reason."""

from __future__ import annotations

import os
import stat
import time
import zlib

from detpyc.errors import DetpycError

__all__ = [
    "CREATE_SYSTEM",
    "CREATE_VERSION",
    "DEFLATE_LEVEL",
    "FILE_MODE",
    "ZIP_EPOCH",
    "Date",
    "deflate",
    "inflate",
    "normalized_mode",
    "source_date_epoch",
    "zip_date",
]

# The mode of added files, to which git and the backends normalize a plain file, whatever the umask.
FILE_MODE = stat.S_IFREG | 0o644

# zlib's own default. The bytes still depend on the deflate implementation (zlib and zlib-ng differ at every level).
DEFLATE_LEVEL = 6

# The system and version in new ZIP entries, whatever the system that builds. 3 is Unix, for which every unpacker
# applies the mode above. 20 is version 2.0, the first with deflate.
CREATE_SYSTEM = 3
CREATE_VERSION = 20

Date = tuple[int, int, int, int, int, int]  # year, month, day, hour, minute, second

# The date of all members of a normalized archive if SOURCE_DATE_EPOCH is not set: the first that ZIP can represent.
ZIP_EPOCH: Date = (1980, 1, 1, 0, 0, 0)
_LAST_ZIP_YEAR = 2107
_MAX_DIGITS = 100  # of SOURCE_DATE_EPOCH; int() refuses some thousands


def zip_date(otherwise: Date = ZIP_EPOCH) -> Date:
    """Return the date of SOURCE_DATE_EPOCH in UTC, or the closest one that ZIP can represent.

    Args:
        otherwise: the date if it is not set.

    Raises:
        DetpycError: if SOURCE_DATE_EPOCH is malformed.

    """
    seconds = source_date_epoch()
    if seconds is None:
        return otherwise
    try:
        date = time.gmtime(seconds)
    except (OverflowError, OSError, ValueError):
        return (_LAST_ZIP_YEAR, 12, 31, 23, 59, 58)
    if date.tm_year < ZIP_EPOCH[0]:
        return ZIP_EPOCH
    if date.tm_year > _LAST_ZIP_YEAR:
        return (_LAST_ZIP_YEAR, 12, 31, 23, 59, 58)
    return (date.tm_year, date.tm_mon, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec // 2 * 2)


def normalized_mode(mode: int) -> int:
    """Return a file's mode without the influence of the umask and the system: readable by all, executable or not."""
    return stat.S_IFREG | (0o755 if mode & 0o111 else 0o644)


def deflate(data: bytes) -> bytes:
    """Compress for a ZIP archive, without zlib's header."""
    compressor = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def source_date_epoch() -> int | None:
    """Return the environment variable SOURCE_DATE_EPOCH, in seconds; None if it is not set.

    Raises:
        DetpycError: if it is malformed. A build that asks for a date and gets another one is not reproducible
            (https://reproducible-builds.org/specs/source-date-epoch/).

    """
    value = os.environ.get("SOURCE_DATE_EPOCH")
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
        raise DetpycError(f"SOURCE_DATE_EPOCH must be a number of seconds, not {value!r:.100}")
    return int(value)


def inflate(data: bytes) -> bytes:
    """Undo `deflate`; not for untrusted data, as the size is not limited."""
    return zlib.decompress(data, -zlib.MAX_WBITS)
