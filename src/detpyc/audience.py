"""Who can install a wheel: the CPythons that its tag and its ``Requires-Python`` allow."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from detpyc.errors import WheelError
from detpyc.wheel.tags import is_for

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

__all__ = ["Audience", "required_python"]

# The fields of a METADATA file end at the first empty line; `packaging.metadata` takes longer than all else of a small
# wheel to be imported.
_HEADERS = re.compile(rb"\r?\n\r?\n")
_REQUIRES_PYTHON = re.compile(rb"^requires-python[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)

# The patch releases of a version that Requires-Python is asked about. No version has had more than 24.
_PATCHES = range(100)


class Audience(NamedTuple):
    """Who can install a wheel.

    Attributes:
        tag: of the wheel, e.g. ``py3-none-any``.
        requires_python: the specifiers of its ``Requires-Python``; None if it has none.

    """

    tag: str
    requires_python: SpecifierSet | None = None

    @functools.cache  # noqa: B019 - one for each wheel, and as short-lived
    def exclusion(self, version: tuple[int, int]) -> str | None:
        """Return why no CPython of a version can install the wheel; None if one can."""
        if not is_for(self.tag, version):
            return f"no CPython {version[0]}.{version[1]} can install a wheel with the tag {self.tag}"
        specifiers = self.requires_python
        if specifiers is None:
            return None
        releases = ("{}.{}.{}".format(*version, patch) for patch in _PATCHES)
        if any(specifiers.contains(release, prereleases=True) for release in releases):
            return None
        return f"Requires-Python ({specifiers}) excludes CPython {version[0]}.{version[1]}"


def required_python(metadata: bytes) -> SpecifierSet | None:
    """Read ``Requires-Python`` from the content of a METADATA file; None if it has none.

    Raises:
        WheelError: if it cannot be read.

    """
    found = _REQUIRES_PYTHON.findall(_HEADERS.split(metadata, maxsplit=1)[0])
    if not found:
        return None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - not every wheel has the field

    try:
        (value,) = found
        text = value.decode("utf-8").strip()
    except ValueError as error:
        raise WheelError("METADATA has more than one Requires-Python, or one that is not UTF-8") from error
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise WheelError(f"METADATA has the Requires-Python {text!r:.100}, which is not a list of versions") from error
