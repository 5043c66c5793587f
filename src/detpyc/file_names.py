"""How systems and unpackers map names: several names can be one file on Windows or macOS, or once unpacked."""

from __future__ import annotations

import re

__all__ = ["is_short_name", "mapped_name"]

# NTFS reads `name::$DATA` as `name`, and `directory::$INDEX_ALLOCATION` as `directory`.
_STREAM = re.compile(r"(?::.*)?:\$(?:data|index_allocation)\Z", re.DOTALL)
# Info-ZIP's unzip drops these from names (`mapname` in its `unix/unix.c`).
_CONTROLS = [*range(1, 0x20), 0x7F]
# File systems that ignore invisible characters when they compare names: HFS+ those of Apple's TN1150 ("Case-Insensitive
# String Comparison Algorithm"), ext4 and F2FS what Unicode calls default ignorable, in case-insensitive directories.
_INVISIBLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
]
_IGNORED = dict.fromkeys([*_CONTROLS, *_INVISIBLE])
# What unpackers write in place of the characters that Windows does not allow (`zipfile`, Info-ZIP, libarchive, 7-Zip).
_FORBIDDEN = str.maketrans(dict.fromkeys(':<>|"?*', "_"))
# The version that names have on VMS, which Info-ZIP's unzip removes on every system.
_VERSION = re.compile(r";[0-9]*\Z")
_RARE = re.compile(r'[:;<>|"?*]')
# What NTFS and FAT call a file that has a longer name, for programs of the 1980s: the start of it, and a number.
_SHORT = re.compile(r"[^.~]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?\Z")


def mapped_name(name: str) -> str:
    """Return the name of one file or directory as the systems see it that ignore most.

    Two names are one file on some system only if this returns the same for both. Letter case and Unicode normalization
    are ignored, as macOS and Windows do; trailing dots and spaces and the name of the default data stream, as Windows
    does; invisible characters, as HFS+ and ext4 do; control characters and versions, as unzip does. What Windows does
    not allow is an underscore.
    """
    if not name.isascii():
        import unicodedata  # noqa: PLC0415 - nearly all names are ASCII

        name = unicodedata.normalize("NFC", name.translate(_IGNORED)).upper()  # upper: NTFS compares capitals
        name = unicodedata.normalize("NFC", name.casefold())
    elif not name.isprintable():
        name = name.translate(_IGNORED)
    name = _STREAM.sub("", name.lower().rstrip(". ")).rstrip(". ")
    if _RARE.search(name):
        name = _VERSION.sub("", name).translate(_FORBIDDEN).rstrip(". ")
    return name


def is_short_name(name: str) -> bool:
    """Return whether Windows could know another file, with a longer name, by this name, e.g. ``core_l~1.py``."""
    return "~" in name and _SHORT.match(mapped_name(name)) is not None
