"""Development tasks. ``nox`` alone runs what CI runs."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "typing", "unit-3.10", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # on CI systems too: the tests themselves say which are missing

ROOT = Path(__file__).parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
FORMATTED = ("benchmarks", "src", "tests", "noxfile.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*dependencies("lint"))
    session.run("ruff", "check", *FORMATTED)
    session.run("ruff", "format", "--check", *FORMATTED)


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, for the oldest and the newest Python and for Windows, whose branches differ."""
    session.install("-e", ".", *dependencies("typing"))
    for options in (["--python-version=3.10"], ["--python-version=3.14"], ["--platform=win32"]):
        session.run("mypy", *options)
    session.run("mypy", "noxfile.py")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests under the Python that runs nox."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and report their coverage, that of the processes which they start included."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "2", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=PYTHONS)
def unit(session: nox.Session) -> None:
    """Run the unit tests under another Python, if it is found."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("pytest", "-n", "2", "tests/unit", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Build one project twice, as differently as it goes, and show that the wheels are the same."""
    project = ROOT / "test-projects" / (session.posargs[0] if session.posargs else "hatch-src")
    if not project.is_dir():
        session.error(f"there is no {project}; give the name of a folder in test-projects")
    session.install(".", "build", "hatchling", "pdm-backend")
    digests = [
        build(session, project, "first", {"PYTHONHASHSEED": "1", "TZ": "UTC"}),
        build(session, project, "second/and/somewhere/deeper", {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}),
    ]
    if digests[0] != digests[1]:
        session.error("the wheels differ")
    session.log("Both wheels are the same, bit for bit.")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure detpyc against what it replaces; takes about a quarter of an hour."""
    session.install(".", *dependencies("bench"))
    session.run("python", str(ROOT / "benchmarks" / "run.py"), *session.posargs)


def dependencies(group: str) -> tuple[str, ...]:
    """Return a dependency group's requirements: pip itself reads them from 25.1 on only."""
    return nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), group)


def build(session: nox.Session, project: Path, where: str, environment: dict[str, str]) -> str:
    """Build the wheel of a copy of a project, show the bytecode in it, and return its SHA-256."""
    copy = Path(session.create_tmp()) / where / project.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project, copy)
    session.run("python", "-m", "build", "--wheel", "--no-isolation", str(copy), env=environment)
    (wheel,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.filename.endswith((".py", ".pyc", "/detpyc.json")):
                print(f"{member.file_size:>8}  {member.filename}", flush=True)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    print(f"sha256 {digest}  {wheel.name}", flush=True)
    return digest
