"""Source distributions, installed by pip and uv where only one Python is, and that is not the one that built them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from command_line import COMMAND
from projects import (
    BY_NAME,
    CHECKOUT,
    TEST_PROJECTS,
    check_run,
    copy_project,
    environment,
    import_modules,
    module_name,
    pyc_of,
)

if sys.platform == "win32":
    pytest.skip("virtual environments have other directories there", allow_module_level=True)

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

OPTIONAL = ["hatch-optional", "pdm-optional", "setuptools-optional"]  # for Pythons that detpyc does not run on, too
BACKENDS = ["hatchling", "pdm-backend", "setuptools"]
SOURCES = {
    "hatch-src": [*BY_NAME["hatch-src"].compiled],
    "pdm-module": [*BY_NAME["pdm-module"].compiled],
    "setuptools-wrapped": [
        *("setuptools_wrapped/__init__.py", "setuptools_wrapped/nested/__init__.py"),
        "setuptools_wrapped/nested/counting.py",
    ],
}
UV = [sys.executable, "-m", "uv"]
UV_INSTALL = [*UV, "pip", "install", "--no-compile-bytecode", "--no-cache", "--python"]


@pytest.fixture(scope="module")
def other(pythons: dict[str, Interpreter], tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """Return the newest CPython of another version that runs detpyc; the running one if there is no other."""
    names = [name for name, python in pythons.items() if python.version >= (3, 10) and " " not in name]
    candidates = sorted((pythons[name] for name in names), key=lambda python: Version(python.release), reverse=True)
    candidates.sort(key=lambda python: python.version == sys.version_info[:2])
    return next(python for python in candidates if has_environments(python, tmp_path_factory.mktemp("other")))


@pytest.fixture(scope="module")
def old(pythons: dict[str, Interpreter], tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """Return a CPython that detpyc does not run on."""
    for name in ("3.9", "3.8"):
        if name in pythons and has_environments(pythons[name], tmp_path_factory.mktemp("old")):
            return pythons[name]
    pytest.skip("CPython 3.9 and 3.8 are missing")


def has_environments(python: Interpreter, directory: Path) -> bool:
    """Return whether virtual environments work, which they do not if a script starts the interpreter."""
    command = [str(venv(python, directory / "venv")), "-c", "import pip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment in which only the running Python is found."""
    directory = tmp_path_factory.mktemp("alone")
    names = ("HOME", "PATH", "PYENV_ROOT", "ASDF_DATA_DIR", "UV_PYTHON_INSTALL_DIR", "UV_CACHE_DIR")
    directories = {name: str(directory / name.lower()) for name in names}
    # Not pip's own bytecode either: only that of the projects is verified.
    return environment(**directories, PIP_NO_CACHE_DIR="1", PYTHONDONTWRITEBYTECODE="1")


def venv(python: Interpreter, directory: Path) -> Path:
    """Make a virtual environment with pip; return its interpreter."""
    check_run([*UV, "venv", "--quiet", "--seed", "--python", python.path, str(directory)])
    return directory / "bin" / "python"


@pytest.fixture(scope="module")
def links(other: Interpreter, wheel_of_checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the options for pip and uv to find only this detpyc, the backends, and what these need."""
    directory = tmp_path_factory.mktemp("links")
    download = ["-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(directory)]
    check_run([str(venv(other, directory / "venv")), *download, *BACKENDS, str(wheel_of_checkout)])
    return ["--no-index", "--find-links", str(directory)]


def sdist_of(name: str, directory: Path) -> Path:
    project, output = copy_project(name, directory), directory / f"dist-{name}"
    check_run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(output), str(project)])
    (sdist,) = output.iterdir()
    return sdist


def install(command: list[str], arguments: list[str], variables: dict[str, str]) -> None:
    done = subprocess.run([*command, *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def pyc_for(python: Interpreter, source: str) -> str:
    return pyc_of(source).replace(str(sys.implementation.cache_tag), python.cache_tag)


def site_of(python: Path) -> Path:
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    return site


def test_no_other_python_is_found(alone: dict[str, str]) -> None:
    done = subprocess.run([*COMMAND, "interpreters", "--json"], env=alone, capture_output=True, check=True)
    (found,) = json.loads(done.stdout)["interpreters"]
    assert Path(found["path"]).samefile(sys.executable)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installed_bytecode_is_of_the_python_that_installs(
    installer: str, other: Interpreter, alone: dict[str, str], links: list[str], tmp_path: Path
) -> None:
    python = venv(other, tmp_path / "venv")
    commands = {"pip": [str(python), "-m", "pip", "install", "--no-compile"], "uv": [*UV_INSTALL, str(python)]}
    install(commands[installer], [*links, *(str(sdist_of(name, tmp_path)) for name in SOURCES)], alone)
    site = site_of(python)
    for name, sources in SOURCES.items():
        modules = [module_name(source) for source in sources]
        imported = import_modules(site, modules, python=str(python), options=["-B"])
        assert imported.answer == "42"
        for source in sources:
            assert imported.from_bytecode(site, source, pyc_for(other, source)), source
        (record,) = site.glob(f"{name.replace('-', '_')}-1.0.dist-info/detpyc.json")
        assert {entry["release"] for entry in json.loads(record.read_bytes())["bytecode"]} == {other.release}
    verified = check_run([*COMMAND, "verify", "--strict", "-i", other.path, str(site)])
    assert verified.startswith(f"{site}: {sum(map(len, SOURCES.values()))} identical")


def test_projects_without_detpyc_where_it_does_not_run(old: Interpreter, tmp_path: Path) -> None:
    """The marker keeps it out of the build environment, and the build works without it."""
    python = venv(old, tmp_path / "venv")
    install([*UV_INSTALL, str(python)], [str(sdist_of(name, tmp_path)) for name in OPTIONAL], environment())
    site = site_of(python)
    for name in OPTIONAL:
        assert import_modules(site, [name.replace("-", "_")], python=str(python), options=["-B"]).answer == "42"
    assert not [path for path in site.rglob("*") if path.suffix == ".pyc" or path.name == "detpyc.json"]


@pytest.mark.parametrize(("enabled", "names"), [("", ["hatch-optional"]), ("true", OPTIONAL)])
def test_projects_with_detpyc_where_it_runs(
    enabled: str,
    names: list[str],
    other: Interpreter,
    alone: dict[str, str],
    links: list[str],
    tmp_path: Path,
) -> None:
    """Hatch's hook is off unless a variable turns it on."""
    python = venv(other, tmp_path / "venv")
    variables = {**alone, "HATCH_BUILD_HOOK_ENABLE_DETPYC": enabled}
    install([*UV_INSTALL, str(python)], [*links, *(str(sdist_of(name, tmp_path)) for name in names)], variables)
    site = site_of(python)
    for name in names:
        source = f"{name.replace('-', '_')}/__init__.py"
        imported = import_modules(site, [module_name(source)], python=str(python), options=["-B"])
        assert imported.from_bytecode(site, source, pyc_for(other, source)) is bool(enabled), name


def test_documentation_shows_these_projects() -> None:
    page = (CHECKOUT / "docs" / "backends.md").read_text(encoding="utf-8")
    section = page.partition("\n## Hosts below Python 3.10\n")[2].partition("\n## ")[0]
    files = [path for name in OPTIONAL for path in (TEST_PROJECTS / name).rglob("*") if path.is_file()]
    contents = [path.read_text(encoding="utf-8") for path in files]
    shown = re.findall(r"^```(?:toml|python|text)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(shown) == len(OPTIONAL) + 2  # the backend in the source tree, and MANIFEST.in
    for block in shown:
        assert any(all(part.strip() in content for part in block.split("\n\n")) for content in contents), block
