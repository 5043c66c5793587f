"""The documentation: its links, and what it says about the code."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = {page.relative_to(ROOT).as_posix(): page for page in [*ROOT.glob("*.md"), *DOCS.glob("**/*.md")]}
MAX_README = 200  # lines

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor of every link to a file."""
    found = []
    for target in LINK.findall(prose(page)):
        name, _, anchor = target.partition("#")
        if "://" not in name:
            found.append(((page.parent / name).resolve() if name else page, anchor))
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    kept = f"{string.ascii_lowercase}{string.digits}-_ "
    return {
        "".join(character for character in heading.lower() if character in kept).replace(" ", "-")
        for heading in HEADING.findall(prose(page))
    }


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_README


@pytest.mark.parametrize("name", sorted(PAGES))
def test_links(name: str) -> None:
    broken = []
    for target, anchor in links(PAGES[name]):
        if not target.exists():
            broken.append(f"{target.relative_to(ROOT)} does not exist")
        elif anchor and anchor not in anchors(target):
            broken.append(f"{target.relative_to(ROOT)} has no heading for #{anchor}")
    assert broken == []


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [target for target, _ in links(page)]
    assert set(PAGES.values()) - reached == set()
