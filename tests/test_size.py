"""How long a function and a module may be. How complex a function may be is ruff's to check (C901)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "detpyc"
FILES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}

LINES_OF_FUNCTION = 40  # docstring aside
LINES_OF_MODULE = 350
# Functions that may be longer, with the reason.
LONGER: dict[str, str] = {
    "bytecode/reader.py: Reader.read": "one loop over the type codes, for speed",
}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function from ``def`` on, without those of its docstring."""
    lines = set(range(function.lineno, (function.end_lineno or 0) + 1))
    docstring = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return len(lines)


def functions(node: ast.AST, prefix: str = "") -> dict[str, int]:
    """Return the length of every function in a module, by qualified name."""
    found: dict[str, int] = {}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[prefix + child.name] = length(child)
            found |= functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            found |= functions(child, f"{prefix}{child.name}.")
        else:
            found |= functions(child, prefix)
    return found


def longer(path: Path) -> set[str]:
    lengths = functions(ast.parse(path.read_bytes()))
    return {name for name, lines in lengths.items() if lines > LINES_OF_FUNCTION}


@pytest.mark.parametrize("file", FILES)
def test_functions_are_short(file: str) -> None:
    allowed = {name.removeprefix(f"{file}: ") for name in LONGER if name.startswith(f"{file}: ")}
    assert longer(FILES[file]) == allowed


def test_exceptions_name_files_that_exist() -> None:
    assert {name.partition(":")[0] for name in LONGER} <= FILES.keys()


@pytest.mark.parametrize("file", FILES)
def test_modules_are_short(file: str) -> None:
    lines = FILES[file].read_bytes().count(b"\n")
    assert lines <= LINES_OF_MODULE


@pytest.mark.parametrize(("lines", "expected"), [(39, set()), (40, {"C.method"})])
def test_lines_are_counted_without_the_docstring(tmp_path: Path, lines: int, expected: set[str]) -> None:
    body = "\n".join(["        pass"] * lines)
    path = tmp_path / "module.py"
    path.write_text(f'class C:\n    def method(self):\n        """Return.\n\n        Nothing.\n        """\n{body}\n')
    assert longer(path) == expected
