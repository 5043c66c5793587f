"""The recipes in ``docs``: the very commands on the pages, run as a reader would run them."""

from __future__ import annotations

import hashlib
import io
import marshal
import os
import shlex
import shutil
import sys
import tarfile
import time
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import build
import pytest

import wheels
from command_line import detpyc, done, snapshot
from pages import blocks_for
from projects import copy_project, import_modules, pyc_of, remove_table, run

if sys.platform == "win32":
    pytest.skip("the commands are for a POSIX shell", allow_module_level=True)

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "{}.{}".format(*sys.version_info)
RELEASE = "{}.{}.{}".format(*sys.version_info)
FIRST = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1", "TZ": "UTC0"}
SECOND = {"LC_ALL": "C", "PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}
PYPROJECT = """\
[project]
name = "service"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["demo"]

[tool.uv]
package = false
"""
PROJECT = """\
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[project]
name = "service"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["demo"]
"""
EPOCH = 1767225600  # as on the pages


def commands(test: str) -> list[str]:
    """Return the blocks that a test runs, for the Python that runs the tests instead of 3.12."""
    return [block.content.replace("3.12.1", RELEASE).replace("3.12", VERSION) for block in blocks_for(test)]


def sh(script: str, directory: Path, **variables: str) -> str:
    """Run commands in a directory, with the programs that are installed beside the Python that runs the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {"PATH": path, "PEX_ROOT": str(directory / "pex-root"), **variables}
    completed = run(["sh", "-eux", "-c", script], cwd=directory, variables=variables)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pycs(directory: Path) -> dict[str, bytes]:
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*.pyc")}


@pytest.fixture
def uv(tmp_path: Path) -> dict[str, str]:
    """Return variables that make uv install a local wheel, and nothing else."""
    index = tmp_path / "index"
    index.mkdir()
    wheels.build(index)
    return {
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_FIND_LINKS": str(index),
        "UV_LINK_MODE": "copy",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
    }


def test_rpzip_is_a_tool_of_its_own() -> None:
    """``uv tool install`` needs the distribution that has the program."""
    (script,) = entry_points(group="console_scripts", name="rpzip")
    assert script.dist is not None
    assert script.dist.name == "rpzip"


def test_lambda(tmp_path: Path, uv: dict[str, str]) -> None:
    (script,) = commands("test_lambda")
    digests, plain_pycs, plain_zips = set(), [], set()
    for name, variables in (("first", FIRST), ("second/and/deeper", SECOND)):
        project = tmp_path / name
        project.mkdir(parents=True)
        (project / "requirements.txt").write_text("demo==1.0\n")
        (project / "handler.py").write_text("from demo.core import f\n\n\ndef handler():\n    return f(1)\n")
        sh(script, project, **uv, **variables)
        digests.add(sha256(project / "lambda.zip"))

        sh("uv pip install --target plain --compile-bytecode -r requirements.txt", project, **uv)
        plain_pycs.append(pycs(project / "plain"))
        plain_zips.add(sha256(Path(shutil.make_archive(str(project / "plain"), "zip", project / "package"))))
        time.sleep(2)  # the resolution of a ZIP's times
    assert plain_pycs[0] != plain_pycs[1]
    assert len(plain_zips) == 2
    assert len(digests) == 1

    site = tmp_path / "deployed"
    shutil.unpack_archive(project / "lambda.zip", site)
    imported = import_modules(site, ["handler"], function="handler")
    assert imported.answer == "True"
    for source in ("handler.py", "demo/__init__.py", "demo/core.py"):
        assert imported.from_bytecode(site, source, pyc_of(source))


def checkout(directory: Path, uv: dict[str, str], mtime: int) -> Path:
    """Check out a project with a dependency, and touch every file."""
    package = directory / "src" / "service"
    package.mkdir(parents=True)
    (directory / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text("from demo.core import f\n")
    (package / "__main__.py").write_text("from service import f\n\nprint(f(1))\n")
    sh("uv lock", directory, **uv)
    for path in directory.rglob("*"):
        os.utime(path, (mtime, mtime))
    return directory


@pytest.fixture
def checkouts(tmp_path: Path, uv: dict[str, str]) -> list[tuple[Path, dict[str, str]]]:
    """Return two checkouts with other times, and the variables to build each with."""
    return [
        (checkout(tmp_path / "first", uv, 1_600_000_000), FIRST),
        (checkout(tmp_path / "second" / "and" / "deeper", uv, 1_700_000_000), SECOND),
    ]


def in_image(tree: Path, tmp_path: Path) -> None:
    """Unpack a layer, and import the project from it."""
    (site,) = tree.glob(".venv/lib/*/site-packages")
    imported = import_modules(site, ["service", "demo.core"], function="__repr__")
    for source in ("service/__init__.py", "demo/core.py"):
        assert imported.from_bytecode(site, source, pyc_of(source))
    assert not list(tmp_path.rglob("uv_cache.json"))


@pytest.mark.skipif(sys.platform != "linux", reason="the recipe needs GNU tar")
def test_container_layer(tmp_path: Path, uv: dict[str, str], checkouts: list[tuple[Path, dict[str, str]]]) -> None:
    """One digest, in the directory that an image has, from two checkouts with every file touched."""
    (script,) = commands("test_container_layer")
    without = script.replace(" UV_NO_INSTALLER_METADATA=1", "")
    plain = without.replace("uv sync", "UV_COMPILE_BYTECODE=1 uv sync").replace("detpyc compile", "true")
    assert len({script, without, plain}) == 3
    digests: dict[str, set[str]] = {plain: set(), without: set(), script: set()}
    for source, variables in checkouts:
        for recipe, found in digests.items():
            app = tmp_path / "app"
            shutil.rmtree(app, ignore_errors=True)
            sh(recipe, shutil.copytree(source, app), **uv, **variables)
            found.add(sha256(app / "layer.tar"))
    assert [len(digests[recipe]) for recipe in (plain, without, script)] == [2, 2, 1]

    sh("mkdir image; tar -xf app/layer.tar -C image", tmp_path)
    shutil.rmtree(app)
    in_image(tmp_path / "image", tmp_path)


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile with their arguments."""
    lines = dockerfile.replace("\\\n", "").splitlines()
    return [(word, arguments) for word, _, arguments in (line.partition(" ") for line in lines) if word]


def build_stage(dockerfile: str, source: Path, app: Path, **variables: str) -> list[str]:
    """Do what the first stage of a Dockerfile does, in a directory of this machine; return what its commands print.

    The programs that it installs are there already.
    """
    printed = []
    _, *stage = instructions(dockerfile)
    for word, arguments in stage:
        if word == "FROM":
            break
        if word == "WORKDIR":
            app.mkdir()
        elif word == "ENV":
            variables |= dict(variable.split("=") for variable in shlex.split(arguments))
        elif word == "COPY":
            *names, target = shlex.split(arguments)
            assert target in {".", "./"}
            for name in names:
                sh(f"cp -a {shlex.quote(f'{source}/{name}')} .", app)
        elif "pip install" not in arguments:
            assert word == "RUN"
            printed.append(sh(arguments, app, **variables))
    return printed


def pack(tree: Path, epoch: int) -> bytes:
    """Pack a directory as BuildKit does with ``rewrite-timestamp``: times later than the given one become that one."""

    def clamp(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mtime = min(info.mtime, epoch)
        return info

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in sorted(tree.rglob("*")):
            archive.add(path, path.relative_to(tree).as_posix(), recursive=False, filter=clamp)
    return stream.getvalue()


def test_dockerfile(tmp_path: Path, uv: dict[str, str], checkouts: list[tuple[Path, dict[str, str]]]) -> None:
    """Run the instructions of the Dockerfile; the layer is what the second stage copies."""
    (dockerfile,) = commands("test_dockerfile")
    (copied,) = (text for word, text in instructions(dockerfile) if word == "COPY" and text.startswith("--from=build"))
    assert copied == "--from=build /app/.venv /app/.venv"
    own = uv.keys() - {"UV_LINK_MODE"}
    app = tmp_path / "app"
    layers = set()
    for source, variables in checkouts:
        shutil.rmtree(app, ignore_errors=True)
        *_, last = build_stage(dockerfile, source, app, **{name: uv[name] for name in own}, **variables)
        assert ", 2 pycs written, " in last  # those of the project
        layers.add(pack(app / ".venv", EPOCH))
    assert len(layers) == 1
    in_image(app, app)


def test_uv_leaves_the_pycs_alone(tmp_path: Path, uv: dict[str, str]) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    sh("uv sync", tmp_path, **uv)
    venv = tmp_path / ".venv"
    done("compile", "-q", venv)
    before = snapshot(venv)
    sh("uv run python --version", tmp_path, **uv)
    assert snapshot(venv) == before
    assert detpyc("compile", "-q", "--check", venv).returncode == 0
    sh("UV_COMPILE_BYTECODE=1 uv run python --version", tmp_path, **uv)
    assert detpyc("compile", "-q", "--check", venv).returncode == 1


def rpm(script: str) -> str:
    return f'BUILDROOT="$PWD/root"\n{script}'


def arch(script: str) -> str:
    return f'pkgdir="$PWD/root"\n{script}\nbuild\npackage'


@pytest.mark.parametrize(("number", "system", "levels"), [(0, rpm, [0, 1]), (1, arch, [0, 1])])
def test_build_root(tmp_path: Path, number: int, system: Callable[[str], str], levels: list[int]) -> None:
    script = system(commands("test_build_root")[number])
    trees = []
    for name, variables in (("first", FIRST), ("second/and/deeper", SECOND)):
        project = copy_project("hatch-src", tmp_path / name)
        remove_table(project)
        sh(script, project, **variables)
        trees.append(pycs(project / "root"))
        done("verify", project / "root")
    assert trees[0] == trees[1]

    (package,) = (project / "root").rglob("hatch_src/")
    installed = "/" + package.relative_to(project / "root").as_posix()
    sources = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
    assert installed.startswith("/usr/lib")
    assert trees[0].keys() == {pyc_of(f"{installed}/{source}", level)[1:] for source in sources for level in levels}
    for source in sources:
        for level in levels:
            code = marshal.loads(trees[0][pyc_of(f"{installed}/{source}", level)[1:]][16:])  # noqa: S302 - made here
            assert code.co_filename == f"{installed}/{source}"
    assert [name for name, content in trees[0].items() if os.fsencode(tmp_path) in content] == []
    sh("python -m compileall -qf root", project)
    assert [name for name, content in pycs(project / "root").items() if b"root/usr" in content]


CONTROL = """\
Package: python3-demo
Version: 1.0
Architecture: all
Maintainer: Demo <demo@example.org>
Description: Demo
"""


@pytest.fixture
def debian(tmp_path: Path) -> dict[str, str]:
    """Return variables that make ``python3`` Debian's, with the packages of the Python that runs the tests."""
    schemes = run(["/usr/bin/python3", "-c", "import sysconfig; print(sysconfig.get_scheme_names())"])
    if "deb_system" not in schemes.stdout or not shutil.which("dpkg-deb") or not shutil.which("py3compile"):
        pytest.skip("this system is not Debian")
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    packages = Path(build.__file__).parents[1]
    python.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(packages))} exec /usr/bin/python3 "$@"\n')
    python.chmod(0o755)
    return {"PATH": os.pathsep.join([str(python.parent), str(Path(sys.executable).parent), os.environ["PATH"]])}


def test_debian(tmp_path: Path, debian: dict[str, str]) -> None:
    (script,) = commands("test_debian")
    packages = set()
    for name, variables in (("first", FIRST), ("second/and/deeper", SECOND)):
        project = copy_project("hatch-src", tmp_path / name)
        remove_table(project)
        control = project / "debian" / "python3-demo" / "DEBIAN" / "control"
        control.parent.mkdir(parents=True)
        control.write_text(CONTROL)
        sh(script, project, **debian, **variables)
        packages.add(sha256(project / "debian" / "python3-demo.deb"))
    assert len(packages) == 1

    sh("dpkg-deb --extract debian/python3-demo.deb unpacked", project, **debian)
    site = project / "unpacked" / "usr" / "lib" / "python3" / "dist-packages"
    shipped = pycs(site)
    assert {Path(name).parent for name in shipped} == {
        Path("hatch_src/__pycache__"),
        Path("hatch_src/nested/__pycache__"),
    }
    sh(f"py3compile {site}", project, **debian)
    assert not shipped.items() & pycs(site).items()

    sh("python3 -m installer --no-compile-bytecode --destdir other --prefix /usr dist/*.whl", project, **debian)
    assert list(project.glob("other/usr/local/lib/python3.*/dist-packages/hatch_src"))


def test_pex(tmp_path: Path, wheel_of: Callable[[str], Path]) -> None:
    (script,) = commands("test_pex")
    digests = set()
    for name, variables in (("first", FIRST), ("second/and/deeper", SECOND)):
        directory = tmp_path / name
        (directory / "dist").mkdir(parents=True)
        shutil.copy(wheel_of("hatch-src"), directory / "dist")
        sh(script, directory, **variables)
        digests.add(sha256(directory / "app.pex"))
    assert len(digests) == 1

    started = run(
        [sys.executable, "-v", str(directory / "app.pex")], variables={"PEX_ROOT": str(tmp_path / "new-pex-root")}
    )
    assert started.stdout == "42\n", started.stderr
    used = [
        line for line in started.stderr.splitlines() if line.startswith("# code object from") and "hatch_src" in line
    ]
    assert any(pyc_of("nested/counting.py") in line for line in used)
    assert [line for line in used if ".pyc" not in line] == []
    assert [line for line in started.stderr.splitlines() if line.startswith("# wrote") and "hatch_src" in line] == []


def test_zipapp(tmp_path: Path, wheel_of: Callable[[str], Path]) -> None:
    (script,) = commands("test_zipapp")
    digests = set()
    for name, variables in (("first", FIRST), ("second/and/deeper", SECOND)):
        directory = tmp_path / name
        (directory / "dist").mkdir(parents=True)
        shutil.copy(wheel_of("hatch-src"), directory / "dist")
        sh(script, directory, **variables)
        digests.add(sha256(directory / "app.pyz"))
    assert len(digests) == 1

    with zipfile.ZipFile(directory / "app.pyz") as archive:
        modules = [name for name in archive.namelist() if name.startswith("hatch_src/") and ".py" in name]
    assert modules
    assert [name for name in modules if not name.endswith(".pyc")] == []
    started = run([sys.executable, str(directory / "app.pyz")])
    assert started.stdout == "42\n", started.stderr
