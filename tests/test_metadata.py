"""What PyPI shows: the README with absolute links, and the addresses of the project."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TARGET = re.compile(r"\]\(([^()\s]+)\)")


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    command = [sys.executable, "-m", "hatchling", "metadata"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    parsed: dict[str, Any] = json.loads(printed)
    return parsed


def test_readme_has_no_relative_links(metadata: dict[str, Any]) -> None:
    relative = TARGET.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    absolute = TARGET.findall(metadata["readme"]["text"])
    assert metadata["readme"]["content-type"] == "text/markdown"
    assert len(absolute) == len(relative) > 0
    assert [target for target in absolute if not target.startswith("https://")] == []


def test_links_lead_to_files_of_the_repository(metadata: dict[str, Any]) -> None:
    """Pages to where they are shown, pictures to where they are sent as they are."""
    source = metadata["urls"]["Source"]
    text = metadata["readme"]["text"]
    pages = re.findall(rf"(?<!!)\[[^\]]*\]\({re.escape(source)}/blob/HEAD/([^()\s#]+)", text)
    pictures = re.findall(rf"!\[[^\]]*\]\({re.escape(source)}/raw/HEAD/([^()\s]+)\)", text)
    assert "docs/terminal.svg" in pictures
    assert [path for path in (*pages, *pictures) if not (ROOT / path).is_file()] == []
    assert text.count(source) == len(pages) + len(pictures)


def test_there_is_one_address(metadata: dict[str, Any]) -> None:
    source = metadata["urls"]["Source"]
    assert [url for url in metadata["urls"].values() if url != source and not url.startswith(f"{source}/")] == []
