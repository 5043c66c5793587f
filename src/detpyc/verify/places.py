"""Where the sources of pycs are: beside them, or in another tree if ``PYTHONPYCACHEPREFIX`` was set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detpyc.artifacts.directories import Directory
from detpyc.errors import DetpycError
from detpyc.pyc_paths import below_prefix

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.artifacts.entries import Artifact


class Beside(NamedTuple):
    """Where the sources of an artifact's pycs are.

    Attributes:
        artifact: that they are in.
        prefix: the path of the tree of pycs that mirrors the artifact; None if the pycs are in the artifact themselves.

    """

    artifact: Artifact
    prefix: str | None = None

    def place(self, path: str) -> str:
        """Return the path that a pyc would have beside its source."""
        if self.prefix is None:
            return path
        mirrored = below_prefix(path[len(self.prefix) :].lstrip("/"))
        root = self.artifact.root
        return f"{root.rstrip('/')}/{mirrored}" if root else mirrored


def places_of(artifact: Artifact, source_root: Path | None) -> Beside:
    """Return where the sources of an artifact's pycs are.

    Args:
        artifact: that the pycs are in.
        source_root: the directory that it mirrors, as a tree of ``PYTHONPYCACHEPREFIX`` does; None for any other tree.

    Raises:
        DetpycError: if that is not a directory.

    """
    if source_root is None:
        return Beside(artifact)
    if not source_root.is_dir():
        raise DetpycError("not a directory", path=source_root)
    return Beside(Directory(source_root), artifact.root)
