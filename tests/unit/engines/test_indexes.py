"""Requirements with hashes and without URLs, against indexes on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from detpyc import Artifact, DetpycError
from detpyc.engines import indexes
from detpyc.engines.indexes import default_index, files_of_page
from detpyc.engines.lists import parse_list

if TYPE_CHECKING:
    from collections.abc import Callable

WHEEL, OTHER, SDIST, UNLISTED = ("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32)


def html(*files: tuple[str, str]) -> bytes:
    links = "".join(f'<a href="../../files/{name}#sha256={digest}">{name}</a>\n' for name, digest in files)
    return f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>".encode()


def in_json(*files: tuple[str, str]) -> bytes:
    found = [{"filename": name, "url": f"/files/{name}", "hashes": {"sha256": digest}} for name, digest in files]
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": found}).encode()


FILES = (
    ("demo-1.0-py3-none-any.whl", WHEEL),
    ("demo-1.0-cp312-cp312-any.whl", OTHER),
    ("demo-1.0.tar.gz", SDIST),
    ("demo-2.0-py3-none-any.whl", UNLISTED),
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)


def found(content: str, index: str) -> list[Artifact]:
    return [*parse_list(content, "requirements.txt", "/base", index)]


def always(content: bytes, status: int = 200, **headers: str) -> Callable[[int], tuple[int, dict[str, str], bytes]]:
    return lambda _: (status, headers, content)


def requirement(*hashes: str, text: str = "demo==1.0") -> str:
    return " \\\n    ".join([text, *(f"--hash=sha256:{digest}" for digest in hashes)]) + "\n    # via project\n"


def located(server: Any, name: str, digest: str) -> Artifact:
    return Artifact(f"{server.url}/files/{name}", digest)


@pytest.mark.parametrize("page", [html, in_json])
def test_wheels_with_the_hashes(server: Any, page: Callable[..., bytes]) -> None:
    server.pages = {"/simple/my-demo/": always(page(*FILES))}
    text = 'My.Demo[extra]==1.0 ; python_version > "3"'
    content = f"a.whl\n{requirement(SDIST, OTHER.upper(), WHEEL, text=text)}b.whl\n"
    for index in (f"{server.url}/simple", f"{server.url}/simple/"):
        assert found(content, index) == [
            Artifact("/base/a.whl"),
            located(server, *FILES[0]),
            located(server, *FILES[1]),
            Artifact("/base/b.whl"),
        ]


def test_release_without_wheels(server: Any) -> None:
    server.pages = {"/demo/": always(html(*FILES))}
    assert found(requirement(SDIST), server.url) == []


def test_page_that_was_moved(server: Any) -> None:
    moved = always(b"", 302, Location="/root/mirror/demo/")
    server.pages = {"/demo/": moved, "/root/mirror/demo/": always(html(*FILES))}
    (artifact,) = found(requirement(WHEEL), server.url)
    assert artifact.location == f"{server.url}/root/files/{FILES[0][0]}"


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("", ["/option/demo/"]),
        ("-i {}/file", ["/file/demo/"]),
        ("--index-url={}/file/", ["/file/demo/"]),
        ("-i{}/other --trusted-host host\n--index-url '{}/file'  # the last one counts", ["/file/demo/"]),
        ("--extra-index-url {}/extra", ["/option/demo/", "/extra/demo/"]),
        ("--no-index --find-links={}/", []),
    ],
)
def test_index_that_is_asked(server: Any, options: str, asked: list[str]) -> None:
    """As pip, whose options in a file take precedence, and apply to lines before them."""
    server.pages = {f"/{name}/demo/": always(html(FILES[0])) for name in ("option", "file", "extra", "other")}
    artifacts = found(requirement(WHEEL) + options.replace("{}", server.url), f"{server.url}/option")
    assert server.requests == asked
    if asked:
        (artifact,) = artifacts
        assert artifact.sha256 == WHEEL
    else:
        assert artifacts == [Artifact("demo==1.0", failure="cannot be located: the list has --no-index")]


def test_default_index(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_index() == "https://pypi.org/simple/"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "company=https://uv/simple?a=b")
    assert default_index() == "https://uv/simple?a=b"
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip/simple")
    assert default_index() == "https://pip/simple"


def test_default_index_is_asked(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pages = {"/demo/": always(html(*FILES))}
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    assert [*parse_list(requirement(WHEEL), "list", "/base")] == [located(server, *FILES[0])]


def failures(artifacts: list[Artifact]) -> dict[str, str | None]:
    return {artifact.location: artifact.failure for artifact in artifacts}


def test_failures_are_those_of_a_release(server: Any) -> None:
    """One for each, and the others are located."""
    server.pages = {
        "/demo/": always(html(*FILES)),
        "/broken/": always(b"", 503),
        "/bad/": always(b"{}"),
        "/binary/": always(b"\xff"),
        "/link/": always(b'<a href="//[">x</a>'),
        "/unhashed/": always(b'<a href="unhashed-1.0-py3-none-any.whl">x</a><a href="u.whl#md5=00">y</a>'),
    }
    names = ("absent", "broken", "bad", "binary", "link", "unhashed")
    lines = [requirement(WHEEL, text=f"{name}==1.0") for name in names]
    lines += [requirement("e5" * 32), requirement(WHEEL), "demo>=1.0", "demo --hash=sha512:00", "https://[/d.whl"]
    reasons = failures(found("\n".join(lines), server.url))
    assert reasons == {
        "absent==1.0": f"{server.url}/: has no project absent",
        "broken==1.0": f"{server.url}/broken/: the server answered with status 503",
        "bad==1.0": f"{server.url}/bad/: is not a page of the simple API (PEP 691): KeyError('files')",
        "binary==1.0": f"{server.url}/binary/: is not UTF-8",
        "link==1.0": f"{server.url}/link/: is not a valid URL: Invalid IPv6 URL",
        "unhashed==1.0": f"{server.url}/: has no file of unhashed with one of these hashes",
        "demo==1.0": f"{server.url}/: has no file of demo with one of these hashes",
        f"{server.url}/files/{FILES[0][0]}": None,
        "demo>=1.0": "has no SHA-256 (--hash=sha256:...) to identify its files by",
        "demo": "has no SHA-256 (--hash=sha256:...) to identify its files by",
        "https://[/d.whl": None,  # of the worker, as any URL
    }
    assert server.requests.count("/broken/") == 3


def test_unreachable_index_is_not_asked_again(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "_CONNECTIONS", 1)
    server.pages = {"/demo/": always(html(*FILES), 200, **{"Content-Length": "999999"})}
    lines = [requirement(WHEEL, text=f"demo=={version}.0") for version in range(9)]
    artifacts = found("\n".join(lines), server.url)
    assert [artifact.location for artifact in artifacts] == [f"demo=={version}.0" for version in range(9)]
    for artifact in artifacts:
        assert str(artifact.failure).startswith(f"{server.url}/: the download failed: ")
    assert server.requests == ["/demo/"] * 3


def test_every_index_counts(server: Any) -> None:
    """A file is known by its hash, wherever it is; what an index does not say is reported."""
    server.pages = {"/a/demo/": always(html(FILES[0])), "/b/demo/": always(html(*FILES)), "/c/demo/": always(b"", 403)}
    options = f"--extra-index-url {server.url}/none --extra-index-url {server.url}/b\n"
    content = options + requirement(WHEEL, OTHER)
    assert [artifact.sha256 for artifact in found(content, f"{server.url}/a")] == [WHEEL, OTHER]
    *rest, last = found(f"{content}--extra-index-url {server.url}/c\n", f"{server.url}/a")
    assert [artifact.sha256 for artifact in rest] == [WHEEL, OTHER]
    reason = f"{server.url}/c/demo/: the server answered with status 403"
    assert last == Artifact("demo==1.0", failure=f"{server.url}/none/: has no project demo; {reason}")


def test_password_is_not_repeated() -> None:
    (artifact,) = found(requirement(WHEEL), "https://user:secret@host/simple")
    assert artifact.failure == "host: an index that needs a user name or a password is not supported"


@pytest.mark.parametrize("line", ["-r other.txt", "--requirement=other.txt", "-e .", "--editable ./demo"])
def test_what_is_elsewhere_is_reported(line: str) -> None:
    assert failures(found(f"{line}\n-c constraints.txt\n--pre\n", "https://host")) == {
        line: "what it names is not verified; use a list that has all"
    }


def test_base_of_a_page() -> None:
    page = '<base href="../files/"><a href="d.whl?x=://#sha256=00">d</a>'
    assert [*files_of_page(page, "https://host/simple/demo/")] == [
        ("d.whl", Artifact("https://host/simple/files/d.whl?x=://"))
    ]
    with pytest.raises(DetpycError, match="is not a valid URL"):
        [*files_of_page('<base href="//["><a href="d.whl">d</a>', "https://host/")]
