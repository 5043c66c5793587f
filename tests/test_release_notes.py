"""The notes of a release, from the changelog."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from detpyc import __version__

SCRIPT = Path(__file__).parents[1] / ".github" / "release_notes.py"
CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- A later thing.

## [1.2.0] - 2026-11-21

It is the first, and
has a second line.

### Added

- A thing with [a page](docs/page.md#part), which
  is described there, and [a site](https://example.org/).
- Another.

| a | b |
|---|---|
| 1 | 2 |

## [1.1.0] - 2026-11-20
"""
NOTES = """\
It is the first, and has a second line.

### Added

- A thing with a page, which is described there, and [a site](https://example.org/).
- Another.

| a | b |
|---|---|
| 1 | 2 |
"""

specification = spec_from_file_location("release_notes", SCRIPT)
assert specification
assert specification.loader
release_notes = module_from_spec(specification)
specification.loader.exec_module(release_notes)


def test_notes_are_a_section_of_the_changelog() -> None:
    assert release_notes.notes_of("1.2.0", CHANGELOG) == NOTES


@pytest.mark.parametrize("version", ["1.1.0", "1.2", "1x2.0", "Unreleased.*"])
def test_versions_without_changes(version: str) -> None:
    with pytest.raises(ValueError, match=r"CHANGELOG\.md has no changes under the heading: "):
        release_notes.notes_of(version, CHANGELOG)


def test_tag_of_another_version() -> None:
    completed = subprocess.run([sys.executable, SCRIPT, "v0.0.9"], capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr == f"the tag v0.0.9 is not of version {__version__}, which pyproject.toml has\n"


def test_own_changes_become_notes() -> None:
    changelog = (SCRIPT.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+)\]", changelog, re.MULTILINE)
    assert newest
    notes = release_notes.notes_of(newest[1], changelog)
    assert "](docs/" not in notes
    assert "\n  " not in notes
