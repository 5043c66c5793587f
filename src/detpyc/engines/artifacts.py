"""What an artifact to verify is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from urllib.parse import SplitResult

__all__ = ["Artifact", "absolute", "of_paths", "split_url"]

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact to verify, wherever it is.

    Attributes:
        location: a path, or a URL of ``https``, ``http`` or ``file``.
        sha256: the hash that it must have, in hexadecimal; every ``https`` or ``http`` URL needs one.
        failure: why it cannot be located, if so; it is reported as a failure. ``location`` is then what the list has.

    """

    location: str
    sha256: str | None = None
    failure: str | None = None


def of_paths(artifacts: Iterable[Artifact | str | os.PathLike[str]]) -> Iterator[Artifact]:
    """Yield artifacts, and those that paths and URLs name."""
    for artifact in artifacts:
        yield artifact if isinstance(artifact, Artifact) else Artifact(str(artifact))


def absolute(location: str, base: str) -> str:
    """Return a location in a list as a URL or an absolute path.

    Args:
        location: a URL, or what is relative to the base.
        base: a directory or a URL.

    Raises:
        DetpycError: if it is not a valid URL.

    """
    if _URL.match(location):
        return location
    if not _URL.match(base):
        return str(Path(base, location))
    try:
        return urljoin(base, location)
    except ValueError as error:
        raise DetpycError(f"is not a valid URL: {error}", path=location) from error


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL.

    Raises:
        DetpycError: if it is not a valid one.

    """
    try:
        return urlsplit(url)
    except ValueError as error:
        raise DetpycError(f"is not a valid URL: {error}", path=url) from error
