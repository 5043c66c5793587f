"""Development tasks. ``nox`` without options runs the checks of CI."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "typing", "docs", "unit-3.10", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False  # also on CI systems; the tests list the missing ones

ROOT = Path(__file__).parent
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
OTHER_PYTHONS = ["3.8", "3.9", "3.14t"]  # what else the tests compile with
FORMATTED = (".github", "benchmarks", "docs", "spec", "src", "tests", "noxfile.py")
SITE = ROOT / "docs" / "_build"
GITHUB = ROOT / ".github"
SCHEMAS = {  # of check-jsonschema, for files that GitHub reads
    "dependabot": [GITHUB / "dependabot.yml"],
    "github-actions": [ROOT / "action.yml"],
    "github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "github-issue-forms": [GITHUB / "ISSUE_TEMPLATE" / "bug.yml", GITHUB / "ISSUE_TEMPLATE" / "feature.yml"],
    "github-workflows": sorted(GITHUB.glob("workflows/*.yml")),
}

# Nox and the tests find what `nox -s pythons` has installed, after all others.
INSTALLED = ROOT / ".nox" / "uv-pythons"
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, INSTALLED.glob("cpython-*.*.*/bin"))])


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting, the files for GitHub, Dependabot and pre-commit, and what PyPI would show."""
    session.install(*dependencies("lint"))
    session.run("ruff", "check", *FORMATTED)
    session.run("ruff", "format", "--check", *FORMATTED)
    for schema, files in SCHEMAS.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files))
    session.run("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
    session.run("pre-commit", "validate-config", ".pre-commit-config.yaml")
    session.run("zizmor", "--offline", "--quiet", "action.yml", ".github")
    distributions = temporary_directory(session)
    session.run("python", "-m", "build", "--outdir", str(distributions), str(ROOT))
    session.run("twine", "check", "--strict", *map(str, distributions.glob("detpyc-*")))


@nox.session
def typing(session: nox.Session) -> None:
    """Check types for the oldest and the newest Python, and for Windows, where other branches run."""
    session.install("-e", ".", *dependencies("typing"))
    windows = ["--platform=win32", "--no-warn-unreachable", "--exclude=fake_interpreter[.]py$"]  # POSIX only
    for options in (["--python-version=3.10"], ["--python-version=3.14"], windows):
        session.run("mypy", *options)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests under the Python that runs nox."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def pythons(session: nox.Session) -> None:
    """Install CPythons for the other sessions, through uv; ``-- 3.12 3.14t`` installs only these."""
    session.install("uv")
    requests = session.posargs or [*PYTHONS, *OTHER_PYTHONS]
    session.run("uv", "python", "install", "--no-bin", "--install-dir", str(INSTALLED), *requests)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and report their coverage, including that of the processes they start."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "2", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=PYTHONS)
def unit(session: nox.Session) -> None:
    """Run the unit tests under another Python, if it is installed."""
    session.install("-e", ".", *dependencies("tests"))
    session.run("pytest", "-n", "2", "tests/unit", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Build one project twice, in different directories and environments, and show that the wheels are the same."""
    project = ROOT / "test-projects" / (session.posargs[0] if session.posargs else "hatch-src")
    if not project.is_dir():
        session.error(f"{project} does not exist; name a directory of test-projects")
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
    """Measure detpyc against the programs that it replaces; takes about 15 minutes."""
    session.install(".", *dependencies("bench"))
    session.run("python", str(ROOT / "benchmarks" / "run.py"), *session.posargs)


@nox.session
def schemas(session: nox.Session) -> None:
    """Write the JSON Schemas that are shipped and published, from the code and the documentation."""
    session.install("-e", ".")
    session.run("python", str(ROOT / "tests" / "support" / "schema_files.py"))


@nox.session(name="map")
def architecture_map(session: nox.Session) -> None:
    """Write the map of the modules in docs/architecture.md, from their imports."""
    session.run("python", str(ROOT / "tests" / "support" / "modules.py"))


@nox.session
def manuals(session: nox.Session) -> None:
    """Write what is made from the command line: a page, the manual pages, completion scripts, the README's picture."""
    session.install("-e", ".[completion,progress]")
    for name in ("manuals.py", "terminal.py"):
        session.run("python", str(ROOT / "tests" / "support" / name))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site; a warning is an error, for example about a link that leads nowhere."""
    session.install(*dependencies("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-E", "-b", "html", str(ROOT / "docs"), str(SITE))
    session.log(f"Open {SITE / 'index.html'}")


@nox.session
def screenshots(session: nox.Session) -> None:
    """Open every page of the site in Chromium, check it, and take pictures; run ``docs`` before."""
    session.install("playwright")
    if shutil.which("chromium") is None:
        session.run("playwright", "install", "chromium")
    pictures = temporary_directory(session)
    session.run("python", str(ROOT / "tests" / "support" / "screenshots.py"), str(SITE), str(pictures))
    session.log(f"The pictures are in {pictures}")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz the parsers of untrusted bytes; ``-- --seconds 300 zip`` limits the time and the targets."""
    session.install("-e", ".", "hypothesis")
    # Guided by coverage where atheris has a wheel for this Python; by hypothesis elsewhere.
    session.run("python", "-m", "pip", "install", "--only-binary=:all:", "atheris", success_codes=(0, 1))
    environment = {"PYTHONPATH": str(ROOT / "tests" / "support")}
    session.run("python", str(ROOT / "tests" / "fuzz" / "fuzz.py"), *session.posargs, env=environment)


@nox.session
def installers(session: nox.Session) -> None:
    """Install a wheel with each installer, also with those that are large; takes a minute or two."""
    session.install("-e", ".", *dependencies("tests"))
    environment = {"DETPYC_TEST_INSTALLERS": "1"}
    session.run("pytest", "tests/integration/test_installers.py", *session.posargs, env=environment)


@nox.session
def bazel(session: nox.Session) -> None:
    """Build with a real Bazel, Debian's if it can be installed, and send a worker 1,000 requests; takes minutes."""
    session.install("-e", ".", *dependencies("tests"))
    install_debian(session, "bazel", "bazel-bootstrap")
    environment = {"DETPYC_TEST_BAZEL": "1"}
    session.run("pytest", "-rP", "tests/integration/test_bazel.py", *session.posargs, env=environment)


@nox.session
def dask(session: nox.Session) -> None:
    """Verify wheels of an index on a Dask cluster whose workers die; ``-- NAME...`` names other distributions."""
    session.install("-e", ".", *dependencies("dask"))
    wheels = temporary_directory(session) / "wheels"
    names = session.posargs or ["-r", str(ROOT / "benchmarks" / "wheels.txt")]
    command = ["python", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", f"--dest={wheels}"]
    session.run(*command, *names)
    compiled = wheels.with_name("compiled")  # pip downloads again what is not as it was
    shutil.rmtree(compiled, ignore_errors=True)
    options = ["--quiet", "--on-syntax-error=skip", f"--output-dir={compiled}"]
    session.run("detpyc", "wheel", *options, *map(str, wheels.glob("*.whl")))
    environment = {"DETPYC_TEST_WHEELS": str(compiled)}
    session.run("pytest", "-rP", "tests/integration/test_dask.py", env=environment)


@nox.session
def rpmbuild(session: nox.Session) -> None:
    """Build packages with rpm and debhelper, Debian's if they can be installed, from wheels of an index."""
    session.install("-e", ".", *dependencies("tests"))
    install_debian(session, "rpmbuild", "rpm")
    install_debian(session, "cpio", "cpio")
    install_debian(session, "dh_python3", "debhelper", "dh-python")
    wheels = temporary_directory(session) / "wheels"
    command = ["python", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", f"--dest={wheels}"]
    session.run(*command, "rich", "pygments")
    environment = {"DETPYC_TEST_PACKAGES": str(wheels)}
    session.run("pytest", "-rP", "tests/integration/test_distributions.py", *session.posargs, env=environment)


@nox.session
def faults(session: nox.Session) -> None:
    """Make every file-system call of the commands that write fail; takes several minutes, and needs a C compiler."""
    session.install("-e", ".", *dependencies("tests"))
    environment = {"PYTHONPATH": str(ROOT / "tests" / "support")}
    session.run("python", str(ROOT / "tests" / "faults" / "run.py"), *session.posargs, env=environment)


@nox.session
def dist(session: nox.Session) -> None:
    """Build the sdist and the wheel of a release into dist/, twice, and check them; needs every Python of ``unit``."""
    requirements = nox.project.load_toml(ROOT / "pyproject.toml")["build-system"]["requires"]
    session.install(".", "build", *requirements)
    checkouts = [temporary_directory(session) / where for where in ("first", "second/and/somewhere/deeper")]
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    digests = set()
    for checkout in checkouts:
        shutil.rmtree(checkout, ignore_errors=True)
        session.run("git", "clone", "--quiet", str(ROOT), str(checkout), external=True)
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(ROOT / "dist"), str(checkout))
        (sdist,), (wheel,) = (ROOT / "dist").glob("*.tar.gz"), (ROOT / "dist").glob("*.whl")
        compiled = Path(shutil.copy(wheel, checkout))
        session.run("detpyc", "wheel", *(f"--interpreter={python}" for python in PYTHONS), str(compiled))
        digests.add(tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in (sdist, wheel, compiled)))
    if len(digests) > 1:
        session.error("the artifacts differ")
    check_release(session, compiled, sdist)


@nox.session
def reproduce(session: nox.Session) -> None:
    """Build the wheel of the last release again from its sdist, as published, with bytecode; needs every Python."""
    session.install("detpyc")
    directory = temporary_directory(session)
    for form in ("--only-binary=:all:", "--no-binary=:all:"):
        session.run("python", "-m", "pip", "download", "--quiet", "--no-deps", form, "-d", str(directory), "detpyc")
    (wheel,), (sdist,) = directory.glob("*.whl"), directory.glob("*.tar.gz")
    session.run("detpyc", "wheel", *(f"--interpreter={python}" for python in PYTHONS), str(wheel))
    check_release(session, wheel, sdist)


@nox.session
def notes(session: nox.Session) -> None:
    """Check that a release is ready, and write its notes from the changelog: ``-- v0.1.0``."""
    with (ROOT / ".nox" / "notes.md").open("w", encoding="utf-8") as stream:
        session.run("python", str(GITHUB / "release_notes.py"), *session.posargs, stdout=stream, stderr=None)


def check_release(session: nox.Session, wheel: Path, sdist: Path) -> None:
    """Verify a wheel of detpyc with bytecode for every Python, and reproduce it."""
    tags = [f"--require=cpython-{python.replace('.', '')}" for python in PYTHONS]
    session.run("detpyc", "verify", "--strict", *tags, str(wheel))
    session.run("detpyc", "reproduce", str(wheel), "--from", str(sdist))


@nox.session
def vectors(session: nox.Session) -> None:
    """Make the test vectors of canonical form again; ``-- PYTHON...`` names interpreters that compile theirs again."""
    environment = {"PYTHONPATH": str(ROOT / "tests" / "support")}
    session.run("python", str(ROOT / "spec" / "generate.py"), *session.posargs, env=environment)


@nox.session
def differential(session: nox.Session) -> None:
    """Compare detpyc with the reference implementation on packages and mutants; ``-- WHEEL...`` names more packages."""
    session.install("-e", ".", *dependencies("tests"))
    folders = [str(ROOT / name) for name in ("spec", "tests", "tests/support", "tests/fuzz")]
    environment = {"PYTHONPATH": os.pathsep.join(folders)}
    session.run("python", str(ROOT / "tests" / "differential" / "run.py"), *session.posargs, env=environment)


@nox.session
def machines(session: nox.Session) -> None:
    """Compare workers on emulated machines with this one; takes an hour, and needs Debian and the network."""
    session.install("-e", ".")
    environment = {"PYTHONPATH": str(ROOT / "spec")}
    directory = ["--directory", str(temporary_directory(session) / "machines")]
    session.run("python", str(ROOT / "tests" / "machines" / "run.py"), *directory, *session.posargs, env=environment)


def install_debian(session: nox.Session, program: str, *packages: str) -> None:
    """Install packages of Debian's if a program is missing and they can be had; the tests report what is missing."""
    if shutil.which(program) is None and shutil.which("apt-get") is not None:
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        session.run(*command, external=True, success_codes=range(256))


def temporary_directory(session: nox.Session) -> Path:
    """Return the temporary directory of a session, whose path nox gives relative to the current directory."""
    return Path(session.create_tmp()).resolve()


def dependencies(group: str) -> tuple[str, ...]:
    """Return the requirements of a dependency group, which pip before 25.1 cannot read."""
    return nox.project.dependency_groups(nox.project.load_toml(ROOT / "pyproject.toml"), group)


def build(session: nox.Session, project: Path, where: str, environment: dict[str, str]) -> str:
    """Build the wheel of a copy of a project, print its sources and bytecode, and return its SHA-256."""
    copy = temporary_directory(session) / where / project.name
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
