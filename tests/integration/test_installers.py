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
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wheels
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
    done = run(filled, cwd=tmp_path, variables={**variables, **own})
    assert done.returncode == 0, done.stderr
    assert installed(site, wheel) == expected
    assert (WARNING in done.stderr) == ("installer" in command)


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


@pytest.mark.parametrize("manager", ["pip", "uv"])
def test_sam(manager: str, wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    """What ``sam build`` calls keeps the pycs of wheels, and ignores those of the function."""
    source, site, scratch = (tmp_path / name for name in ("source", "site", "scratch"))
    for directory in (source / "__pycache__", site, scratch):
        directory.mkdir(parents=True)
    (source / "requirements.txt").write_text("demo==1.0\n")
    (source / "handler.py").write_text("")
    (source / "__pycache__" / Path(pyc_of("handler.py")).name).write_bytes(b"")
    command = [sys.executable, "-c", BUILDER, str(source), str(site), str(scratch), manager]
    done = run(command, variables=variables)
    if "Runtime python" in done.stderr and "is not supported" in done.stderr:
        pytest.skip("Lambda does not have this Python")
    assert done.returncode == 0, done.stderr
    assert installed(site, wheel) == (KEPT, RIGHT)
    assert sorted(path.name for path in site.glob("*")) == sorted(
        {"demo", "demo-1.0.dist-info", "handler.py", "requirements.txt", *({".lock", "bin"} if manager == "uv" else ())}
    )


def findings(path: Path, *options: str) -> set[str]:
    """Return the codes that check-wheel-contents reports."""
    command = [str(PROGRAMS / "check-wheel-contents"), "--no-config", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    codes = {line.split(": ")[1] for line in done.stdout.splitlines() if ".whl: W" in line}
    assert done.returncode == int(bool(codes)), done.stderr
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

    def install(requirement: str) -> Path:
        directory = tmp_path_factory.mktemp("environment")
        uv = str(PROGRAMS / "uv")
        check_run([uv, "venv", "--quiet", "--python", sys.executable, str(directory / "venv")])
        python = directory / "venv" / "bin" / "python"
        check_run([uv, "pip", "install", "--quiet", "--python", str(python), requirement])
        return python

    return install


def app(directory: Path, wheel: Path, table: str) -> Path:
    """Write a project that depends on the wheel."""
    directory.mkdir()
    project = f'[project]\nname = "app"\nversion = "1.0"\ndependencies = ["demo @ {wheel.as_uri()}"]\n'
    version = 'requires-python = ">=3.10,<4"\n'
    (directory / "pyproject.toml").write_text(f"{project}{version}\n{table}\n")
    return directory


@large
def test_poetry(program: Callable[[str], Path], wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    poetry = str(program("poetry>=2.4").parent / "poetry")
    variables = {**variables, "POETRY_VIRTUALENVS_IN_PROJECT": "1"}
    for options, expected in (([], (REMOVED, NONE)), (["--compile"], (REPLACED, NONE))):
        project = app(tmp_path / "-".join(["app", *options]), wheel, "[tool.poetry]\npackage-mode = false")
        done = run([poetry, "install", "--no-interaction", *options], cwd=project, variables=variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert WARNING in done.stderr
        assert installed(project / ".venv", wheel) == expected


@large
def test_pdm(program: Callable[[str], Path], wheel: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    pdm = str(program("pdm[locked]>=2.29").parent / "pdm")
    variables = {**variables, "PDM_CHECK_UPDATE": "0", "PDM_IGNORE_ACTIVE_VENV": "1"}
    for use_uv, expected in (("false", (REMOVED, NONE)), ("true", (KEPT, RIGHT))):
        project = app(tmp_path / use_uv, wheel, "[tool.pdm]\ndistribution = false")
        for command in (["config", "--local", "use_uv", use_uv], ["venv", "create", sys.executable], ["install", "-v"]):
            done = run([pdm, *command], cwd=project, variables=variables)
            assert done.returncode == 0, done.stdout + done.stderr
        assert (WARNING in done.stderr) == (use_uv == "false")
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


@large
@pytest.mark.parametrize(("kind", "expected"), [("noarch: python", REMOVED), ("number: 0", KEPT)])
def test_rattler_build(
    kind: str, expected: str, *, program: Callable[[str], Path], wheel: Path, tmp_path: Path
) -> None:
    """What a conda package contains."""
    unpacked = tmp_path / "unpacked"
    for name in ("recipe", "site"):
        (tmp_path / name).mkdir()
    shutil.unpack_archive(wheel, unpacked, "zip")
    site = "lib/python{}.{}/site-packages".format(*sys.version_info)
    recipe = tmp_path / "recipe" / "recipe.yaml"
    recipe.write_text(RECIPE.format(kind=kind, site=site, unpacked=unpacked))
    python = str(program("py-rattler-build"))
    check_run([python, "-W", "ignore", "-c", PACKAGE, str(recipe), str(tmp_path / "out")])
    (package,) = (tmp_path / "out").glob("*/demo-*.tar.bz2")
    check_run(["tar", "-C", str(tmp_path / "site"), "-xjf", str(package)])
    assert installed(tmp_path / "site", wheel)[0] == expected
