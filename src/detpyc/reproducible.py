"""The reproducibility rules: whatever could vary from build to build is fixed here, each with its reason."""

from __future__ import annotations

import os
import stat
import zlib

from detpyc.errors import DetpycError

# The mode of the files that are added: what git and the backends normalise a plain file to, whatever the umask.
FILE_MODE = stat.S_IFREG | 0o644

# zlib's own default. The bytes still depend on the deflate implementation (zlib and zlib-ng differ at every level).
DEFLATE_LEVEL = 6

# What a ZIP entry says of the system that made it, where it is made here. 3 is Unix: the mode above is then read by
# every unpacker, and the value does not depend on the system that builds. 20 is version 2.0, the first with deflate.
CREATE_SYSTEM = 3
CREATE_VERSION = 20


def deflate(data: bytes) -> bytes:
    """Compress as ZIP archives want it, without zlib's header."""
    compressor = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def source_date_epoch() -> int | None:
    """Return what the environment variable SOURCE_DATE_EPOCH says, in seconds; None if it is not set.

    Raises:
        DetpycError: if it is no number. A build that asked for a date and got another must not pass for reproducible
            (https://reproducible-builds.org/specs/source-date-epoch/).

    """
    value = os.environ.get("SOURCE_DATE_EPOCH")
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal()):
        raise DetpycError(f"SOURCE_DATE_EPOCH is {value!r}, and must be a number of seconds")
    return int(value)
