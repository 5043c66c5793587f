"""Find the files that ``.pth`` files add to ``sys.path``, where Python imports from archives of any name.

On Windows, a ``._pth`` file beside Python sets all of it, in the same form ("Finding modules", in "Using Python on
Windows").
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PATH_FILES", "added_paths"]

PATH_FILES = (".pth", "._pth")  # the suffixes
_CODE = ("#", "import ", "import\t")  # what a line starts with that is a comment, or is executed


def added_paths(path: str, content: bytes) -> Iterator[str]:
    """Yield the paths that a file adds to ``sys.path`` if they exist, as ``site.addpackage`` does.

    Args:
        path: of the file, whose directory relative paths begin in.
        content: of the file.

    """
    lines = map(str.rstrip, content.decode("utf-8-sig", "surrogateescape").splitlines())
    directory = posixpath.dirname(path)
    for line in dict.fromkeys(lines):
        if line and not line.startswith(_CODE):
            yield posixpath.normpath(posixpath.join(directory, line.replace("\\", "/")))
