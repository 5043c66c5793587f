"""Find the files of releases in indexes, by their hashes: the simple API (PEP 503, PEP 691)."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from detpyc.engines.artifacts import Artifact, absolute, split_url
from detpyc.engines.fetching import NotFoundError, UnreachableError, fetch_page
from detpyc.errors import DetpycError
from detpyc.executor import Executor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["WHEEL", "Release", "default_index", "files_of_page", "located", "sha256_in"]

WHEEL = ".whl"
_PYPI = "https://pypi.org/simple/"
_VARIABLES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")
_NAME = re.compile(r"[\w.-]+=", re.ASCII)  # of an index, before its URL in a variable of uv
_CONNECTIONS = 8  # at the same time


@dataclass(frozen=True, slots=True)
class Release:
    """A release that a list names with the hashes of its files, but without their URLs.

    Attributes:
        requirement: as the list has it, without the hashes.
        project: its name.
        hashes: the SHA-256 of files that are acceptable, in hexadecimal.

    """

    requirement: str
    project: str
    hashes: frozenset[str]


def default_index() -> str:
    """Return the URL of the index that pip and uv are configured to use in the environment; otherwise that of PyPI."""
    urls = (_NAME.sub("", os.environ.get(name, "").strip(), count=1) for name in _VARIABLES)
    return next(filter(None, urls), _PYPI)


def located(entries: Sequence[Artifact | Release], indexes: Sequence[str]) -> Iterator[Artifact]:
    """Yield the artifacts of a list, with the wheels of its releases in their place.

    A file is identified by its hash, so the version does not matter, and neither does the order of the indexes. An
    artifact that has a failure takes the place of a release that no index has, and of what an index does not say.

    Args:
        entries: of the list.
        indexes: the URLs of the indexes.

    """
    readers = [_Index(url) for url in indexes]
    releases = [entry for entry in entries if isinstance(entry, Release)]
    with Executor(_CONNECTIONS) as executor:
        found = executor.map(lambda release: [*_wheels(release, readers)], releases)
        for entry in entries:
            if isinstance(entry, Release):
                yield from next(found)
            else:
                yield entry


class _Index:
    """An index, which is not asked again once it is unreachable."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/"
        self.unreachable: UnreachableError | None = None

    def files(self, project: str) -> list[tuple[str, Artifact]]:
        """Return the files of a project, with their names.

        Raises:
            NotFoundError: if there is no such project.
            DetpycError: if its page cannot be read.

        """
        url = split_url(self.url)
        if "@" in url.netloc:
            raise DetpycError("an index that needs a user name or a password is not supported", path=url.hostname)
        if self.unreachable is not None:
            raise self.unreachable
        page = f"{self.url}{canonicalize_name(project)}/"
        try:
            content, base = fetch_page(page)
            return [*files_of_page(content.decode(), base)]
        except UnreachableError as error:
            error.path = self.url
            self.unreachable = error
            raise
        except NotFoundError as error:
            raise NotFoundError(f"has no project {project}", path=self.url) from error
        except UnicodeDecodeError as error:
            raise DetpycError("is not UTF-8", path=page) from error
        except DetpycError as error:
            error.path = page
            raise


def _wheels(release: Release, indexes: Sequence[_Index]) -> Iterator[Artifact]:
    found: dict[str | None, tuple[str, Artifact]] = {}
    reasons, failed = [], False
    for index in indexes:
        try:
            files = [(name, file) for name, file in index.files(release.project) if file.sha256 in release.hashes]
        except DetpycError as error:
            reasons.append(str(error))
            failed = failed or not isinstance(error, NotFoundError)
            continue
        if not files:
            reasons.append(f"{index.url}: has no file of {release.project} with one of these hashes")
        for name, file in files:
            found.setdefault(file.sha256, (name, file))
    yield from (file for name, file in found.values() if name.endswith(WHEEL))
    if failed or not found:
        yield Artifact(release.requirement, failure="; ".join(reasons) or "cannot be located: the list has --no-index")


def files_of_page(content: str, base: str) -> Iterator[tuple[str, Artifact]]:
    """Yield the names of the files that a page of the simple API links to, and the files.

    Args:
        content: the page, in JSON or HTML.
        base: its URL.

    Raises:
        DetpycError: if it is JSON, and not such a page.

    """
    if not content.lstrip().startswith("{"):
        yield from _links(content, base)
        return
    try:
        for file in json.loads(content)["files"]:
            sha256 = sha256_in(f"sha256={file['hashes'].get('sha256')}")
            yield str(file["filename"]), Artifact(absolute(file["url"], base), sha256)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise DetpycError(f"is not a page of the simple API (PEP 691): {error!r:.100}") from error


class _Links(HTMLParser):
    """Collects the links of a page, and its ``base`` element."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if target and tag == "base":
            self.base = target
        elif target and tag == "a":
            self.links.append(target)


def _links(content: str, base: str) -> Iterator[tuple[str, Artifact]]:
    page = _Links()
    page.feed(content)
    base = absolute(page.base, base)
    for link in page.links:
        location, _, fragment = link.partition("#")
        name = location.partition("?")[0].rpartition("/")[2]
        yield name, Artifact(absolute(location, base), sha256_in(fragment))


def sha256_in(text: str | None) -> str | None:
    """Return the hash in ``sha256:…`` or ``sha256=…``; None for any other."""
    match = re.fullmatch(r"sha256[:=]([0-9a-fA-F]{64})", text or "")
    return match[1].lower() if match else None
