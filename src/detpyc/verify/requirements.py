"""What bytecode an artifact is required to have: ``detpyc verify --require cpython-312``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from detpyc.bytecode.header import MAGIC_NUMBERS, SUPPORTED
from detpyc.errors import SettingsError
from detpyc.pyc_paths import parse
from detpyc.settings import OPTIMIZATION_LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detpyc.loading import Loader

__all__ = ["Requirement", "target_version"]

_TAGS = {"cpython-{}{}".format(*version): version for version in MAGIC_NUMBERS.values()}


class Requirement(NamedTuple):
    """That a CPython loads bytecode of every module.

    Attributes:
        text: as it was given, e.g. ``cpython-312:2``.
        version: of CPython, e.g. ``(3, 12)``.
        level: the optimization level at which it runs.

    """

    text: str
    version: tuple[int, int]
    level: int

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read a requirement: a cache tag, or one with a level, ``cpython-312:2``. Without a level, 0 is meant.

        Raises:
            SettingsError: if it is not one.

        """
        tag, separator, level = text.partition(":")
        version = _TAGS.get(tag)
        if version is None:
            raise SettingsError(f"{text!r:.100} does not begin with a cache tag of {SUPPORTED}, such as cpython-312")
        if separator and not re.fullmatch("[0-2]", level):
            levels = ", ".join(map(str, OPTIMIZATION_LEVELS))
            raise SettingsError(f"{text!r:.100} does not end in an optimization level: {levels}")
        return cls(text, version, int(level or 0))

    def is_met_by(self, loader: Loader) -> bool:
        """Return whether what loads a pyc is what is required."""
        return loader.version == self.version and loader.level in {None, self.level}


def target_version(tag: str) -> tuple[int, int]:
    """Return the version of a cache tag, such as ``cpython-312``.

    Raises:
        SettingsError: if it is not that of a supported CPython.

    """
    if tag not in _TAGS:
        raise SettingsError(f"{tag!r:.100} is not a cache tag of {SUPPORTED}, such as cpython-312")
    return _TAGS[tag]


def unmet(
    requirements: Iterable[Requirement], sources: Sequence[str], loaders: Iterable[tuple[str, Loader]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the requirements that are not met, each with the sources that have no pyc for it.

    There is none if the artifact has no sources, and no pycs for it either.

    Args:
        requirements: what is required.
        sources: the paths by which sources are imported.
        loaders: for each pyc that is loaded, the path by which it is imported, and what loads it.

    """
    by_source = [(parse(path).source, loader) for path, loader in loaders]
    for requirement in requirements:
        met = {source for source, loader in by_source if requirement.is_met_by(loader)}
        missing = tuple(source for source in sources if source not in met)
        if missing or not met:
            yield requirement.text, missing
