"""Where the compile cache is, and how large it may become."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.compilation.store import CACHE_SIZE, Store
from detpyc.errors import DetpycError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["cache_directory", "find_store", "read_size", "size_limit"]

_DIRECTORY = "DETPYC_CACHE_DIR"
_SIZE = "DETPYC_CACHE_SIZE"
_FORMAT = "cache-1"  # the name of the directory, which changes with the format of the files
_UNITS = {"K": 10, "M": 20, "G": 30}  # powers of two
_MAX_DIGITS = 15


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of the cache: that of ``DETPYC_CACHE_DIR``, or else the user's.

    Raises:
        DetpycError: if the user has no directory.

    """
    given = environment.get(_DIRECTORY)
    if given:
        return Path(os.path.abspath(given), _FORMAT)  # noqa: PTH100 - as it is, with its links
    from platformdirs import user_cache_dir  # noqa: PLC0415 - not for --no-cache

    directory = user_cache_dir("detpyc", appauthor=False)
    if not os.path.isabs(directory):  # noqa: PTH117 - without a home directory, "~" is not expanded
        raise DetpycError(f"the user has no directory for caches; name one in {_DIRECTORY}")
    return Path(directory, _FORMAT)


def size_limit(environment: Mapping[str, str] = os.environ) -> int:
    """Return the largest size of the cache in bytes: that of ``DETPYC_CACHE_SIZE``, or else `CACHE_SIZE`.

    Raises:
        SettingsError: if it is not a size.

    """
    given = environment.get(_SIZE)
    if not given:
        return CACHE_SIZE
    try:
        return read_size(given)
    except ValueError as error:
        raise SettingsError(f"{_SIZE} {error}") from error


def read_size(text: str) -> int:
    """Read a size: a number of bytes, or one with K, M or G for the powers of 1024.

    Raises:
        ValueError: if it is not one; the message continues after a name.

    """
    number, unit = text[:-1], text[-1:].upper()
    if unit not in _UNITS:
        number, unit = text, ""
    if not (number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS):
        raise ValueError(f"must be a size such as 500M or 2G, not {text!r:.100}")
    return int(number) << _UNITS.get(unit, 0)


def find_store(*, writable: bool = True) -> Store | None:
    """Return the cache; None if it cannot be used.

    Args:
        writable: whether anything may be added to it.

    Raises:
        SettingsError: if ``DETPYC_CACHE_SIZE`` is not a size.

    """
    limit = size_limit()
    try:
        return Store(cache_directory(), limit, writable=writable)
    except DetpycError:
        return None
