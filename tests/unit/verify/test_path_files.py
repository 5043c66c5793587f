"""What ``.pth`` files add to ``sys.path``, compared with what Python adds."""

from __future__ import annotations

import site
import sys
from typing import TYPE_CHECKING

from detpyc.verify.path_files import added_paths

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONTENT = b"\xef\xbb\xbfone\n# two\nthree  \r\nimport os\nimport\tos\n\nfour/../five\nimportant\none\n../six\n"
NAMES = ("one", "three", "five", "important", "six")


def test_added_paths() -> None:
    assert [*added_paths("lib/demo.pth", CONTENT)] == ["lib/one", "lib/three", "lib/five", "lib/important", "six"]


def test_absolute_paths() -> None:
    assert [*added_paths("lib/demo.pth", b"/opt/x")] == ["/opt/x"]


def test_python_adds_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "lib"
    for name in ("four", *NAMES):
        (directory / name).mkdir(parents=True)
    (tmp_path / "six").mkdir()
    (directory / "demo.pth").write_bytes(CONTENT.removeprefix(b"\xef\xbb\xbf"))
    monkeypatch.setattr(sys, "path", [])
    site.addsitedir(str(directory), set())
    added = {*added_paths((directory / "demo.pth").as_posix(), CONTENT)}
    found = {path.replace("\\", "/") for path in sys.path[1:]}
    assert found == added
