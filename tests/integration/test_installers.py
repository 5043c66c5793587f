"""What installers do with the bytecode of a wheel: the rows of ``docs/installers.md``, each with the real program.

Those that are large run in the nox session ``installers``, in environments of their own.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wheels
from command_line import done
from detpyc import Settings, byte_compile_wheel
from projects import check_run, import_modules, pyc_of, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc import WheelReport

PROGRAMS = Path(sys.executable).parent
MODULES = {"demo/__init__.py": b"", "demo/core.py": b"def main():\n    print(42)\n"}
SCRIPTS = {"demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo.core:main\n"}
WARNING = "Installing files in a __pycache__ directory poses a security risk."

PIP = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", "{site}", "{wheel}"]
UV = ["uv", "pip", "install", "--target", "{site}", "{wheel}"]
INSTALLER = [sys.executable, "-W", "default", "-m", "installer", "--destdir", "{site}", "{wheel}"]
PIPX = ["pipx", "install", "{wheel}", "--backend"]
BUILDER = """\
import sys
from aws_lambda_builders.builder import LambdaBuilder
source, site, scratch, manager = sys.argv[1:]
LambdaBuilder("python", manager, None).build(
    source, site, scratch, source + "/requirements.txt", runtime="python{}.{}".format(*sys.version_info)
)
"""

KEPT, REPLACED, REMOVED = "kept", "replaced", "removed"
RIGHT, STALE, TWICE, NONE = "right", "stale", "twice", "none"


def byte_compiled(directory: Path, files: dict[str, bytes], **settings: object) -> WheelReport:
    return byte_compile_wheel(wheels.build(directory, files), Settings(**settings))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return byte_compiled(tmp_path_factory.mktemp("index"), {**MODULES, **SCRIPTS}).path


@pytest.fixture
def variables(tmp_path: Path, wheel: Path) -> dict[str, str]:
    """Return variables with which the programs find the wheel and each other, and keep to the test's directory."""
    return {
        "HOME": str(tmp_path),
        "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
        "PEX_ROOT": str(tmp_path / "pex-root"),
        "PIP_FIND_LINKS": str(wheel.parent),
        "PIP_NO_INDEX": "1",
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_DEFAULT_PYTHON": sys.executable,
        "PIPX_HOME": str(tmp_path / "site"),
        "SHIV_ROOT": str(tmp_path / "site"),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_FIND_LINKS": str(wheel.parent),
        "UV_LINK_MODE": "copy",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_TOOL_DIR": str(tmp_path / "site"),
    }


def installed(site: Path, wheel: Path) -> tuple[str, str]:
    """Return what became of the wheel's pycs below a directory, and what RECORD says of them."""
    (record,) = set(site.rglob("demo-1.0.dist-info/RECORD"))
    root = record.parents[1]
    shipped = {name: content for name, content in wheels.read(wheel).items() if name.endswith(".pyc")}
    found = {name: (root / name).read_bytes() for name in shipped if (root / name).exists()}
    rows = [row for row in csv.reader(io.StringIO(record.read_text())) if row[0] in shipped]
    assert len(shipped) == len(MODULES)
    if not found:
        return REMOVED, NONE if not rows else STALE
    assert len(found) == len(shipped)
    if found == shipped:
        imported = import_modules(root, ["demo.core"], function="main")
        assert imported.from_bytecode(root, "demo/core.py", pyc_of("demo/core.py"))
    else:
        assert not found.items() & shipped.items()
    right = [row for row in rows if row[1] == wheels.sha256(found[row[0]])]
    state = TWICE if len(rows) > len(found) else RIGHT if len(right) == len(rows) == len(found) else STALE
    return KEPT if found == shipped else REPLACED, state if rows else NONE


@pytest.mark.parametrize(
    ("command", "own", "expected"),
    [
        pytest.param(PIP, {}, (REPLACED, TWICE), id="pip"),
        pytest.param([*PIP, "--no-compile"], {}, (KEPT, RIGHT), id="pip-no-compile"),
        pytest.param(PIP, {"PIP_NO_COMPILE": "0"}, (KEPT, RIGHT), id="PIP_NO_COMPILE=0"),
        pytest.param(PIP, {"PIP_NO_COMPILE": "1"}, (REPLACED, TWICE), id="PIP_NO_COMPILE=1"),
        pytest.param(UV, {}, (KEPT, RIGHT), id="uv"),
        pytest.param([*UV, "--compile-bytecode"], {}, (REPLACED, STALE), id="uv-compile-bytecode"),
        pytest.param(UV, {"UV_COMPILE_BYTECODE": "1"}, (REPLACED, STALE), id="UV_COMPILE_BYTECODE=1"),
        pytest.param(["uv", "tool", "install", "{wheel}"], {}, (KEPT, RIGHT), id="uv-tool"),
        pytest.param([*PIPX, "uv"], {}, (KEPT, RIGHT), id="pipx-uv"),
        pytest.param([*INSTALLER, "--no-compile-bytecode"], {}, (REMOVED, NONE), id="installer-no-compile"),
        pytest.param(INSTALLER, {}, (REPLACED, NONE), id="installer"),
    ],
)
def test_installer(
    command: list[str],
    own: dict[str, str],
    expected: tuple[str, str],
    *,
    wheel: Path,
    tmp_path: Path,
    variables: dict[str, str],
) -> None:
    site = tmp_path / "site"
    filled = [part.format(site=site, wheel=wheel) for part in command]
    completed = run(filled, cwd=tmp_path, variables={**variables, **own})
    assert completed.returncode == 0, completed.stderr
    assert installed(site, wheel) == expected
    assert (WARNING in completed.stderr) == ("installer" in command)


def app(directory: Path, wheel: Path, table: str) -> Path:
    """Write a project that depends on the wheel."""
    directory.mkdir()
    project = f'[project]\nname = "app"\nversion = "1.0"\ndependencies = ["demo @ {wheel.as_uri()}"]\n'
    version = 'requires-python = ">=3.10,<4"\n'
    (directory / "pyproject.toml").write_text(f"{project}{version}\n{table}\n")
    return directory


def test_uv_sync(wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    project = app(tmp_path / "app", wheel, "[tool.uv]\npackage = false")
    completed = run(["uv", "sync"], cwd=project, variables=variables)
    assert completed.returncode == 0, completed.stderr
    assert installed(project / ".venv", wheel) == (KEPT, RIGHT)


@pytest.mark.parametrize(("options", "expected"), [([], set()), (["--no-pre-install-wheels"], {"wheel"})], ids=str)
def test_pex(options: list[str], expected: set[str], *, wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    """By default the pycs are removed; the option keeps the wheel as it is."""
    app = tmp_path / "app.pex"
    command = [str(PROGRAMS / "pex"), "demo", "--pre-resolved-dists", str(wheel.parent), *options, "-o", str(app)]
    check_run(command, variables=variables)
    with zipfile.ZipFile(app) as archive:
        names = [name for name in archive.namelist() if "demo/" in name or name.endswith(wheel.name)]
        kept = {"wheel" for name in names if name.endswith(".whl") and archive.read(name) == wheel.read_bytes()}
    assert names
    assert [name for name in names if name.endswith(".pyc")] == []
    assert kept == expected


def test_shiv(wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    """The pycs are removed, also with pip's option; Python writes others at the first start."""
    app = tmp_path / "app.pyz"
    check_run([str(PROGRAMS / "shiv"), "-c", "demo", "-o", str(app), "--no-compile", str(wheel)], variables=variables)
    with zipfile.ZipFile(app) as archive:
        assert [name for name in archive.namelist() if name.endswith(".pyc")] == []
    assert check_run([sys.executable, str(app)], variables=variables) == "42\n"
    assert installed(tmp_path / "site", wheel)[0] == REPLACED


def test_zipimport(wheel: Path) -> None:
    """What is in ``__pycache__`` is not read."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import demo.core; print(demo.core.__spec__.origin)"
    assert check_run([sys.executable, "-I", "-c", script, str(wheel)]) == f"{wheel / 'demo' / 'core.py'}\n"


def dated(directory: Path, year: int) -> Path:
    """Give all files a date, as a ZIP does whose entries have it."""
    date = datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()
    for path in directory.rglob("*"):
        os.utime(path, (date, date))
    return directory


@pytest.mark.parametrize(("year", "tool"), [(1980, "SAM"), (2098, "Serverless")])
def test_dates_of_zips(year: int, tool: str, tmp_path: Path) -> None:
    """Timestamp pycs do not load when all files have another date; those of detpyc do."""
    site = tmp_path / tool
    site.mkdir()
    (site / "handler.py").write_text("def main():\n    return 42\n")
    check_run([sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "timestamp", str(site)])
    assert import_modules(dated(site, year), ["handler"], function="main").from_source(site, "handler.py")
    done("compile", "-q", "--no-cache", site)
    assert import_modules(dated(site, year), ["handler"], function="main").from_bytecode(
        site, "handler.py", pyc_of("handler.py")
    )


@pytest.mark.parametrize("manager", ["pip", "uv"])
def test_sam(manager: str, wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    """What ``sam build`` calls keeps the pycs of wheels, and ignores those of the function."""
    source, site, scratch = (tmp_path / name for name in ("source", "site", "scratch"))
    for directory in (source / "__pycache__", site, scratch):
        directory.mkdir(parents=True)
    (source / "requirements.txt").write_text("demo==1.0\n")
    (source / "handler.py").write_text("def main():\n    return 42\n")
    (source / "__pycache__" / Path(pyc_of("handler.py")).name).write_bytes(b"")
    command = [sys.executable, "-c", BUILDER, str(source), str(site), str(scratch), manager]
    completed = run(command, variables=variables)
    if "Runtime python" in completed.stderr and "is not supported" in completed.stderr:
        pytest.skip("Lambda does not have this Python")
    assert completed.returncode == 0, completed.stderr
    assert installed(site, wheel) == (KEPT, RIGHT)
    assert not list(site.glob("__pycache__"))

    done("compile", "-q", "--no-cache", site)
    imported = import_modules(dated(site, 1980), ["handler", "demo.core"], function="main")
    for module in ("handler.py", "demo/core.py"):
        assert imported.from_bytecode(site, module, pyc_of(module))


def findings(path: Path, *options: str) -> set[str]:
    """Return the codes that check-wheel-contents reports."""
    command = [str(PROGRAMS / "check-wheel-contents"), "--no-config", *options, str(path)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    codes = {line.split(": ")[1] for line in completed.stdout.splitlines() if ".whl: W" in line}
    assert completed.returncode == int(bool(codes)), completed.stderr
    return codes


@pytest.mark.parametrize(
    ("files", "levels", "expected"),
    [
        (MODULES, (0,), {"W001"}),
        ({**MODULES, "demo/copy.py": MODULES["demo/core.py"] + b"\n"}, (0,), {"W001"}),
        (MODULES, (0, 1), {"W001", "W002"}),
        ({"demo.py": b"X = 1\n"}, (0,), {"W001", "W010"}),
    ],
    ids=["package", "same-code", "two-levels", "module"],
)
def test_check_wheel_contents(
    files: dict[str, bytes], levels: tuple[int, ...], expected: set[str], tmp_path: Path
) -> None:
    path = byte_compiled(tmp_path, files, optimize=levels).path
    assert findings(path) == expected
    assert findings(path, "--ignore", ",".join(expected)) == set()


large = pytest.mark.skipif(
    "DETPYC_TEST_INSTALLERS" not in os.environ, reason="installs large programs from an index: nox -s installers"
)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that installs a requirement in an environment of its own, and returns its Python."""

    @cache
    def install(requirement: str) -> Path:
        directory = tmp_path_factory.mktemp("environment")
        uv = str(PROGRAMS / "uv")
        check_run([uv, "venv", "--quiet", "--python", sys.executable, str(directory / "venv")])
        python = directory / "venv" / "bin" / "python"
        check_run([uv, "pip", "install", "--quiet", "--python", str(python), requirement])
        return python

    return install


@large
def test_installer_before_1(program: Callable[[str], Path], wheel: Path, tmp_path: Path) -> None:
    python = str(program("installer<1"))
    site = tmp_path / "site"
    check_run([python, "-m", "installer", "--no-compile-bytecode", "--destdir", str(site), str(wheel)])
    assert installed(site, wheel) == (KEPT, RIGHT)


@large
@pytest.mark.parametrize(
    ("requirement", "options", "expected"),
    [
        ("poetry>=2.4", [], (REMOVED, NONE)),
        ("poetry>=2.4", ["--compile"], (REPLACED, NONE)),
        ("poetry~=2.3.0", [], (KEPT, RIGHT)),
    ],
)
def test_poetry(
    requirement: str,
    options: list[str],
    expected: tuple[str, str],
    *,
    program: Callable[[str], Path],
    wheel: Path,
    tmp_path: Path,
    variables: dict[str, str],
) -> None:
    poetry = str(program(requirement).parent / "poetry")
    variables = {**variables, "POETRY_VIRTUALENVS_IN_PROJECT": "1", "VIRTUAL_ENV": ""}  # as nox sets it
    project = app(tmp_path / "app", wheel, "[tool.poetry]\npackage-mode = false")
    completed = run([poetry, "install", "--no-interaction", *options], cwd=project, variables=variables)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert (WARNING in completed.stderr) == (expected[0] != KEPT)
    assert installed(project / ".venv", wheel) == expected


@large
def test_pdm(program: Callable[[str], Path], wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    pdm = str(program("pdm[locked]>=2.29").parent / "pdm")
    variables = {**variables, "PDM_CHECK_UPDATE": "0", "PDM_IGNORE_ACTIVE_VENV": "1"}
    for use_uv, expected in (("false", (REMOVED, NONE)), ("true", (KEPT, RIGHT))):
        project = app(tmp_path / use_uv, wheel, "[tool.pdm]\ndistribution = false")
        for command in (["config", "--local", "use_uv", use_uv], ["venv", "create", sys.executable], ["install", "-v"]):
            completed = run([pdm, *command], cwd=project, variables=variables)
            assert completed.returncode == 0, completed.stdout + completed.stderr
        assert (WARNING in completed.stderr) == (use_uv == "false")
        assert installed(project / ".venv", wheel) == expected


@large
def test_pipx_with_pip(wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    own = {name: value for name, value in variables.items() if not name.startswith("PIP_")}
    for options, expected in (([], (REPLACED, TWICE)), (["--pip-args=--no-compile"], (KEPT, RIGHT))):
        home = tmp_path / "-".join(["home", *options])
        check_run(
            ["pipx", "install", "--backend", "pip", *options, str(wheel)], variables={**own, "PIPX_HOME": str(home)}
        )
        assert installed(home / "venvs" / "demo", wheel) == expected


RECIPE = """\
package:
  name: demo
  version: "1.0"
build:
  {kind}
  script:
    - mkdir -p $PREFIX/{site}
    - cp -r {unpacked}/. $PREFIX/{site}
about:
  summary: Demo
"""
PACKAGE = """\
import sys, rattler_build
rattler_build.build_recipes([sys.argv[1]], output_dir=sys.argv[2], channel=[], test="skip", package_format="tar-bz2")
"""


INSTALL = """\
import asyncio, pathlib, sys
from rattler import PackageRecord, RepoDataRecord
from rattler.install import install
from rattler.package.build_string import BuildString
package = pathlib.Path(sys.argv[1])
name, version, build = package.name.removesuffix(".tar.bz2").rsplit("-", 2)
record = PackageRecord(name, version, BuildString(build), 0, package.parent.name)
record = RepoDataRecord(record, package.name, package.as_uri(), package.parents[1].as_uri() + "/")
asyncio.run(install([record], target_prefix=sys.argv[2], cache_dir=sys.argv[3], show_progress=False))
"""


def conda_package(kind: str, wheel: Path, directory: Path, python: Path) -> Path:
    """Make a conda package with rattler-build from what a wheel installs."""
    unpacked = directory / "unpacked"
    shutil.unpack_archive(wheel, unpacked, "zip")
    site = "lib/python{}.{}/site-packages".format(*sys.version_info)
    recipe = directory / "recipe" / "recipe.yaml"
    recipe.parent.mkdir()
    recipe.write_text(RECIPE.format(kind=kind, site=site, unpacked=unpacked))
    check_run([str(python), "-W", "ignore", "-c", PACKAGE, str(recipe), str(directory / "out")])
    (package,) = (directory / "out").glob("*/demo-*.tar.bz2")
    return package


@large
@pytest.mark.parametrize(("kind", "expected"), [("noarch: python", REMOVED), ("number: 0", KEPT)])
def test_rattler_build(
    kind: str, expected: str, *, program: Callable[[str], Path], wheel: Path, tmp_path: Path
) -> None:
    package = conda_package(kind, wheel, tmp_path, program("py-rattler-build"))
    (tmp_path / "site").mkdir()
    check_run(["tar", "-C", str(tmp_path / "site"), "-xjf", str(package)])
    assert installed(tmp_path / "site", wheel) == (expected, RIGHT if expected == KEPT else STALE)


@large
def test_rattler(program: Callable[[str], Path], wheel: Path, tmp_path: Path) -> None:
    """rattler, and so pixi, installs the pycs that a conda package contains."""
    package = conda_package("number: 0", wheel, tmp_path, program("py-rattler-build"))
    python = str(program("py-rattler>=0.28"))
    check_run([python, "-c", INSTALL, str(package), str(tmp_path / "site"), str(tmp_path / "cache")])
    assert installed(tmp_path / "site", wheel) == (KEPT, RIGHT)
