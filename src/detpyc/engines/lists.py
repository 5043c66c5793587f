"""Read the lists that name artifacts to verify.

A list is one of these, which its name or its content says:

- ``pylock.toml`` (PEP 751) and ``uv.lock``: the wheels that they lock;
- a page of the simple API (PEP 503, PEP 691): the wheels that it links to;
- anything else: paths and URLs, one per line, and as in a requirements file, hashes, comments and ``name @ URL``.

"""

from __future__ import annotations

import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin, urlsplit

from detpyc.engines.artifacts import Artifact
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

_HASH = re.compile(r"\s--hash[= ](?:sha256:(?P<sha256>[0-9a-fA-F]{64})|\S+)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_CONTINUED = re.compile(r"\\\r?\n")
_UV_LOCK_VERSION = 1  # of its format


def read_list(location: str | os.PathLike[str]) -> list[Artifact]:
    """Read a list of artifacts.

    Args:
        location: a path, or a URL, such as that of a page of an index. What is relative in the list is relative to it.

    Returns:
        The artifacts, each once.

    Raises:
        DetpycError: if it cannot be read, or has another format than its name says.

    """
    name = os.fspath(location)
    try:
        if "://" in name:
            from detpyc.engines.fetching import fetch_page  # noqa: PLC0415 - rarely needed

            content, base = fetch_page(name), name
        else:
            content, base = read_file(name, MAX_LIST), str(Path(name).resolve().parent)
        return [*dict.fromkeys(parse_list(content.decode(), name.rstrip("/").rpartition("/")[2], base))]
    except UnicodeDecodeError as error:
        raise DetpycError("is not UTF-8", path=name) from error
    except DetpycError as error:
        error.path = name
        raise


def parse_list(content: str, name: str, base: str) -> Iterator[Artifact]:
    """Yield the artifacts of a list.

    Args:
        content: of the file.
        name: of the file.
        base: the directory or the URL that relative locations are relative to.

    Raises:
        DetpycError: if it has another format than its name says.

    """
    if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name):
        yield from _of_pylock(_toml(content), base)
    elif name == "uv.lock":
        yield from _of_uv_lock(_toml(content), base)
    elif content.lstrip().startswith("{"):
        yield from _of_json_page(content, base)
    elif content.lstrip().lower().startswith(("<!doctype html", "<html")):
        yield from _of_html_page(content, base)
    else:
        yield from _of_lines(content, base)


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
            location = wheel.url or wheel.path
            if location is not None:
                yield Artifact(_location(location, base), wheel.hashes.get("sha256"))


def _of_uv_lock(table: Mapping[str, Any], base: str) -> Iterator[Artifact]:
    if table.get("version") != _UV_LOCK_VERSION:
        raise DetpycError(f"has the version {table.get('version')!r:.100}; {_UV_LOCK_VERSION} is supported")
    try:
        for package in table.get("package", ()):
            for wheel in package.get("wheels", ()):
                location = wheel.get("url") or wheel.get("path")
                if location is not None:
                    yield Artifact(_location(location, base), _sha256(wheel.get("hash")))
    except (AttributeError, TypeError) as error:
        raise DetpycError(f"is not a lock file of uv: {error}") from error


def _sha256(text: str | None) -> str | None:
    """Return the hash in ``sha256:…`` or ``sha256=…``; None for any other."""
    match = re.fullmatch(r"sha256[:=]([0-9a-fA-F]{64})", text or "")
    return match[1].lower() if match else None


def _of_json_page(content: str, base: str) -> Iterator[Artifact]:
    try:
        for file in json.loads(content)["files"]:
            if file["filename"].endswith(".whl"):
                yield Artifact(_location(file["url"], base), file["hashes"].get("sha256"))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise DetpycError(f"is not a page of the simple API (PEP 691): {error!r:.100}") from error


class _Links(HTMLParser):
    """Collects the links of a page; ``base`` elements count."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if target and tag == "base":
            self.base = target
        elif target and tag == "a":
            self.links.append(urljoin(self.base, target))


def _of_html_page(content: str, base: str) -> Iterator[Artifact]:
    page = _Links()
    page.feed(content)
    for link in page.links:
        location, fragment = urldefrag(link)
        if urlsplit(location).path.endswith(".whl"):
            yield Artifact(_location(location, base), _sha256(fragment))


def _of_lines(content: str, base: str) -> Iterator[Artifact]:
    for line in _CONTINUED.sub(" ", content).splitlines():
        text = _COMMENT.sub("", line)
        hashes = [match["sha256"].lower() for match in _HASH.finditer(text) if match["sha256"]]
        words = _HASH.sub("", text).strip()
        if not words or words.startswith("-"):  # options of pip
            continue
        requirement, at, url = words.partition(" @ ")
        location, fragment = urldefrag(url.strip() if at else requirement) if "://" in words else (words, "")
        location = location.partition(" ; ")[0]
        if "://" not in location and re.search(r"[=<>~!]=", location):
            raise DetpycError(
                f"names {location!r:.100} without a URL, and detpyc resolves none; lock it: `uv export --format"
                " pylock.toml` or `pip lock`"
            )
        yield Artifact(_location(location, base), hashes[0] if hashes else _sha256(fragment))


def _location(text: str, base: str) -> str:
    """Return a URL as it is, and the URL or path of anything else."""
    if "://" in text:
        return text
    return urljoin(base, text) if "://" in base else str(Path(base, text))
