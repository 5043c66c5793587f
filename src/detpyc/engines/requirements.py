"""Read lines of paths, URLs and requirements with hashes, as pip's requirements files have them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from detpyc.engines.artifacts import Artifact, absolute
from detpyc.engines.indexes import Release, default_index, located, sha256_in
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["artifacts_of_lines"]

_HASH = re.compile(r"\s--hash[= ](?:sha256:(?P<sha256>[0-9a-fA-F]{64})|\S+)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_CONTINUED = re.compile(r"\\\r?\n")
_OPTION = re.compile(r"(?<!\S)(?P<name>-\w|--[\w-]+)(?:[\s=]*(?P<value>[^\s=-]\S*))?", re.ASCII)
_INDEX = {"-i", "--index-url", "--pypi-url"}
_FURTHER = {"-r", "--requirement", "-e", "--editable"}  # what they name is installed too
_NOT_READ = "what it names is not verified; use a list that has all"
_SUFFIXES = (".whl", ".pyc")


def artifacts_of_lines(content: str, base: str, index: str | None) -> Iterator[Artifact]:
    """Yield the artifacts that the lines name.

    As for pip, options for the index apply to the whole file, wherever they are, and take precedence over others.

    Args:
        content: the lines.
        base: the directory or the URL that relative locations are relative to.
        index: the URL of the index that has what is named without a URL; by default, as for `default_index`.

    """
    lines = [_COMMENT.sub("", line).strip() for line in _CONTINUED.sub(" ", content).splitlines()]
    options = [match for line in lines if line.startswith("-") for match in _OPTION.finditer(line)]
    entries = [_entry(line, base) for line in lines if line and not line.startswith("-")]
    entries += [Artifact(option[0], failure=_NOT_READ) for option in options if option["name"] in _FURTHER]
    yield from located(entries, _indexes(options, index or default_index()))


def _indexes(options: Iterable[re.Match[str]], index: str) -> list[str]:
    """Return the indexes that options name; without any, the one that is given."""
    indexes, extra = [index], []
    for option in options:
        name, value = option["name"], (option["value"] or "").strip("'\"")
        if name in _INDEX:
            indexes = [value]
        elif name == "--extra-index-url":
            extra.append(value)
        elif name == "--no-index":
            indexes, extra = [], []
    return [*indexes, *extra]


def _entry(line: str, base: str) -> Artifact | Release:
    hashes = [match["sha256"].lower() for match in _HASH.finditer(line) if match["sha256"]]
    words = _HASH.sub("", line).strip()
    requirement = _requirement(words)
    if requirement is not None and requirement.url is None:
        if hashes:
            return Release(words, requirement.name, frozenset(hashes))
        return Artifact(words, failure="has no SHA-256 (--hash=sha256:...) to identify its files by")
    name, at, url = words.partition(" @ ")
    location, _, fragment = (url.strip() if at else name).partition("#") if "://" in words else (words, "", "")
    sha256 = hashes[0] if hashes else sha256_in(fragment)
    try:
        return Artifact(absolute(location.partition(" ; ")[0], base), sha256)
    except DetpycError as error:
        return Artifact(words, failure=error.reason)


def _requirement(words: str) -> Requirement | None:
    """Return a requirement as in PEP 508; None for a path or a URL."""
    try:
        return None if words.endswith(_SUFFIXES) else Requirement(words)
    except InvalidRequirement:
        return None
