"""Archives as other programs make them: what is sound in them is verified, and what is tampered with is found."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipapp
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import images
import trees
import wheels
from detpyc.compilation import interpreters
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from pycs import forged

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = interpreters.current()
FILES = {"demo/__init__.py": b"", "demo/core.py": b"def f():\n    return 1000\n", "demo/sub/__init__.py": b"X = 1\n"}
SETUP = (
    b"from setuptools import setup\nsetup(name='demo', version='1.0', packages=['demo', 'demo.sub'], zip_safe=True)\n"
)


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a program of Python's, which may write bytecode."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *map(str, command)], cwd=cwd, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that pip installed into, with pycs as pip makes them."""
    directory = tmp_path_factory.mktemp("target")
    wheel = wheels.build(directory, FILES)
    run("-m", "pip", "install", "-q", "--no-index", "--target", directory / "site", wheel)
    return trees.write(directory / "site", {"__main__.py": b"import demo.core\nprint(demo.core.f())\n"})


def lambda_zip(target: Path, directory: Path) -> Path:
    """With the times of the files in extra fields, if there is Info-ZIP."""
    path = directory / "lambda.zip"
    if shutil.which("zip"):
        subprocess.run(["zip", "-q", "-r", str(path), "."], cwd=target, check=True)
        return path
    return Path(shutil.make_archive(str(path.with_suffix("")), "zip", target))


def zipapp_of(target: Path, directory: Path) -> Path:
    zipapp.create_archive(target, directory / "app.pyz", "/usr/bin/env python3")
    return directory / "app.pyz"


def pex(target: Path, directory: Path) -> Path:
    (wheel,) = target.parent.glob("*.whl")
    run("-m", "pex", "demo", "--pre-resolved-dists", wheel, "--compile", "-o", directory / "app.pex")
    return directory / "app.pex"


def egg(_: Path, directory: Path) -> Path:
    project = trees.write(directory / "project", {**FILES, "setup.py": SETUP})
    run("setup.py", "-q", "bdist_egg", cwd=project)
    (path,) = (project / "dist").glob("*.egg")
    return path


def tar_of(target: Path, directory: Path) -> Path:
    with tarfile.open(directory / "layer.tar.gz", "w:gz") as archive:
        archive.add(target, "opt/python")
    return directory / "layer.tar.gz"


def layers_of(target: Path) -> list[bytes]:
    """Return three layers: one below with a tampered pyc, which the last one hides; and the pycs before the sources."""
    pycs, sources = io.BytesIO(), io.BytesIO()
    for stream, is_pyc in ((pycs, True), (sources, False)):
        files = [path for path in target.rglob("*") if path.is_file() and (path.suffix == ".pyc") == is_pyc]
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for file in sorted(files):
                archive.add(file, f"app/{file.relative_to(target)}")
    below = images.tar({"app/old/evil.py": b"", "app/old/evil.pyc": forged(b"", path="evil.py")})
    sources.seek(0)
    with tarfile.open(fileobj=sources, mode="a") as archive:
        archive.addfile(tarfile.TarInfo("app/.wh.old"))
    return [below, pycs.getvalue(), sources.getvalue()]


def docker(target: Path, directory: Path) -> Path:
    path = directory / "image.tar"
    path.write_bytes(images.tar(images.docker(layers_of(target))))
    return path


def oci(target: Path, directory: Path) -> Path:
    return images.write_layout(directory / "oci", layers_of(target))


def pycs_in(path: Path) -> int | None:
    """Return how many pycs other programs find in an archive that is not an image."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return sum(name.endswith(".pyc") for name in archive.namelist())
    if path.suffix == ".gz":
        with tarfile.open(path) as tar:
            return sum(name.endswith(".pyc") for name in tar.getnames())
    return None


FORMATS: dict[str, Callable[[Path, Path], Path]] = {
    "lambda": lambda_zip,
    "zipapp": zipapp_of,
    "pex": pex,
    "egg": egg,
    "tar": tar_of,
    "docker": docker,
    "oci": oci,
}


@pytest.mark.parametrize("name", FORMATS)
def test_sound(name: str, target: Path, tmp_path: Path) -> None:
    path = FORMATS[name](target, tmp_path)
    report = verify_artifact(path, [HERE])
    number = len(list(target.rglob("*.pyc")))
    assert report.problems == ()
    assert {finding.status for finding in report.findings} == {Status.EQUIVALENT}
    assert len(report.findings) == (pycs_in(path) or number) >= 3
    assert all((finding.layer is not None) == (name in {"docker", "oci"}) for finding in report.findings)


@pytest.mark.parametrize("name", ["lambda", "zipapp", "tar", "docker", "oci"])
def test_tampered(name: str, target: Path, tmp_path: Path) -> None:
    """A clean source beside an unchecked-hash pyc of other code."""
    copy = shutil.copytree(target, tmp_path / "copy")
    (pyc,) = copy.glob("demo/__pycache__/core.*.pyc")
    pyc.write_bytes(forged(FILES["demo/core.py"], b"import os\n", "demo/core.py"))
    report = verify_artifact(FORMATS[name](copy, tmp_path), [HERE])
    (found,) = report.refused([Status.IDENTICAL, Status.EQUIVALENT])
    assert found.status is Status.DIFFERS
    assert found.pyc.endswith(f"demo/__pycache__/{pyc.name}")


def test_sdist(tmp_path: Path) -> None:
    """It has no pycs; one that got into it is judged."""
    pyproject = b'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    files = {**FILES, "setup.py": SETUP, "pyproject.toml": pyproject}
    project = trees.write(tmp_path / "project", files)
    run("-m", "build", "-q", "--sdist", "--no-isolation", project)
    (path,) = (project / "dist").glob("*.tar.gz")
    assert verify_artifact(path).findings == ()
    (project / "demo/core.pyc").write_bytes(forged(FILES["demo/core.py"], path="demo/core.py"))
    (project / "MANIFEST.in").write_text("include demo/core.pyc\n")
    run("-m", "build", "-q", "--sdist", "--no-isolation", project)
    (finding,) = verify_artifact(path, [HERE]).findings
    assert (finding.pyc, finding.status) == ("demo-1.0/demo/core.pyc", Status.DIFFERS)
