"""The modules of detpyc and what they import, and the map of both in docs/architecture.md.

Run as a program, as ``nox -s map`` does, it writes the map.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "detpyc"
FILES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}
PAGE = ROOT / "docs" / "architecture.md"
START, END = "<!-- made by `nox -s map` -->\n", "<!-- end of the map -->\n"


def piece(module: str) -> str:
    """Name the top-level module or package that a module belongs to."""
    return (module.split(".")[1:] or ["__init__"])[0]


def module_name(file: str) -> str:
    return ".".join(["detpyc", *file.removesuffix(".py").split("/")]).removesuffix(".__init__")


MODULES = {module_name(file) for file in FILES}


def imports(file: str) -> Iterator[str]:
    """Give the modules that a file imports, wherever in it, and if for the type checker only."""
    for node in ast.walk(ast.parse(FILES[file].read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}, line {node.lineno}: imports are absolute here"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else str(node.module)


def own_imports(file: str) -> set[str]:
    if file == "__init__.py":  # imports what it exports when that is used
        return set()
    return {module for module in imports(file) if piece(module) and module.split(".")[0] == "detpyc"}


def layers() -> list[dict[str, set[str]]]:
    """Return the parts and what each imports, in layers: each part imports only parts of later layers."""
    imported: dict[str, set[str]] = {}
    for file in FILES:
        own = piece(module_name(file))
        imported.setdefault(own, set()).update({piece(module) for module in own_imports(file)} - {own})
    height: dict[str, int] = {}

    def measure(part: str) -> int:
        if part not in height:
            height[part] = 1 + max(map(measure, imported[part]), default=-1)
        return height[part]

    highest = max(map(measure, imported))
    in_order = sorted(imported)
    return [{part: imported[part] for part in in_order if height[part] == layer} for layer in range(highest, -1, -1)]


def summary(part: str) -> str:
    """Return the first line of a part's docstring."""
    path = SOURCE / part / "__init__.py" if (SOURCE / part).is_dir() else SOURCE / f"{part}.py"
    return (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0].replace("``", "`").rstrip(".")


def drawn_map() -> str:
    """Return the map in Markdown."""
    lines = ["| layer | part | what it does | imports |", "|---|---|---|---|"]
    found = layers()
    for number, layer in zip(range(len(found) - 1, -1, -1), found, strict=True):
        for part, imported in layer.items():
            names = ", ".join(f"`{name}`" for name in sorted(imported))
            lines.append(f"| {number} | `{part}` | {summary(part)} | {names} |")
    return "\n".join(lines) + "\n"


def with_map(text: str) -> str:
    """Return the page with the map of today."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{drawn_map()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_map(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
