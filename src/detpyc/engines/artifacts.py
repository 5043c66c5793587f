"""What an artifact to verify is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["Artifact", "of_paths"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact to verify, wherever it is.

    Attributes:
        location: a path, or a URL of ``https``, ``http`` or ``file``.
        sha256: the hash that it must have, in hexadecimal; every ``https`` or ``http`` URL needs one.

    """

    location: str
    sha256: str | None = None


def of_paths(artifacts: Iterable[Artifact | str | os.PathLike[str]]) -> Iterator[Artifact]:
    """Yield artifacts, and those that paths and URLs name."""
    for artifact in artifacts:
        yield artifact if isinstance(artifact, Artifact) else Artifact(str(artifact))
