"""How file systems map names: several names can be one file on Windows or macOS."""

from __future__ import annotations

import re

__all__ = ["is_short_name", "mapped_name"]

# NTFS reads `name::$DATA` as `name`, and `directory::$INDEX_ALLOCATION` as `directory`.
_STREAM = re.compile(r"(?::.*)?:\$(?:data|index_allocation)\Z", re.DOTALL)
# HFS+ ignores these when it compares names (Apple's TN1150, "Case-Insensitive String Comparison Algorithm").
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
# What NTFS and FAT call a file that has a longer name, for programs of the 1980s: the start of it, and a number.
_SHORT = re.compile(r"[^.~]{1,6}~[0-9]{1,6}(?:\.[^.]{0,3})?\Z")


def mapped_name(name: str) -> str:
    """Return the name of one file or directory as the systems see it that ignore most.

    Two names are one file on some system only if this returns the same for both. Letter case and Unicode normalization
    are ignored, as macOS and Windows do; trailing dots and spaces and the name of the default data stream, as Windows
    does; invisible characters, as HFS+ does.
    """
    if not name.isascii():
        import unicodedata  # noqa: PLC0415 - nearly all names are ASCII

        name = unicodedata.normalize("NFC", name.translate(_IGNORED)).upper()  # upper: NTFS compares capitals
        name = unicodedata.normalize("NFC", name.casefold())
    return _STREAM.sub("", name.lower().rstrip(". ")).rstrip(". ")


def is_short_name(name: str) -> bool:
    """Return whether Windows could know another file, with a longer name, by this name, e.g. ``core_l~1.py``."""
    return "~" in name and _SHORT.match(mapped_name(name)) is not None
