"""Whether a pyc is loaded: what detpyc says of artifacts, against what the interpreter does that runs the tests.

The artifacts are unpacked or run as their users do it. In directories ``python -v`` names the pycs that it loads;
modules that are imported from a ZIP file have the path of what was loaded as ``__file__``.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipapp
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import images
import trees
import wheels
from detpyc.cli import main
from detpyc.loading import Finder
from detpyc.verify.artifacts import verify_artifact
from pycs import HERE, SOURCE, TAG, pyc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detpyc.verify.reports import VerificationReport

MODULES = ("demo", "demo.core", "demo.sub")
FILES = {"demo/__init__.py": b"", "demo/core.py": SOURCE, "demo/sub/__init__.py": b"X = 1\n"}
MAIN = b"import demo.core, demo.sub\nprint(demo.core.f())\n"
CREATED = re.compile(r"^# code object from '(?P<pyc>.+\.pyc)'$", re.MULTILINE)
FILE_NAMES = f"import sys, importlib\nfor name in {MODULES}: print(importlib.import_module(name).__file__)"
SETUP = (
    b"from setuptools import setup\nsetup(name='demo', version='1.0', packages=['demo', 'demo.sub'], zip_safe=True)\n"
)
MTIME = 1_700_000_001  # an odd second, which a ZIP file does not keep in its dates
NOT_KEPT = "its header has the mtime of its source, and installers do not keep that"
EPOCH = "its header has the mtime of its source, and the archive dates the source 1980-01-01"
NOT_IN_CACHE = "zipimport does not look into __pycache__"


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program, which may write bytecode."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def python(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, *arguments, cwd=None, **variables)


def loaded_from_directory(directory: Path, *options: str) -> set[str]:
    """Import the modules from a directory; return the pycs in it that are loaded."""
    script = f"import sys; sys.path.insert(0, {str(directory)!r}); import {', '.join(MODULES)}"
    done = python("-B", "-I", "-v", *options, "-c", script)
    return pycs_below(directory, done.stderr)


def pycs_below(directory: Path, verbose: str) -> set[str]:
    """Return the pycs below a directory that ``python -v`` names as loaded."""
    paths = map(Path, CREATED.findall(verbose))
    return {path.relative_to(directory).as_posix() for path in paths if path.is_relative_to(directory)}


def loaded_from_zip(archive: Path) -> set[str]:
    """Import the modules from a ZIP file; return the pycs in it that are loaded."""
    done = python("-I", "-c", f"import sys; sys.path.insert(0, {str(archive)!r}); exec({FILE_NAMES!r})")
    return {Path(line).relative_to(archive).as_posix() for line in done.stdout.splitlines() if line.endswith(".pyc")}


def said_to_load(report: VerificationReport) -> set[str]:
    assert report.findings
    assert {finding.pyc for finding in report.findings if not finding.loads} == report.never_loaded.keys()
    return {finding.pyc for finding in report.findings if finding.loads and "demo/" in finding.pyc}


def reasons(report: VerificationReport) -> set[str]:
    return set(report.never_loaded.values())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.build(tmp_path_factory.mktemp("wheel"), FILES)


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that pip installed into some time ago, with timestamp pycs."""
    site = tmp_path_factory.mktemp("target") / "site"
    python("-m", "pip", "install", "-q", "--no-index", "--no-compile", "--target", site, wheel)
    for path in site.rglob("*.py"):
        os.utime(path, (MTIME, MTIME))
    python("-m", "compileall", "-q", "--invalidation-mode", "timestamp", site)  # as pip does it
    return site


@pytest.fixture(scope="module")
def compiled(target: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory by our recipe: with hash-based pycs."""
    site = shutil.copytree(target, tmp_path_factory.mktemp("compiled") / "site")
    assert main(["compile", "-q", "--force", "--no-cache", "-i", HERE.path, str(site)]) == 0
    return site


def zipped(directory: Path, path: Path, date: tuple[int, int, int, int, int, int] | None = None) -> Path:
    """Zip a directory with Python; with the dates of the files, or with one for all."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(directory.rglob("*")):
            info = zipfile.ZipInfo.from_file(file, file.relative_to(directory).as_posix())
            info.date_time = date or info.date_time
            archive.writestr(info, file.read_bytes() if file.is_file() else b"")
    return path


# ---- ZIP files that are unpacked


@pytest.mark.skipif(not (shutil.which("zip") and shutil.which("unzip")), reason="Info-ZIP is missing")
def test_lambda_by_zip(target: Path, tmp_path: Path) -> None:
    """``zip`` writes the times and ``unzip`` restores them; Python's `zipfile` does not."""
    path = tmp_path / "lambda.zip"
    run("zip", "-q", "-r", path, ".", cwd=target)
    run("unzip", "-q", path, "-d", tmp_path / "unzipped")
    shutil.unpack_archive(path, tmp_path / "unpacked")
    report = verify_artifact(path, [HERE])
    assert report.passes()
    assert said_to_load(report) == loaded_from_directory(tmp_path / "unzipped") != set()
    report = verify_artifact(path, [HERE], loaded_as="installed")
    assert said_to_load(report) == loaded_from_directory(tmp_path / "unpacked") == set()
    assert reasons(report) == {NOT_KEPT}


def test_lambda_of_1980(target: Path, tmp_path: Path) -> None:
    """As SAM and others write it."""
    path = zipped(target, tmp_path / "lambda.zip", (1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            extracted = archive.extract(info, tmp_path / "unpacked")
            times = time.mktime((*info.date_time, -1, -1, -1))
            os.utime(extracted, (times, times))
    report = verify_artifact(path, [HERE])
    assert report.passes()
    assert said_to_load(report) == loaded_from_directory(tmp_path / "unpacked") == set()
    assert reasons(report) == {EPOCH}
    assert report.loaded_by == ()


def test_lambda_by_recipe(compiled: Path, tmp_path: Path) -> None:
    path = zipped(compiled, tmp_path / "lambda.zip", (1980, 1, 1, 0, 0, 0))
    shutil.unpack_archive(path, tmp_path / "unpacked")
    report = verify_artifact(path, [HERE], require=[TAG])
    assert report.passes()
    assert said_to_load(report) == loaded_from_directory(tmp_path / "unpacked") != set()
    assert report.never_loaded == {}


# ---- ZIP files that Python imports from


@pytest.mark.parametrize("layout", ["pycache", "beside"])
@pytest.mark.parametrize("header", ["timestamp", "1980", "hash", "stale", "sourceless"])
def test_zipapp(layout: str, header: str, compiled: Path, target: Path, tmp_path: Path) -> None:
    app = shutil.copytree(target if header in {"timestamp", "1980"} else compiled, tmp_path / "app")
    trees.write(app, {"__main__.py": MAIN})
    for path in app.rglob(f"*.{TAG}.pyc"):
        source = path.parents[1] / f"{path.name.partition('.')[0]}.py"
        if layout == "beside":
            path.rename(source.with_suffix(".pyc"))
        if header == "stale":
            source.write_bytes(source.read_bytes() + b"\n")
        if header == "sourceless" and layout == "beside":
            source.unlink()
    path = zipped(app, tmp_path / "app.zip", (1980, 1, 1, 0, 0, 0) if header == "1980" else None)
    report = verify_artifact(path, [HERE])
    expected = layout == "beside" and header in {"timestamp", "hash", "sourceless"}
    assert said_to_load(report) == loaded_from_zip(path)
    assert bool(said_to_load(report)) == expected
    assert report.loaded_by == (("{}.{}".format(*HERE.version),) if expected else ())
    if layout == "pycache":
        assert reasons(report) == {NOT_IN_CACHE}


def test_pyz(compiled: Path, tmp_path: Path) -> None:
    app = trees.write(shutil.copytree(compiled, tmp_path / "app"), {"__main__.py": MAIN})
    zipapp.create_archive(app, tmp_path / "app.pyz", "/usr/bin/env python3")
    report = verify_artifact(tmp_path / "app.pyz", [HERE])
    assert (report.passes(), reasons(report)) == (True, {NOT_IN_CACHE})
    assert said_to_load(report) == loaded_from_zip(tmp_path / "app.pyz") == set()


def test_egg(tmp_path: Path) -> None:
    project = trees.write(tmp_path / "project", {**FILES, "setup.py": SETUP})
    run(sys.executable, "setup.py", "-q", "bdist_egg", cwd=project)
    (path,) = (project / "dist").glob("*.egg")
    report = verify_artifact(path, [HERE])
    assert report.passes()
    assert said_to_load(report) == loaded_from_zip(path) == set()


@pytest.mark.parametrize("hashed", [False, True])
def test_pex(wheel: Path, tmp_path: Path, *, hashed: bool) -> None:
    """It runs from the archive at first, then unpacked: ``.bootstrap`` has pycs beside their sources."""
    path, sources, root = tmp_path / "app.pex", trees.write(tmp_path / "sources", {"app.py": MAIN}), tmp_path / "root"
    options = () if hashed else ("--compile",)
    inputs: tuple[str | Path, ...] = ("demo", "--pre-resolved-dists", wheel, "-D", sources)
    python("-m", "pex", *inputs, "-m", "app", "-o", path, *options, PEX_ROOT=str(root))
    if hashed:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"__pycache__/app.{TAG}.pyc", pyc(MAIN, "app.py"))
    report = verify_artifact(path, [HERE])
    done = python(path, PEX_ROOT=str(root), PYTHONVERBOSE="1", PYTHONDONTWRITEBYTECODE="1")
    (unpacked,) = (entry.parent for entry in root.glob("unzipped_pexes/**/PEX-INFO"))
    assert done.stdout == "1000\n"
    assert report.findings
    assert {finding.pyc for finding in report.findings if finding.loads} == pycs_below(unpacked, done.stderr)
    assert bool(report.loaded_by) == hashed


# ---- tar files and images


def tarred(directory: Path, top: str, chosen: Callable[[Path], bool] = lambda _: True) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for file in sorted(path for path in directory.rglob("*") if path.is_file() and chosen(path)):
            archive.add(file, f"{top}/{file.relative_to(directory).as_posix()}")
    return stream.getvalue()


def layers_of(directory: Path) -> list[bytes]:
    """Return three layers: of pycs, one of which the last layer hides; of sources; and of a whiteout."""
    whiteout = images.tar({f"app/demo/__pycache__/.wh.core.{TAG}.pyc": b""})
    pycs = tarred(directory, "app", lambda path: path.suffix == ".pyc")
    return [pycs, tarred(directory, "app", lambda path: path.suffix != ".pyc"), whiteout]


def unpacked(layers: Sequence[bytes], directory: Path) -> Path:
    """Lay layers over each other, as container engines do it."""
    directory.mkdir()
    for layer in layers:
        subprocess.run(["tar", "-x", "-C", str(directory)], input=layer, check=True)
        for path in directory.rglob(".wh.*"):
            path.with_name(path.name.removeprefix(".wh.")).unlink()
            path.unlink()
    return directory


@pytest.mark.parametrize("kind", ["docker", "oci"])
@pytest.mark.parametrize("name", ["target", "compiled"])
def test_images(kind: str, name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    layers = layers_of(request.getfixturevalue(name))
    if kind == "docker":
        path = tmp_path / "image.tar"
        path.write_bytes(images.tar(images.docker(layers)))
    else:
        path = images.write_layout(tmp_path / "oci", layers)
    report = verify_artifact(path, [HERE], require=[TAG])
    loaded = loaded_from_directory(unpacked(layers, tmp_path / "rootfs") / "app")
    assert {finding.pyc.removeprefix("app/") for finding in report.findings if finding.loads} == loaded
    assert len(loaded) == 2
    assert report.unmet == {TAG: ("app/demo/core.py",)}


@pytest.mark.parametrize("delay", [0, 5])
def test_sdist(delay: int, tmp_path: Path) -> None:
    """A tar file keeps mtimes: if it has other ones, its timestamp pycs are not loaded."""
    pyproject = b'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    files = {
        **FILES,
        "setup.py": SETUP,
        "pyproject.toml": pyproject,
        "MANIFEST.in": b"include demo/__pycache__/*.pyc\n",
    }
    project = trees.write(tmp_path / "project", files)
    mtime = int((project / "demo/core.py").stat().st_mtime)
    cached = f"demo/__pycache__/core.{TAG}.pyc"
    trees.write(project, {cached: pyc(path="demo/core.py", mtime=mtime + delay)})
    python("-m", "build", "-q", "--sdist", "--no-isolation", project)
    (path,) = (project / "dist").glob("*.tar.gz")
    run("tar", "-x", "-f", path, "-C", tmp_path)
    (finding,) = verify_artifact(path, [HERE]).findings
    loaded = loaded_from_directory(tmp_path / "demo-1.0")
    assert (finding.pyc == f"demo-1.0/{cached}", finding.loads) == (True, not delay)
    assert loaded == (set() if delay else {cached})


# ---- directories


def test_what_is_found_first(tmp_path: Path) -> None:
    """An extension module, a package and a source are found before a pyc."""
    names = ["demo/core", "demo/sub/__init__", "demo/__init__"]
    site = trees.write(tmp_path / "site", {f"{name}.py": FILES[f"{name}.py"] for name in names})
    assert main(["compile", "-q", "--no-cache", "-i", HERE.path, str(site)]) == 0
    shutil.copy(site / f"demo/__pycache__/core.{TAG}.pyc", site / "demo/core.pyc")
    trees.write(site, {"demo/core/__init__.py": SOURCE})
    report = verify_artifact(site, [HERE])
    said = {Path(pyc).relative_to(site).as_posix() for pyc in said_to_load(report)}
    assert (
        said
        == loaded_from_directory(site)
        == {
            f"demo/__pycache__/__init__.{TAG}.pyc",
            f"demo/sub/__pycache__/__init__.{TAG}.pyc",
        }
    )
    (site / "demo/core/__init__.py").unlink()
    for suffix in _extension_suffixes():
        (site / f"demo/core{suffix}").write_bytes(b"")
        never = verify_artifact(site, [HERE]).never_loaded
        assert never[str(site / f"demo/__pycache__/core.{TAG}.pyc")] == (
            "an extension module is beside it, and is imported in its place"
        )
        script = f"import sys; sys.path.insert(0, {str(site)!r}); from importlib.util import find_spec as f"
        found = python("-I", "-c", f"{script}; print(f('demo.core').origin)").stdout.strip()
        assert found == str(site / f"demo/core{suffix}")
        (site / f"demo/core{suffix}").unlink()


def _extension_suffixes() -> list[str]:
    script = "import importlib.machinery as m; print(m.EXTENSION_SUFFIXES)"
    found = ast.literal_eval(python("-I", "-c", script).stdout)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("level", [0, 1, 2])
def test_levels(level: int, target: Path, tmp_path: Path) -> None:
    site = shutil.copytree(target, tmp_path / "site")
    assert main(["compile", "-q", "--no-cache", "-i", HERE.path, "--optimize", "0", "--optimize", "2", str(site)]) == 0
    report = verify_artifact(site, [HERE], targets=[TAG], levels=[level])
    said = {Path(pyc).relative_to(site).as_posix() for pyc in said_to_load(report)}
    assert said == loaded_from_directory(site, *([f"-{'O' * level}"] if level else []))
    assert bool(said) == (level != 1)


def test_other_version(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = "cpython-38" if TAG != "cpython-38" else "cpython-39"
    assert main(["verify", "--json", "-i", HERE.path, "--for", other, "--level", "0", str(target)]) == 0
    (document,) = json.loads(capsys.readouterr().out)["reports"]
    assert {pyc["ignored-because"] for pyc in document["pycs"]} == {
        "its magic number is that of CPython {}.{}".format(*HERE.version)
    }
    assert {pyc["loads"] for pyc in document["pycs"]} == {False}
    assert document["loaded-by"] == []


def test_options_are_the_finders() -> None:
    from detpyc.cli import verify  # noqa: PLC0415 - only its source matters

    choices = ", ".join(f'"{finder.value}"' for finder in Finder)
    assert f"choices=({choices})" in Path(verify.__file__).read_text(encoding="utf-8")
