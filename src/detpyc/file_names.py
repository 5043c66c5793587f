"""How file systems map names: several names can be one file on Windows or macOS."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["mapped_name"]

# NTFS reads `name::$DATA` as `name`.
_STREAM = re.compile(r"(?::.*)?:\$data\Z", re.DOTALL)
# HFS+ ignores these when it compares names (Apple's TN1150, "Case-Insensitive String Comparison Algorithm").
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])


def mapped_name(name: str) -> str:
    """Return the name of one file or directory as the systems see it that ignore most.

    Two names are one file on some system only if this returns the same for both. Letter case and Unicode normalization
    are ignored, as macOS and Windows do; trailing dots and spaces and the name of the default data stream, as Windows
    does; invisible characters, as HFS+ does.
    """
    if not name.isascii():
        name = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.translate(_IGNORED)).casefold())
    return _STREAM.sub("", name.lower()).rstrip(". ")
