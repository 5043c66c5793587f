"""The name of a wheel's file: PEP 427, and "Binary distribution format" on packaging.python.org."""

from __future__ import annotations

import re

from detpyc.errors import WheelError

__all__ = ["normalized", "parse_name"]

# Nearly all names are like this: a final release, without a build number. `packaging` reads the others, which takes
# ten times as long to import as everything in this module.
_COMMON = re.compile(
    r"(?P<name>[A-Za-z0-9]+(?:[._][A-Za-z0-9]+)*)"
    r"-(?P<version>(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*)"
    r"(?:-[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*){3}\.whl"
)


def parse_name(file_name: str) -> tuple[str, str]:
    """Return the normalized name of the project in the name of a wheel's file, and the version.

    Raises:
        WheelError: if it is not the name of a wheel.

    """
    common = _COMMON.fullmatch(file_name)
    if common is not None:
        return normalized(common["name"]), common["version"]
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # noqa: PLC0415 - see above

    try:
        name, version, _, _ = parse_wheel_filename(file_name)
        if not name:  # which older versions of packaging accept
            raise InvalidWheelFilename(f"there is no project's name in {file_name}")
    except InvalidWheelFilename as error:
        raise WheelError(f"its name is not a wheel's: {error}") from error
    return name, str(version)


def normalized(name: str) -> str:
    """Return a project's name as all its spellings are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
