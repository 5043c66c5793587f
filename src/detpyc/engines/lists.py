"""Read the lists that name artifacts to verify.

A list is one of these, which its name or its content says:

- ``pylock.toml`` (PEP 751) and ``uv.lock``: the wheels that they lock;
- a page of the simple API (PEP 503, PEP 691): the wheels that it links to;
- anything else: paths and URLs, one per line, or requirements with hashes, as in a requirements file.

"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from detpyc.engines.artifacts import Artifact, absolute
from detpyc.engines.fetching import fetch_page
from detpyc.engines.indexes import WHEEL, files_of_page, sha256_in
from detpyc.engines.requirements import artifacts_of_lines
from detpyc.errors import DetpycError
from detpyc.files import read_file
from detpyc.limits import MAX_LIST

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["parse_list", "read_list"]

_UV_LOCK_VERSION = 1  # of its format


def read_list(location: str | os.PathLike[str], index: str | None = None) -> list[Artifact]:
    """Read a list of artifacts.

    Args:
        location: a path, or a URL, such as that of a page of an index. What is relative in the list is relative to it.
        index: the URL of the index that has what the list names without a URL, unless the list names one; by default,
            as for `default_index`.

    Returns:
        The artifacts, each once.

    Raises:
        DetpycError: if it cannot be read, or has another format than its name says.

    """
    name = os.fspath(location)
    try:
        if "://" in name:
            content, base = fetch_page(name)
        else:
            content, base = read_file(name, MAX_LIST), str(Path(name).resolve().parent)
        return [*dict.fromkeys(parse_list(content.decode(), name.rstrip("/").rpartition("/")[2], base, index))]
    except UnicodeDecodeError as error:
        raise DetpycError("is not UTF-8", path=name) from error
    except DetpycError as error:
        error.path = name
        raise


def parse_list(content: str, name: str, base: str, index: str | None = None) -> Iterator[Artifact]:
    """Yield the artifacts of a list.

    Args:
        content: of the file.
        name: of the file.
        base: the directory or the URL that relative locations are relative to.
        index: as for `read_list`.

    Raises:
        DetpycError: if it has another format than its name says.

    """
    if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name):
        yield from _of_pylock(_toml(content), base)
    elif name == "uv.lock":
        yield from _of_uv_lock(_toml(content), base)
    elif name.endswith((".lock", ".toml")):
        raise DetpycError("is a lock file of another format; export a pylock.toml, or requirements with hashes")
    elif content.lstrip().lower().startswith(("{", "<!doctype html", "<html")):
        yield from (file for name, file in files_of_page(content, base) if name.endswith(WHEEL))
    else:
        yield from artifacts_of_lines(content, base, index)


def _toml(content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DetpycError(f"is not valid TOML: {error}") from error


def _of_pylock(table: Mapping[str, Any], base: str) -> Iterator[Artifact]:
    try:
        from packaging.pylock import Pylock, PylockValidationError  # noqa: PLC0415 - newer than the oldest version of packaging
    except ImportError as error:
        raise DetpycError('needs a newer packaging: pip install "detpyc[batch]"') from error
    try:
        lock = Pylock.from_dict(table)
    except PylockValidationError as error:  # also for a version that packaging does not know
        raise DetpycError(f"is not a lock file as in PEP 751: {error}") from error
    for package in lock.packages:
        for wheel in package.wheels or ():
            yield Artifact(absolute(wheel.url or wheel.path or "", base), wheel.hashes.get("sha256"))
        archive = package.archive
        location = (archive.url or archive.path or "") if archive is not None else ""
        if archive is not None and urlsplit(location).path.endswith(WHEEL):  # uv's, for a wheel that a project names
            yield Artifact(absolute(location, base), archive.hashes.get("sha256"))


def _of_uv_lock(table: Mapping[str, Any], base: str) -> Iterator[Artifact]:
    if table.get("version") != _UV_LOCK_VERSION:
        raise DetpycError(f"has the version {table.get('version')!r:.100}; {_UV_LOCK_VERSION} is supported")
    try:
        for package in table.get("package", ()):
            for wheel in package.get("wheels", ()):
                yield Artifact(_of_uv_wheel(wheel, package["source"], base), sha256_in(wheel.get("hash")))
    except (AttributeError, KeyError, TypeError) as error:
        raise DetpycError(f"is not a lock file of uv: {error!r:.100}") from error


def _of_uv_wheel(wheel: Mapping[str, str], source: Mapping[str, str], base: str) -> str:
    """Return where a wheel is: at its URL, below a directory that is the registry, or where the source says.

    Source: ``WheelWireSource`` in uv's ``crates/uv-resolver/src/lock/mod.rs``.
    """
    if "url" in wheel:
        return absolute(wheel["url"], base)
    if "path" in wheel:
        return absolute(wheel["path"], absolute(f"{source['registry']}/", base))
    return absolute(source.get("url") or source["path"], base)
