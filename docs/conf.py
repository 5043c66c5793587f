"""The documentation site. ``nox -s docs`` builds it into ``docs/_build``."""

from __future__ import annotations

import re
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
METADATA = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = f"{METADATA['urls']['Source']}/blob/HEAD"

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
html_theme_options = {"source_view_link": f"{FILES}/docs/{{filename}}", "top_of_page_buttons": ["view"]}
copybutton_exclude = ".linenos, .gp, .go"  # copy the commands of a console without prompts and output

# The list of the pages: a heading for each part, and an item for each page that starts with a link to it.
CONTENTS = DOCS / "README.md"
PART = re.compile(r"^## (?P<caption>.+)\n(?P<items>(?:(?!## ).*\n)*)", re.MULTILINE)
PAGE = re.compile(r"^- \[(?P<title>[^\]]+)\]\((?P<page>[\w/-]+)\.md\)", re.MULTILINE)
# Other files of the repository; the site contains the pictures and the schemas.
OUTSIDE = re.compile(r"\]\(\.\./(?P<path>[^()\s]+(?<!\.json)(?<!\.svg))\)")


def read_source(_: Sphinx, page: str, content: list[str]) -> None:
    """Write the first page from the list of pages, and direct links to files outside the site to the repository."""
    if page == "index":
        text = CONTENTS.read_text(encoding="utf-8")
        content[0] = text + "\n".join(map(table_of_contents, PART.finditer(text)))
    content[0] = OUTSIDE.sub(rf"]({FILES}/\g<path>)", content[0].replace("](README.md", "](index.md"))


def table_of_contents(part: re.Match[str]) -> str:
    """Return the entries of the sidebar for a part."""
    pages = [f"{item['title']} <{item['page']}>" for item in PAGE.finditer(part["items"])]
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {part['caption']}", "", *pages, "```", ""])


def setup(app: Sphinx) -> None:
    """Connect what the extensions do not do."""
    app.connect("source-read", read_source)
