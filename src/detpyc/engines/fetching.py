"""Fetch an artifact to a local file, within a limit of size, and with the right hash.

urllib3 does the transfers: pip and Requests build on it, distributed needs it anyway, and it needs nothing else. It
verifies certificates by default, and lets the caller decide about each redirect.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from detpyc.engines.artifacts import absolute, split_url
from detpyc.errors import DetpycError, TooLargeError
from detpyc.files import open_regular
from detpyc.limits import MAX_ARTIFACT, MAX_LIST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse

    from detpyc.engines.artifacts import Artifact

__all__ = ["ATTEMPTS", "DownloadError", "NotFoundError", "UnreachableError", "fetch_page", "fetched"]

ATTEMPTS = 3  # for what may succeed if it is tried again

_CHUNK = 1 << 20  # bytes
_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_OK = 200
_NOT_FOUND = {404, 410}
_CONNECT_TIMEOUT, _READ_TIMEOUT = 10.0, 60.0  # seconds
_HEADERS = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.1, */*;q=0.01", "Accept-Encoding": "identity"}
_NAME = re.compile(r"[\w.+!-]+\.(?:whl|pyc)", re.ASCII)


class DownloadError(DetpycError):
    """A download that failed, and may succeed if it is tried again."""


class UnreachableError(DownloadError):
    """A server that sends no complete answer."""


class NotFoundError(DetpycError):
    """A URL that the server does not know."""


@contextmanager
def fetched(artifact: Artifact) -> Iterator[tuple[Path, str]]:
    """Provide an artifact as a local file, with its SHA-256; a download is removed afterwards.

    Raises:
        DownloadError: if the transfer fails.
        DetpycError: if the artifact may not be fetched, is too large, or has another hash.

    """
    url = split_url(artifact.location if "://" in artifact.location else "")
    if url.scheme in {"", "file"}:
        path = Path(unquote(url.path) if url.scheme else artifact.location)
        with open_regular(path) as stream:
            digest = _copied(stream.read, None, MAX_ARTIFACT)
        yield path, _checked(artifact, digest)
        return
    if url.scheme not in {"http", "https"}:
        raise DetpycError(f"is a URL of {url.scheme}; https, http and file are supported", path=artifact.location)
    if artifact.sha256 is None:
        raise DetpycError("has no SHA-256, so what is downloaded cannot be checked", path=artifact.location)
    name = unquote(url.path).rpartition("/")[2]
    if not _NAME.fullmatch(name):
        raise DetpycError("its name is not that of a wheel or pyc", path=artifact.location)
    with TemporaryDirectory(prefix="detpyc-") as directory:
        path = Path(directory, name)
        with path.open("wb") as stream:
            digest, _ = _download(artifact.location, stream, MAX_ARTIFACT)
        yield path, _checked(artifact, digest)


def fetch_page(url: str) -> tuple[bytes, str]:
    """Download a list of artifacts, or a page of an index. If that fails, it is tried twice more.

    Returns:
        The content, and the URL that it was downloaded from, after redirects.

    Raises:
        DownloadError: if the transfer fails.
        DetpycError: if it cannot be downloaded, or is too large.

    """
    if split_url(url).scheme not in {"http", "https"}:
        raise DetpycError("is not a URL of http or https", path=url)
    for attempt in range(1, ATTEMPTS):
        try:
            return _page(url)
        except DownloadError:
            time.sleep(attempt)
    return _page(url)


def _page(url: str) -> tuple[bytes, str]:
    content = BytesIO()
    _, location = _download(url, content, MAX_LIST)
    return content.getvalue(), location


def _checked(artifact: Artifact, digest: str) -> str:
    if artifact.sha256 is not None and digest != artifact.sha256.lower():
        raise DetpycError(f"has the SHA-256 {digest}, not {artifact.sha256}", path=artifact.location)
    return digest


def _copied(read: Callable[[int], bytes], target: BinaryIO | None, limit: int) -> str:
    """Read a stream to its end, copy it to another one, if any, and return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    while chunk := read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"has more than {limit} bytes, and no more are read")
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
    return digest.hexdigest()


def _download(url: str, target: BinaryIO, limit: int) -> tuple[str, str]:
    """Download a URL, and return the SHA-256 of what it is, and where that was after redirects."""
    try:
        import urllib3  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DetpycError('cannot be downloaded without urllib3: pip install "detpyc[batch]"', path=url) from error
    timeout = urllib3.Timeout(connect=_CONNECT_TIMEOUT, read=_READ_TIMEOUT)
    location = url
    try:
        with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
            for _ in range(_MAX_REDIRECTS + 1):
                response = pool.request("GET", location, headers=_HEADERS, redirect=False, preload_content=False)
                try:
                    if response.status not in _REDIRECTS:
                        return _received(response, url, target, limit), location
                    location = _redirected(location, response.headers.get("Location", ""), url)
                finally:
                    response.close()
    except urllib3.exceptions.HTTPError as error:
        raise UnreachableError(f"the download failed: {error}", path=url) from error
    except DetpycError as error:
        error.path = url
        raise
    raise DetpycError(f"has more than {_MAX_REDIRECTS} redirects", path=url)


def _received(response: BaseHTTPResponse, url: str, target: BinaryIO, limit: int) -> str:
    if response.status in _NOT_FOUND:
        raise NotFoundError(f"the server answered with status {response.status}", path=url)
    if response.status != _OK:
        # The server's fault, or that of the number of requests, passes; a file that is missing stays so.
        kind = DownloadError if response.status >= 500 or response.status in {408, 429} else DetpycError  # noqa: PLR2004
        raise kind(f"the server answered with status {response.status}", path=url)
    return _copied(lambda size: response.read(size, decode_content=True), target, limit)


def _redirected(location: str, target: str, url: str) -> str:
    """Return where a redirect leads.

    Raises:
        DetpycError: if it leads to another host over plain HTTP, or away from HTTPS.

    """
    redirected = absolute(target, location)
    old, new = split_url(location), split_url(redirected)
    same_host = (old.scheme, old.netloc) == (new.scheme, new.netloc)
    if new.scheme != "https" and not (new.scheme == "http" and same_host):
        raise DetpycError(f"is redirected to {new.scheme}://{new.netloc}, which is refused: not over HTTPS", path=url)
    return redirected
