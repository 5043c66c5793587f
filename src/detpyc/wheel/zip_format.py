"""The records of a ZIP archive, by PKWARE's APPNOTE.TXT. The section numbers below are its own."""

from __future__ import annotations

import time
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from detpyc.reproducible import CREATE_SYSTEM, FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detpyc.reproducible import Date

STORED, DEFLATED = 0, 8  # 4.4.5: the compression methods

# The records, each with the signature that it starts with.
LOCAL_HEADER, LOCAL_SIGNATURE = Struct("<4s5H3L2H"), b"PK\x03\x04"  # 4.3.7
DESCRIPTOR, DESCRIPTOR64, DESCRIPTOR_SIGNATURE = Struct("<4s3L"), Struct("<4sL2Q"), b"PK\x07\x08"  # 4.3.9
CENTRAL_HEADER, CENTRAL_SIGNATURE = Struct("<4s4B4H3L5H2L"), b"PK\x01\x02"  # 4.3.12
END64, END64_SIGNATURE = Struct("<4sQ2H2L4Q"), b"PK\x06\x06"  # 4.3.14
LOCATOR64, LOCATOR64_SIGNATURE = Struct("<4sLQL"), b"PK\x06\x07"  # 4.3.15
END, END_SIGNATURE = Struct("<4s4H2LH"), b"PK\x05\x06"  # 4.3.16
EXTRA_HEADER = Struct("<2H")  # 4.5.1
_TIMESTAMP = Struct("<Bl")

# General purpose bit flags: 4.4.4.
ENCRYPTED = 0x1 | 0x40 | 0x2000
HAS_DESCRIPTOR = 0x8
UTF8_NAME = 0x800
DEFLATE_LEVEL = 0x2 | 0x4

VERSION_ZIP64 = 45  # 4.4.3.2
MAX_VERSION = 63  # 4.4.3.2: the newest of the format that `zipfile` extracts
ZIP64_EXTRA = 0x0001  # 4.5.3
TIME_EXTRA = 0x5455  # 4.6.1: Info-ZIP's extended timestamp
_HAS_MTIME = 0x1
END64_REST = END64.size - 12  # the record's own size field does not count itself and what is before it
MAX_COMMENT = MAX_U16 = 0xFFFF
MAX_U32 = 0xFFFFFFFF

# Extra fields that some unpackers obey and others do not: they would unpack something else.
CONFUSING_EXTRAS = {
    0x0017: "an encryption header",
    0x6C78: "other attributes",  # libarchive's
    0x7075: "another name",  # 4.6.9
    0x756E: "another mode or a link",  # ASi
    0x9901: "an encryption",  # WinZip's AES
}


class Member(NamedTuple):
    """What a ZIP archive records of a file in it.

    Attributes:
        name: with ``/`` on every system.
        method: STORED or DEFLATED.
        crc: CRC-32 of the content.
        compressed_size: in bytes.
        size: of the content, in bytes.
        date_time: of its last modification.
        external_attributes: with the file's mode in the upper half, if made on Unix.
        internal_attributes: bit 0 marks a text file.
        create_system: whose attributes these are; 3 is Unix.
        mtime: in seconds since 1970, which unpackers prefer to the date; None if the archive does not have it.

    """

    name: str
    method: int
    crc: int
    compressed_size: int
    size: int
    date_time: Date
    external_attributes: int = FILE_MODE << 16
    internal_attributes: int = 0
    create_system: int = CREATE_SYSTEM
    mtime: int | None = None

    @property
    def is_directory(self) -> bool:
        """Whether it is the entry of a directory."""
        return self.name.endswith("/")

    @property
    def local_mtime(self) -> int | None:
        """The date as a local time, as `zipimport._parse_dostime` reads it; None if it is no time of this system's."""
        try:
            return int(time.mktime((*self.date_time, -1, -1, -1)))
        except (OverflowError, ValueError, OSError):
            return None


def extended_mtime(fields: Mapping[int, bytes]) -> int | None:
    """Return the modification time that the extra fields of an entry have; None if they have none.

    The field is Info-ZIP's, and described in its ``proginfo/extrafld.txt``.
    """
    field = fields.get(TIME_EXTRA, b"")
    if len(field) < _TIMESTAMP.size or not field[0] & _HAS_MTIME:
        return None
    mtime: int = _TIMESTAMP.unpack_from(field)[1]
    return mtime
