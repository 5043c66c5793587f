"""Who can install a wheel: the CPythons that its tag and its ``Requires-Python`` allow."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from detpyc.errors import WheelError
from detpyc.wheel.tags import is_for

__all__ = ["Audience", "required_python"]

# The fields of a METADATA file end at the first empty line; `packaging.metadata` takes longer than all else of a small
# wheel to be imported.
_HEADERS = re.compile(rb"\r?\n\r?\n")
_REQUIRES_PYTHON = re.compile(rb"^requires-python[ \t]*:(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)

# The patch releases of a version that Requires-Python is asked about. No version has had more than 24.
_PATCHES = range(100)
# What most wheels require. Importing `packaging.specifiers` takes as long as writing a small wheel.
_AT_LEAST = re.compile(r">=3\.([0-9]{1,3})(?:\.[0-9]{1,2})?")


class Audience(NamedTuple):
    """Who can install a wheel.

    Attributes:
        tag: of the wheel, e.g. ``py3-none-any``.
        requires_python: its ``Requires-Python``, normalized as `packaging` does; None if it has none.

    """

    tag: str
    requires_python: str | None = None

    @functools.cache  # noqa: B019 - one for each wheel, and as short-lived
    def exclusion(self, version: tuple[int, int]) -> str | None:
        """Return why no CPython of a version can install the wheel; None if one can."""
        if not is_for(self.tag, version):
            return f"no CPython {version[0]}.{version[1]} can install a wheel with the tag {self.tag}"
        if self.requires_python is None or _is_allowed(self.requires_python, version):
            return None
        return f"Requires-Python ({self.requires_python}) excludes CPython {version[0]}.{version[1]}"


def _is_allowed(requires_python: str, version: tuple[int, int]) -> bool:
    """Return whether specifiers allow a release of a version."""
    at_least = _AT_LEAST.fullmatch(requires_python)
    if at_least is not None:
        return version >= (3, int(at_least[1]))
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - as `_AT_LEAST` says

    specifiers = SpecifierSet(requires_python)
    releases = ("{}.{}.{}".format(*version, patch) for patch in _PATCHES)
    return any(specifiers.contains(release, prereleases=True) for release in releases)


def required_python(metadata: bytes) -> str | None:
    """Read ``Requires-Python`` from the content of a METADATA file, as `Audience` takes it; None if it has none.

    Raises:
        WheelError: if it cannot be read.

    """
    found = _REQUIRES_PYTHON.findall(_HEADERS.split(metadata, maxsplit=1)[0])
    if not found:
        return None
    try:
        (value,) = found
        text: str = value.decode("utf-8").strip()
    except ValueError as error:
        raise WheelError("METADATA has more than one Requires-Python, or one that is not UTF-8") from error
    if _AT_LEAST.fullmatch(text):
        return text
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - as `_AT_LEAST` says

    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise WheelError(f"METADATA has the Requires-Python {text!r:.100}, which is not a list of versions") from error
