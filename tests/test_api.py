"""The public API: the package, its page in the documentation, and the code agree."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

import detpyc
import wheels

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### `(?P<name>\w+)`\n(?P<text>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = {match["name"]: match["text"] for match in SECTION.finditer(PAGE)}
SIGNATURE = re.compile(r"```text\n(?P<signature>.*?)\n```", re.DOTALL)
ROW = re.compile(r"^\| `(?P<name>\w+)(?:\(.*\))?` \|", re.MULTILINE)

PUBLIC = {name: getattr(detpyc, name) for name in detpyc.__all__}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
ERRORS = {name: value for name, value in PUBLIC.items() if isinstance(value, type) and issubclass(value, Exception)}
CLASSES = {name: value for name, value in PUBLIC.items() if isinstance(value, type)}

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SNIPPETS = [
    pytest.param(match["code"], id=f"{path.relative_to(ROOT).as_posix()}-{number}")
    for path in PAGES
    for number, match in enumerate(SNIPPET.finditer(path.read_text(encoding="utf-8")), 1)
]


def signature(function: object) -> str:
    """Write a function's signature as its page has it: the annotations as the source has them."""
    (definition,) = ast.parse(inspect.getsource(function)).body  # type: ignore[arg-type]
    assert isinstance(definition, ast.FunctionDef)
    assert definition.returns is not None
    return unspaced(f"{definition.name}({ast.unparse(definition.args)}) -> {ast.unparse(definition.returns)}")


def unspaced(text: str) -> str:
    """Remove what differs only in how a signature is laid out."""
    return re.sub(r",\)", ")", re.sub(r"\s", "", text))


def attributes(cls: type) -> set[str]:
    """Return the public attributes of a class that its docstring documents, and its own public methods."""
    documented = re.findall(r"^ {4,8}(\w+): ", (cls.__doc__ or "").partition("Attributes:")[2], re.MULTILINE)
    own = {name for name, value in vars(cls).items() if not name.startswith("_") and isinstance(value, property)}
    methods = {name for name, value in vars(cls).items() if not name.startswith("_") and inspect.isfunction(value)}
    return {*documented, *own, *methods}


def test_every_public_name_has_a_section_of_the_page() -> None:
    assert sorted(SECTIONS) == sorted(detpyc.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_page_has_the_signature(name: str) -> None:
    match = SIGNATURE.search(SECTIONS[name])
    assert match is not None
    assert unspaced(match["signature"]) == signature(FUNCTIONS[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_page_names_the_errors(name: str) -> None:
    raised = re.findall(r"^ +(\w+Error): ", (FUNCTIONS[name].__doc__ or "").partition("Raises:")[2], re.MULTILINE)
    assert bool(raised) == ("Raises:" in SECTIONS[name])
    assert {error for error in raised if f"`{error}`" not in SECTIONS[name]} == set()


@pytest.mark.parametrize("name", sorted(CLASSES.keys() - ERRORS.keys()))
def test_page_lists_the_attributes(name: str) -> None:
    listed = ROW.findall(SECTIONS[name])
    if issubclass(CLASSES[name], Enum):
        assert listed == [member.name for member in cast("type[Enum]", CLASSES[name])]
        return
    assert set(listed) == attributes(CLASSES[name])
    assert listed


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_of_one_family(name: str) -> None:
    assert issubclass(ERRORS[name], detpyc.DetpycError)


def test_lists_agree() -> None:
    tree = ast.parse(Path(detpyc.__file__).read_bytes())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert declared == set(detpyc.__all__) == set(detpyc._MODULES)  # noqa: SLF001 - they are one list to the reader


@pytest.mark.parametrize("name", detpyc.__all__)
def test_no_public_name_is_a_module(name: str) -> None:
    assert not isinstance(PUBLIC[name], ModuleType)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"detpyc.{name}")


@pytest.mark.parametrize("name", detpyc.__all__)
def test_modules_export_what_is_public(name: str) -> None:
    module = importlib.import_module(f"detpyc.{detpyc._MODULES[name]}")  # noqa: SLF001
    assert name in module.__all__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_paths_are_of_any_kind(name: str) -> None:
    annotations = [str(parameter.annotation) for parameter in inspect.signature(FUNCTIONS[name]).parameters.values()]
    assert [text for text in annotations if re.search(r"\bPath\b", text)] == []


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'detpyc' has no attribute 'colour'"):
        _ = detpyc.colour
    assert set(detpyc.__all__) <= set(dir(detpyc))


def test_importing_the_package_imports_nothing_else() -> None:
    script = "import sys; import detpyc; print([name for name in sys.modules if name.startswith('detpyc.')])"
    completed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert completed.stdout == "[]\n"


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippets_of_the_documentation_run(code: str, tmp_path: Path) -> None:
    """Run a snippet where it finds what the pages speak of: a wheel in ``dist``, a tree in ``site``, and pycs."""
    (tmp_path / "dist").mkdir()
    wheel = wheels.build(tmp_path / "dist")
    detpyc.byte_compile_wheel(wheel)
    (tmp_path / "site" / "demo").mkdir(parents=True)
    (tmp_path / "site" / "demo" / "core.py").write_bytes(wheels.MODULES["demo/core.py"])
    detpyc.byte_compile_tree(tmp_path / "site", options=detpyc.TreeOptions(cache=False))
    (pyc,) = (tmp_path / "site").rglob("*.pyc")
    (tmp_path / "core.pyc").write_bytes(pyc.read_bytes())
    completed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
