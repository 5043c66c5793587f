"""The paths of pycs, and what their names mean: PEP 3147 and PEP 488. Paths have ``/`` on every system."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["CACHE", "LEVELS", "PycName", "below_prefix", "is_cache_directory", "is_cached", "parse", "pyc_name"]

CACHE = "__pycache__"
# The optimization levels by their strings in a name.
LEVELS = {"": 0, "1": 1, "2": 2}

_OPTIMIZATION = "opt-"
# A tag with dots belongs to another tool, as in test_it.cpython-312-pytest-8.3.4.pyc.
_TAGGED = re.compile(r"(?P<module>.+)\.(?P<cache_tag>(?:cpython|pypy|graalpy)[\w-]*(?:\..*)?)", re.DOTALL)


class PycName(NamedTuple):
    """The path of a pyc, parsed.

    Attributes:
        source: the path of its source.
        cache_tag: e.g. ``cpython-312``; None for a pyc in the directory of its source; empty if it is missing.
        optimization: the level's string, e.g. ``1``; empty for level 0.

    """

    source: str
    cache_tag: str | None
    optimization: str


def pyc_name(source: str, cache_tag: str, level: int) -> str:
    """Return the path of the pyc of a source, as ``importlib.util.cache_from_source`` does."""
    directory, separator, name = source.rpartition("/")
    optimization = f".{_OPTIMIZATION}{level}" if level else ""
    return f"{directory}{separator}{CACHE}/{name.removesuffix('.py')}.{cache_tag}{optimization}.pyc"


def is_cached(path: str) -> bool:
    """Return whether a path is that of a pyc in a ``__pycache__`` directory."""
    return path.endswith(".pyc") and path.split("/")[-2:-1] == [CACHE]


def is_cache_directory(name: str) -> bool:
    """Return whether a member of an archive is the entry of a ``__pycache__`` directory itself."""
    return f"/{name}".endswith(f"/{CACHE}/")


def below_prefix(path: str) -> str:
    """Return the path in a ``__pycache__`` directory of a pyc in a tree of ``PYTHONPYCACHEPREFIX``, which has none.

    Args:
        path: relative to the tree, as ``importlib.util.cache_from_source`` derives it from the path of the source.

    """
    directory, separator, name = path.rpartition("/")
    return f"{directory}{separator}{CACHE}/{name}"


def parse(path: str) -> PycName:
    """Parse the path of a pyc.

    Args:
        path: of a file that ends in ``.pyc``; in a ``__pycache__`` directory or, as before PEP 3147, beside its source.

    """
    directory, _, name = path.rpartition("/")
    stem = name[: -len(".pyc")]
    if not is_cached(path):
        return PycName(f"{directory}/{stem}.py" if directory else stem + ".py", None, "")
    parent = directory[: -len(CACHE)]
    optimization = ""
    rest, _, last = stem.rpartition(".")
    if last.startswith(_OPTIMIZATION) and "." in rest:
        stem, optimization = rest, last[len(_OPTIMIZATION) :]
    match = _TAGGED.fullmatch(stem)
    if match:
        module, cache_tag = match.group("module", "cache_tag")
    else:
        module, _, cache_tag = stem.rpartition(".") if "." in stem else (stem, "", "")
    return PycName(f"{parent}{module}.py", cache_tag, optimization)
