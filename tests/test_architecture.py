"""What the pieces may know of each other, and what each must do without."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc import __version__
from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.compilation import worker
from detpyc.compilation.description import command
from detpyc.compilation.pool import Compiled, Source, byte_compile
from modules import FILES, MODULES, PAGE, SOURCE, imports, module_name, own_imports, piece, with_map

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

ROOT = Path(__file__).parents[1]

# What each part of the foundation may import, and each entry point of the other entry points. The rest are use cases.
FOUNDATION: dict[str, set[str]] = {
    "errors": set(),
    "limits": set(),
    "wording": set(),
    "bytecode": {"errors"},
    "explain": {"errors", "bytecode"},
    "threads": {"errors"},
    "executor": {"threads"},
    "compilation": {"errors", "limits", "wording", "bytecode", "explain", "threads", "executor"},
    "reproducible": {"errors"},
    "files": {"errors", "limits"},
    "temporaries": {"errors", "files"},
    "replacement": {"errors", "files", "temporaries"},
    "file_names": set(),
    "wheel": {
        "errors",
        "limits",
        "reproducible",
        "files",
        "file_names",
        "replacement",
        "temporaries",
        "threads",
        "wording",
    },
    "gitignore": {"limits"},
    "text_diff": {"limits", "wording"},
    "pyc_paths": set(),
    "termination": {"temporaries"},
    "pyproject": {"errors", "limits", "files"},
    "setting_values": {"limits", "gitignore"},
    "settings": {"errors", "limits", "setting_values"},
    "schemas": set(),
    "tar_headers": {"errors", "limits"},
    "artifacts": {
        "errors",
        "limits",
        "files",
        "file_names",
        "wheel",
        "tar_headers",
        "replacement",
        "reproducible",
        "wording",
    },
    "sdist": {"errors", "limits", "files", "replacement", "reproducible", "tar_headers"},
    "__init__": set(),
}
ENTRANCES: dict[str, set[str]] = {
    "hooks": set(),
    "backend": {"hooks"},
    "engines": set(),
    "cli": {"engines"},
    "__main__": {"cli"},
}
OLDEST = min(MAGIC_NUMBERS.values())

# Loaded by the interpreters that compile, which need have nothing installed.
IN_TARGET = [
    name
    for name in FILES
    if name.startswith("bytecode/") or name in {"errors.py", "compilation/worker.py", "compilation/opcodes.py"}
]


@pytest.mark.parametrize("file", FILES)
def test_imports_go_one_way(file: str) -> None:
    own = piece(module_name(file))
    imported = {piece(module) for module in own_imports(file)} - {own}
    if own in FOUNDATION:
        assert imported <= FOUNDATION[own]
    assert imported & ENTRANCES.keys() <= ENTRANCES.get(own, set())


def test_no_module_imports_itself_in_the_end() -> None:
    graph = {module_name(file): own_imports(file) for file in FILES}
    assert set(TopologicalSorter(graph).static_order()) == MODULES


def test_map_is_of_these_imports() -> None:
    """``nox -s map`` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_map(page)
    assert page.count("\n| ") > len({piece(module) for module in MODULES})


@pytest.mark.parametrize("file", FILES)
def test_only_entrances_print(file: str) -> None:
    calls = (node for node in ast.walk(ast.parse(FILES[file].read_bytes())) if isinstance(node, ast.Call))
    printing = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)
    assert not printing or file.startswith("cli/") or file in {"backend.py", "hooks/pdm.py"}


@pytest.mark.parametrize("file", IN_TARGET)
def test_what_runs_in_the_target_is_in_the_oldest_syntax(file: str) -> None:
    ast.parse(FILES[file].read_bytes(), feature_version=OLDEST)


@pytest.mark.parametrize("file", IN_TARGET)
def test_what_runs_in_the_target_needs_nothing_installed(file: str) -> None:
    allowed = {module_name(path) for path in IN_TARGET} | sys.stdlib_module_names
    assert {module if module.startswith("detpyc") else module.split(".")[0] for module in imports(file)} <= allowed


def test_bytecode_is_what_the_worker_loads(interpreter: Interpreter) -> None:
    script = Path(__file__).with_name("worker_modules.py")
    command = [interpreter.path, "-I", "-S", "-B", "-W", "error", str(script), worker.__file__]
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    files = [name for name in IN_TARGET if not name.startswith("compilation/")]
    assert completed.stdout.split() == sorted(map(module_name, files))


def test_worker_starts_without_what_takes_long(interpreter: Interpreter) -> None:
    isolated, script = command(interpreter.path)[:-1], worker.__file__
    completed = subprocess.run(
        [*isolated, "-X", "importtime", script], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    imported = {line.rpartition(b"|")[2].strip().decode() for line in completed.stderr.splitlines()}
    assert {"os", "struct"} <= imported
    assert not imported & {"enum", "functools", "importlib.util", "re", "signal", "subprocess", "typing"}


def test_worker_compiles_in_the_target(interpreter: Interpreter) -> None:
    def finish(_: int, outcome: object) -> object:
        return outcome

    (outcome,) = byte_compile(interpreter, [Source("module.py", b"x = 1\n")], [0], finish)
    assert isinstance(outcome, Compiled)


@pytest.mark.parametrize(
    ("module", "others"),
    [
        ("detpyc.hooks.hatch", {"byte_compile", "wheel", "compilation", "bytecode", "settings"}),
        ("detpyc.hooks.pdm", {"byte_compile", "wheel", "compilation", "bytecode", "settings"}),
        ("detpyc.cli", {"byte_compile", "wheel", "compilation", "verify", "explain"}),
    ],
)
def test_heavy_imports_wait_until_they_are_needed(module: str, others: set[str]) -> None:
    script = Path(__file__).with_name("imported_modules.py")
    completed = subprocess.run([sys.executable, script, module], capture_output=True, text=True, check=True)
    loaded = completed.stdout.split()
    assert module in loaded
    assert {piece(module) for module in loaded if module.startswith("detpyc.")}.isdisjoint(others)


def test_only_the_command_that_is_named_is_imported() -> None:
    script = Path(__file__).with_name("imported_modules.py")
    completed = subprocess.run([sys.executable, script, "detpyc.cli"], capture_output=True, text=True, check=True)
    assert {"argparse", "pathlib", *(f"detpyc.cli.{name}" for name in ("wheel", "verify"))}.isdisjoint(
        completed.stdout.split()
    )


def test_compiling_a_tree_does_not_import_dataclasses() -> None:
    """With what it imports itself, that takes longer than compiling a small package."""
    script = Path(__file__).with_name("imported_modules.py")
    for module in ("detpyc.byte_compile.tree", "detpyc.compilation.pool", "detpyc.compilation.cache"):
        command = [sys.executable, str(script), module]
        loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert module in loaded
        assert "dataclasses" not in loaded


def imported_by(command: str, wheel: Path) -> set[str]:
    """Return what a command imports, without what `argparse` does."""
    script = f"""
import argparse, sys
sys.path = {sys.path}
argparse.ArgumentParser(formatter_class=lambda prog: argparse.HelpFormatter(prog, width=80))
before = {{*sys.modules}}  # since 3.14, dataclasses is among them
from detpyc.cli import main
main([{command!r}, "-q", {str(wheel)!r}])
print(*({{*sys.modules}} - before))
"""
    arguments = [sys.executable, "-I", "-S", "-c", script]
    return set(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split())


def test_byte_compiling_and_verifying_a_wheel_imports_no_more_than_it_needs(tmp_path: Path) -> None:
    """For a small wheel, imports take longer than everything else but compiling."""
    info = "demo-1.0.dist-info"
    files = wheels.complete()
    files[f"{info}/METADATA"] += b"Requires-Python: >=3.8\n"
    del files[f"{info}/RECORD"]
    files[f"{info}/RECORD"] = wheels.record(files, f"{info}/RECORD")
    wheel = wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", files)
    slow = {"concurrent", "dataclasses", "logging", "packaging", "platformdirs", "shutil", "tempfile", "zipfile"}
    rare = {f"detpyc.{name}" for name in ("bytecode.reader", "compilation.store", "executor", "explain", "hooks")}
    loaded = imported_by("wheel", wheel)
    assert "detpyc.wheel.rewrite" in loaded
    assert sorted({*slow, *rare, "detpyc.verify"} & loaded) == []
    loaded = imported_by("verify", wheel)
    assert "detpyc.verify.verdicts" in loaded
    needed_later = {"detpyc.verify.mismatches", "detpyc.byte_compile", "detpyc.sdist", "tarfile", "findpython"}
    assert sorted({*slow, *rare, *needed_later} & loaded) == []


def test_no_command_imports_the_types_of_the_documents() -> None:
    """They are for the type checker and the schemas, and import much."""
    script = "import sys; from detpyc.cli import COMMANDS, make_parser; make_parser(COMMANDS); print(*sys.modules)"
    completed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = completed.stdout.split()
    assert "detpyc.cli.wheel" in loaded
    assert "detpyc.cli.documents" not in loaded


def test_own_wheel_has_what_it_should(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    dist_info = f"detpyc-{__version__}.dist-info"
    metadata = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = configparser.ConfigParser()
        entry_points.read_string(archive.read(f"{dist_info}/entry_points.txt").decode())
    modules = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.rglob("*.py")}
    schemas = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.glob("schemas/*.json")}
    shared = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("share/**/*") if path.is_file()}
    data = {f"detpyc-{__version__}.data/data/{name}" for name in shared}
    data.add(f"detpyc-{__version__}.data/data/lib/rpm/macros.d/macros.detpyc")
    assert names == {*modules, *schemas, *data, "detpyc/py.typed"} | {f"{dist_info}/{name}" for name in metadata}
    assert {group: dict(entry_points[group]) for group in entry_points.sections()} == {
        "console_scripts": {"detpyc": "detpyc.cli:main"},
        "hatch": {"detpyc": "detpyc.hooks.hatch"},
        "pdm.build.hook": {"detpyc": "detpyc.hooks.pdm:DetpycBuildHook"},
        "validate_pyproject.multi_schema": {"detpyc": "detpyc.schemas:hook_schemas"},
        "validate_pyproject.tool_schema": {"detpyc": "detpyc.schemas:tool_schema"},
    }
