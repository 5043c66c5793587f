from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from detpyc import Artifact, DetpycError
from detpyc.engines import lists
from detpyc.engines.lists import parse_list, read_list

if TYPE_CHECKING:
    from pathlib import Path

DIGEST, OTHER = "a1" * 32, "b2" * 32
PYLOCK = f"""\
lock-version = "1.0"
created-by = "demo"

[[packages]]
name = "demo"
version = "1.0"

[[packages.wheels]]
name = "demo-1.0-py3-none-any.whl"
url = "https://host/demo-1.0-py3-none-any.whl"
hashes = {{ sha256 = "{DIGEST}" }}

[[packages.wheels]]
name = "demo-1.0-cp312-cp312-any.whl"
path = "wheels/demo-1.0-cp312-cp312-any.whl"
hashes = {{ sha256 = "{OTHER}" }}

[[packages]]
name = "archived"
archive = {{ url = "https://host/archived-1.0-py3-none-any.whl", hashes = {{ sha256 = "{DIGEST}" }} }}

[[packages]]
name = "source"
archive = {{ path = "source-1.0.tar.gz", hashes = {{ sha256 = "{OTHER}" }} }}

[[packages]]
name = "sdist"

[packages.sdist]
name = "sdist-1.0.tar.gz"
url = "https://host/sdist-1.0.tar.gz"
hashes = {{ sha256 = "{OTHER}" }}
"""
UV_LOCK = f"""\
version = 1

[[package]]
name = "demo"
version = "1.0"
source = {{ registry = "https://host" }}
sdist = {{ url = "https://host/demo-1.0.tar.gz", hash = "sha256:{OTHER}" }}
wheels = [
    {{ url = "https://host/demo-1.0-py3-none-any.whl", hash = "sha256:{DIGEST}", size = 1 }},
    {{ url = "https://host/demo-1.0-cp312-cp312-any.whl" }},
]

[[package]]
name = "flat"
source = {{ registry = "../flat" }}
wheels = [{{ path = "flat-1.0-py3-none-any.whl" }}]

[[package]]
name = "file"
source = {{ path = "wheels/file-1.0-py3-none-any.whl" }}
wheels = [{{ filename = "file-1.0-py3-none-any.whl", hash = "sha256:{DIGEST}" }}]

[[package]]
name = "direct"
source = {{ url = "https://host/direct-1.0-py3-none-any.whl" }}
wheels = [{{ filename = "direct-1.0-py3-none-any.whl", hash = "sha256:{DIGEST}" }}]

[[package]]
name = "local"
source = {{ virtual = "." }}
"""
HTML = f"""\
<!DOCTYPE html>
<html><body>
<a href="../../demo-1.0-py3-none-any.whl#sha256={DIGEST}">demo</a>
<a href="demo-1.0.tar.gz#sha256={OTHER}">sdist</a>
<a name="anchor">none</a>
<a href="https://other/demo-2.0-py3-none-any.whl">unhashed</a>
</body></html>
"""
JSON = json.dumps(
    {
        "meta": {"api-version": "1.0"},
        "name": "demo",
        "files": [
            {"filename": "d.whl", "url": "../../d.whl", "hashes": {"sha256": DIGEST}},
            {"filename": "d.tar.gz", "url": "d.tar.gz", "hashes": {}},
            {"filename": "e.whl", "url": "https://other/e.whl", "hashes": {"md5": "00"}},
        ],
    }
)
LINES = f"""\
# paths and requirements
a.whl
sub/b.whl  # a comment
/c.whl --hash=sha256:{DIGEST}

--index-url https://host/simple
demo @ https://host/d.whl \\
    --hash=sha256:{DIGEST} \\
    --hash=md5:00
https://host/e.whl#sha256={OTHER}
https://host/f.whl
demo[extra] @ https://host/g.whl ; python_version > "3" --hash=sha256:{DIGEST.upper()}
"""


def both(content: str, name: str) -> list[Artifact]:
    return [*parse_list(content, name, "/base")]


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.dev.toml"])
def test_pylock(name: str) -> None:
    pytest.importorskip("packaging.pylock")
    assert both(PYLOCK, name) == [
        Artifact("https://host/demo-1.0-py3-none-any.whl", DIGEST),
        Artifact("/base/wheels/demo-1.0-cp312-cp312-any.whl", OTHER),
        Artifact("https://host/archived-1.0-py3-none-any.whl", DIGEST),
    ]


def test_uv_lock() -> None:
    """As uv 0.13.9 writes it."""
    assert both(UV_LOCK, "uv.lock") == [
        Artifact("https://host/demo-1.0-py3-none-any.whl", DIGEST),
        Artifact("https://host/demo-1.0-cp312-cp312-any.whl"),
        Artifact("/base/../flat/flat-1.0-py3-none-any.whl"),
        Artifact("/base/wheels/file-1.0-py3-none-any.whl", DIGEST),
        Artifact("https://host/direct-1.0-py3-none-any.whl", DIGEST),
    ]
    assert [*parse_list(UV_LOCK, "uv.lock", "https://other/x/uv.lock")][2:4] == [
        Artifact("https://other/flat/flat-1.0-py3-none-any.whl"),
        Artifact("https://other/x/wheels/file-1.0-py3-none-any.whl", DIGEST),
    ]


def test_pages_of_an_index() -> None:
    base = "https://host/simple/demo/"
    assert [*parse_list(HTML, "demo", base)] == [
        Artifact("https://host/demo-1.0-py3-none-any.whl", DIGEST),
        Artifact("https://other/demo-2.0-py3-none-any.whl"),
    ]
    assert [*parse_list(JSON, "demo", base)] == [
        Artifact("https://host/d.whl", DIGEST),
        Artifact("https://other/e.whl"),
    ]


def test_lines() -> None:
    assert both(LINES, "requirements.txt") == [
        Artifact("/base/a.whl"),
        Artifact("/base/sub/b.whl"),
        Artifact("/c.whl", DIGEST),
        Artifact("https://host/d.whl", DIGEST),
        Artifact("https://host/e.whl", OTHER),
        Artifact("https://host/f.whl"),
        Artifact("https://host/g.whl", DIGEST),
    ]


def test_lines_of_a_page() -> None:
    assert [*parse_list("sub/a.whl\n//[/b.whl\n", "list", "https://host/lists/list")] == [
        Artifact("https://host/lists/sub/a.whl"),
        Artifact("//[/b.whl", failure="is not a valid URL: Invalid IPv6 URL"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("pylock.toml", "[", "is not valid TOML"),
        ("pylock.toml", 'lock-version = "9.0"\ncreated-by = "x"\npackages = []', "is not a lock file as in PEP 751"),
        ("pylock.toml", UV_LOCK, "is not a lock file as in PEP 751"),
        ("uv.lock", "version = 2", "has the version 2; 1 is supported"),
        ("uv.lock", "version = 1\npackage = 3", "is not a lock file of uv"),
        ("poetry.lock", '[[package]]\nname = "demo"', "is a lock file of another format"),
        ("Pipfile.lock", "{}", "is a lock file of another format"),
        ("page", '{"files": 3}', "is not a page of the simple API"),
        ("page", "{", "is not a page of the simple API"),
        ("uv.lock", 'version = 1\n[[package]]\nname = "x"\nwheels = [{path = "x.whl"}]', "is not a lock file of uv"),
        ("list", "\udcff", "is not UTF-8"),
    ],
)
def test_bad_lists(tmp_path: Path, name: str, content: str, message: str) -> None:
    pytest.importorskip("packaging.pylock")
    (tmp_path / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DetpycError) as caught:
        read_list(tmp_path / name)
    assert caught.value.path == str(tmp_path / name)
    assert message in caught.value.reason
    assert "\n" not in caught.value.reason


def test_list_is_read_once_within_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list").write_text("a.whl\n./a.whl\nb.whl\na.whl\n")
    assert read_list(tmp_path / "list") == [Artifact(str(tmp_path / "a.whl")), Artifact(str(tmp_path / "b.whl"))]
    monkeypatch.setattr(lists, "MAX_LIST", 5)
    with pytest.raises(DetpycError, match="the limit is 5"):
        read_list(tmp_path / "list")
