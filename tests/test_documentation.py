"""The documentation: its links, and what it says about the code."""

from __future__ import annotations

import ast
import compileall
import os
import re
import string
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING

import pytest

from detpyc import bytecode, limits
from detpyc.bytecode.header import PycHeader

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = {
    page.relative_to(ROOT).as_posix(): page
    for page in [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "spec").glob("*.md")]
}
MAX_README = 200  # lines

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
LIMIT = re.compile(r"^\| `(?P<name>\w+)` \| (?P<number>[\d,.]+)(?: (?P<unit>[^|]+?))? \| [^|]+ \|$", re.MULTILINE)
FIRST_CELL = re.compile(r"^\| (`.+?`) \|", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
CONSTANTS = {"FILE_NAME": "detpyc.json", "_BACKEND_KEY": "tool.detpyc.build-backend"}  # in messages
FACTORS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
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


def test_list_of_pages_is_complete() -> None:
    """docs/conf.py makes the sidebar from it: a part for each heading, and a page for the first link of each item."""
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[[^\]]+\]\(([\w/-]+\.md)\)", text.partition("\n## ")[2], re.MULTILINE)
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md", "index.md"}
    assert sorted(listed) == sorted(pages)


def messages() -> list[str]:
    """Return the strings in the source code, with "…" for what is filled in."""
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(map(written, node.values)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def written(part: ast.expr) -> str:
    """Return a part of an f-string as the documentation writes it."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    name = part.value.id if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name) else ""
    return CONSTANTS.get(name, "…")


def quotes(quoted: str, message: str) -> bool:
    """Return whether what is between "…" in a quotation is in a message, in that order."""
    position = 0
    for piece in quoted.split("…"):
        position = message.find(piece, position)
        if position < 0:
            return False
        position += len(piece)
    return True


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("backends", "## Errors"),
        ("reproduce", "## Errors"),
        ("verify", "### Why a pyc is equivalent"),
        *(("troubleshooting", f"## {heading}") for heading in HEADING.findall(prose(DOCS / "troubleshooting.md"))[1:]),
    ],
)
def test_quoted_messages(name: str, heading: str) -> None:
    """Every message in these tables is in the source code; "(n)" is a number."""
    _, _, section = (DOCS / f"{name}.md").read_text(encoding="utf-8").partition(f"\n{heading}\n")
    cells = FIRST_CELL.findall(section.partition("\n#")[0])
    quoted = [message.removesuffix(" (n)") for cell in cells for message in CODE.findall(cell)]
    known = messages()
    assert quoted
    assert [message for message in quoted if not any(quotes(message, text) for text in known)] == []


def limits_of(module: ModuleType, start: str = "") -> dict[str, float]:
    """Return the numeric constants of a module, without the underscore of a private one."""
    names = {name.lstrip("_"): value for name, value in vars(module).items() if name.isupper()}
    return {name: value for name, value in names.items() if name.startswith(start) and type(value) in {int, float}}


def listed_limits(heading: str) -> dict[str, float]:
    """Return the names and values in the table below a heading of docs/security.md."""
    _, _, section = (DOCS / "security.md").read_text(encoding="utf-8").partition(f"\n### {heading}\n")
    rows = LIMIT.finditer(section.partition("\n#")[0])
    return {row["name"]: float(row["number"].replace(",", "")) * FACTORS.get(row["unit"], 1) for row in rows}


def test_limits_of_files_and_archives() -> None:
    assert listed_limits("Files and archives") == limits_of(limits)


def test_limits_inside_a_pyc() -> None:
    expected: dict[str, float] = {}
    for module in iter_modules(bytecode.__path__):
        expected |= limits_of(import_module(f"{bytecode.__name__}.{module.name}"), "MAX_")
    assert listed_limits("Inside a pyc") == expected


def test_what_compileall_does_to_hash_based_pycs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly what docs/installers.md says."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "module.py").write_text("")

    def compile_again(mode: PycInvalidationMode | None) -> tuple[bool, str]:
        """Return whether the pyc is written, and what it is then."""
        past = 1_000_000_000
        for pyc in tmp_path.glob("__pycache__/*.pyc"):
            os.utime(pyc, (past, past))
        assert compileall.compile_dir(tmp_path, quiet=1, invalidation_mode=mode)
        (pyc,) = tmp_path.glob("__pycache__/*.pyc")
        return pyc.stat().st_mtime != past, PycHeader.parse(pyc.read_bytes()).mode

    checked = PycInvalidationMode.CHECKED_HASH
    assert compile_again(checked) == (True, "checked-hash")
    assert compile_again(checked) == (True, "checked-hash")
    assert compile_again(None) == (True, "timestamp")
    assert compile_again(None) == (False, "timestamp")
    assert compile_again(checked) == (False, "timestamp")
