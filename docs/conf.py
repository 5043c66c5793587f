"""The documentation site. ``nox -s docs`` builds it into ``docs/_build``."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
REPOSITORY = DOCS.parent
METADATA = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = f"{METADATA['urls']['Source']}/blob/HEAD"

# Pages of the site from outside `docs`, which Sphinx does not read. It reads copies of them.
FROM_OUTSIDE = ("CHANGELOG", "CONTRIBUTING", "SECURITY", "spec/README", "spec/canonical-form", "spec/cpython")
COPIES = DOCS / "repository"

project = METADATA["name"]
author = METADATA["authors"][0]["name"]
copyright = author  # noqa: A001 - Sphinx names it
release = METADATA["version"]

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["README.md", "_build", "schemastore"]
nitpicky = True
smartquotes = False  # it would turn the hyphens of options into dashes

myst_heading_anchors = 4  # the anchors that GitHub makes too
highlight_language = "none"  # fenced blocks without a language are output

html_theme = "furo"
html_title = "detpyc"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"  # copy the commands of a console without prompts and output

# The list of the pages: a heading for each part, and an item for each page that starts with a link to it.
CONTENTS = DOCS / "README.md"
PART = re.compile(r"^## (?P<caption>.+)\n(?P<items>(?:(?!## ).*\n)*)", re.MULTILINE)
PAGE = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<page>/[\w/-]+)\.md\)", re.MULTILINE)
# A link to a file; the site contains the pictures and the schemas that its own pages name.
LINK = re.compile(r"\]\((?![a-z]+:|#)(?P<path>[^()\s#]+)(?<!\.json)(?<!\.svg)(?P<anchor>#[^()\s]*)?\)")


def copy_outside(_: Sphinx) -> None:
    """Copy the pages from outside `docs` to where Sphinx reads them."""
    shutil.rmtree(COPIES, ignore_errors=True)
    for page in FROM_OUTSIDE:
        copy = COPIES / f"{page}.md"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / f"{page}.md", copy)


def read_source(_: Sphinx, page: str, content: list[str]) -> None:
    """Write the first page from the list of pages, and direct the links of all pages."""
    directory = (DOCS / page).parent
    if page == "index":
        content[0] = CONTENTS.read_text(encoding="utf-8")
    elif directory.is_relative_to(COPIES):
        directory = REPOSITORY / directory.relative_to(COPIES)

    def directed(link: re.Match[str]) -> str:
        path = Path(os.path.normpath(directory / link["path"]))
        return f"]({address(path)}{link['anchor'] or ''})"

    content[0] = LINK.sub(directed, content[0])
    if page == "index":
        content[0] += "\n".join(map(table_of_contents, PART.finditer(content[0])))


def address(path: Path) -> str:
    """Return the address of a file of the repository: of its page in the site if there is one."""
    if path == CONTENTS:
        return "/index.md"
    if path.parent == DOCS:
        return f"/{path.name}"
    name = path.relative_to(REPOSITORY).as_posix()
    return f"/repository/{name}" if name.removesuffix(".md") in FROM_OUTSIDE else f"{FILES}/{name}"


def table_of_contents(part: re.Match[str]) -> str:
    """Return the entries of the sidebar for a part."""
    pages = [f"{item['title']} <{item['page']}>" for item in PAGE.finditer(part["items"])]
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {part['caption']}", "", *pages, "```", ""])


def setup(app: Sphinx) -> None:
    """Connect what the extensions do not do."""
    app.connect("builder-inited", copy_outside)
    app.connect("source-read", read_source)
