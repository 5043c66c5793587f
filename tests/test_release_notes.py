"""The notes of a release, from the changelog."""

from __future__ import annotations

import re
import shutil
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


def copied(directory: Path) -> Path:
    """Copy the script with what it reads, as a release has it, and return its path."""
    for name in ("pyproject.toml", "CHANGELOG.md", "docs/ci.md"):
        text = (SCRIPT.parents[1] / name).read_text(encoding="utf-8")
        for placeholder in release_notes.PLACEHOLDERS.values():
            text = text.replace(placeholder, "https://git.test/detpyc")
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(
            text.replace("## [Unreleased]", f"## [{__version__}] - 2026-11-21"), encoding="utf-8"
        )
    (directory / ".github").mkdir()
    return Path(shutil.copy(SCRIPT, directory / ".github"))


def run(script: Path, tag: str) -> tuple[int, str, str]:
    completed = subprocess.run([sys.executable, script, tag], capture_output=True, text=True, check=False)
    return completed.returncode, completed.stdout, completed.stderr


def test_release_that_is_ready(tmp_path: Path) -> None:
    status, notes, error = run(copied(tmp_path), f"v{__version__}")
    assert (status, error) == (0, "")
    assert "### Added" in notes


def test_tag_of_another_version(tmp_path: Path) -> None:
    expected = f"the tag v0.0.9 is not of version {__version__}, which pyproject.toml has\n"
    assert run(copied(tmp_path), "v0.0.9") == (1, "", expected)


@pytest.mark.parametrize("name", release_notes.PLACEHOLDERS)
def test_release_without_an_address(tmp_path: Path, name: str) -> None:
    script = copied(tmp_path)
    placeholder = release_notes.PLACEHOLDERS[name]
    (tmp_path / name).write_text(f"{placeholder}/issues", encoding="utf-8")
    expected = f"{name} has the placeholder {placeholder}; replace it with the address of the repository\n"
    assert run(script, f"v{__version__}") == (1, "", expected)


def test_placeholders_are_nowhere_else() -> None:
    """So what CONTRIBUTING.md says about the first release is complete."""
    root = SCRIPT.parents[1]
    folders = (".github", "benchmarks", "docs", "rpm", "share", "spec", "src", "test-projects")
    found = {
        (path.relative_to(root).as_posix(), placeholder)
        for path in [*root.glob("*.*"), *(path for folder in folders for path in (root / folder).glob("**/*.*"))]
        if path.is_file() and not {"__pycache__", "_build", "repository"} & {*path.parts}
        for placeholder in release_notes.PLACEHOLDERS.values()
        if placeholder.encode() in path.read_bytes()
    }
    explained = {file for file in found if file[0] in {"CONTRIBUTING.md", ".github/release_notes.py"}}
    assert found - explained <= set(release_notes.PLACEHOLDERS.items())


def test_own_changes_become_notes() -> None:
    changelog = (SCRIPT.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(.+)\]", changelog, re.MULTILINE)
    assert newest
    notes = release_notes.notes_of(newest[1], changelog)
    assert "](docs/" not in notes
    assert "\n  " not in notes
