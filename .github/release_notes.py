"""Print the notes of a release, from the changelog: ``release_notes.py v0.1.0``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What stands for the address of the repository until there is one, by the file that contains it.
PLACEHOLDERS = {"pyproject.toml": "https://detpyc.example", "docs/ci.md": "OWNER/detpyc"}
VERSION = re.compile(r'^version = "(.+)"$', re.MULTILINE)
SECTION = r"^## \[{}\](?: - \d{{4}}-\d\d-\d\d)?\n+(?P<notes>.*?)\s*(?=^## |\Z)"
RELATIVE_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")  # a release is shown outside the repository
# GitHub shows the ends of these lines in the notes of a release.
WRAPPED_LINE = re.compile(r"(?<=[^\n])\n(?![\n#|]|[ ]*- )[ ]*")


def notes_of(version: str, changelog: str) -> str:
    """Return the section of a version, without its heading, relative links and wrapped lines.

    Raises:
        ValueError: if the changelog has no such section, or an empty one.

    """
    section = re.search(SECTION.format(re.escape(version)), changelog, re.MULTILINE | re.DOTALL)
    if not section or not section["notes"]:
        raise ValueError(f"CHANGELOG.md has no changes under the heading: ## [{version}]")
    return WRAPPED_LINE.sub(" ", RELATIVE_LINK.sub(r"\1", section["notes"])) + "\n"


def without_address(root: Path) -> list[str]:
    """Return a message for each file that does not have the address of the repository yet."""
    return [
        f"{name} has the placeholder {placeholder}; replace it with the address of the repository"
        for name, placeholder in PLACEHOLDERS.items()
        if placeholder in (root / name).read_text(encoding="utf-8")
    ]


def main(tag: str) -> str:
    """Return the notes for a tag, or end with an error."""
    if missing := without_address(ROOT):
        sys.exit("\n".join(missing))
    version = tag.removeprefix("v")
    project = VERSION.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if not project or project[1] != version:
        sys.exit(f"the tag {tag} is not of version {project and project[1]}, which pyproject.toml has")
    try:
        return notes_of(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]))
