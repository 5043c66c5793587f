"""Reproduce a wheel: build it again from its sources, as it says it was made, and compare."""

from __future__ import annotations

import calendar
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from detpyc import __version__
from detpyc.byte_compile.recipe import Recipe
from detpyc.byte_compile.wheel import Options, byte_compile_wheel
from detpyc.compare import Comparison, compare_artifacts
from detpyc.compilation import interpreters, processes
from detpyc.errors import DetpycError, InterpreterError, WheelError
from detpyc.replacement import temporary_directory
from detpyc.reproducible import ZIP_EPOCH, source_date_epoch
from detpyc.settings import VARIABLES, variable
from detpyc.verify.sources import tar_fault
from detpyc.wheel.tags import tag_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter

_GENERATOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+?)[ ]*[( ](?P<version>[0-9][A-Za-z0-9.+!-]*)\)?")

# What some backends call themselves, where it is not the name of the distribution to install.
_DISTRIBUTIONS = {"bdist-wheel": "wheel", "flit": "flit-core", "poetry": "poetry-core", "uv": "uv-build"}

# In a project's directory, what no build reads and is large, and in any directory, what is stale at best.
_NOT_COPIED = frozenset({".nox", ".tox", ".venv", "dist", "venv"})
_NEVER_COPIED = "__pycache__"

_LINES = 30  # how many of what a failed build said an error shows
_OLDEST_BUILDER = (3, 10)  # the oldest that detpyc runs under, and so the oldest that can have built the wheel


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of building a wheel again.

    Attributes:
        original: the wheel.
        built_by: the release of the CPython that ran the build.
        constraints: the build requirements that were pinned to what the wheel records.
        name: of the wheel that was built.
        same: whether it is the original, bit for bit.
        dated: whether the build was told the time of the original, or another.
        comparison: what is different.

    """

    original: Path
    built_by: str
    constraints: tuple[str, ...]
    name: str
    same: bool
    dated: bool
    comparison: Comparison


def reproduce(original: Path, sources: Path, *, jobs: int | None = None) -> Reproduction:
    """Build a wheel again in a clean environment, byte-compile it as the wheel records, and compare the two.

    The build runs in a virtual environment of its own, with the backend and detpyc pinned to the versions that the
    wheel records, and with SOURCE_DATE_EPOCH as it is set, or else as the wheel's dates have it.

    Args:
        original: the wheel.
        sources: a source distribution, or the directory of the project.
        jobs: how many workers; by default as many as there are usable processors.

    Returns:
        What became of it.

    Raises:
        DetpycError: if the wheel does not say how it was made or another detpyc made it, an interpreter is missing, or
            the build fails.

    """
    recipe = Recipe.of(original)
    if recipe.detpyc != __version__:
        raise DetpycError(
            f"{original}: was made by detpyc {recipe.detpyc}, and this is {__version__}, which would record itself;"
            f" install detpyc=={recipe.detpyc} and reproduce it with that"
        )
    source_date_epoch()  # refuses one that is malformed, which backends meet with a traceback
    compilers = _compilers(original, recipe)
    builder = _builder(tag_of(original.name), compilers)
    constraints = (*_backend(recipe.generator), f"detpyc=={recipe.detpyc}")
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _epoch(recipe)
    with tempfile.TemporaryDirectory(prefix="detpyc-", dir=temporary_directory()) as name:
        directory = Path(name)
        project = _project(sources, directory / "source")
        built = _build(project, directory, builder.path, constraints, epoch)
        result = _byte_compiled(built, recipe, directory / "result", jobs)
        same = result.name == original.name and result.read_bytes() == original.read_bytes()
        comparison = Comparison((), (), {}) if same else compare_artifacts(original, result)
    return Reproduction(original, builder.release, constraints, result.name, same, epoch is not None, comparison)


def _compilers(original: Path, recipe: Recipe) -> list[Interpreter]:
    try:
        return [interpreters.find(request, exactly=True) for request in recipe.settings.interpreters]
    except InterpreterError as error:
        releases = ", ".join(recipe.settings.interpreters)
        raise InterpreterError(
            f"{original}: was byte-compiled by CPython {releases}, and no other reproduces it: {error}"
        ) from error


def _builder(tag: str, compilers: Sequence[Interpreter]) -> Interpreter:
    """Return the interpreter to run the build: for extension modules the wheel's own, else one that can have done it.

    Args:
        tag: of the wheel.
        compilers: those that compiled its bytecode.

    """
    native = re.search(r"-cp3(\d+)[a-z]*-", tag)
    if native is not None:
        version = (3, int(native[1]))
        found = next((each for each in compilers if each.version == version), None)
        return found or interpreters.find("{}.{}".format(*version))
    running = interpreters.current()
    able = [each for each in compilers if each.version >= _OLDEST_BUILDER]
    if not able or running.release in {each.release for each in able}:
        return running
    return max(able, key=lambda each: each.version)


def _backend(generator: str) -> list[str]:
    """Return the requirement that a wheel's ``Generator`` is, if it is one: ``hatchling 1.27.0``."""
    match = _GENERATOR.fullmatch(generator)
    if match is None:
        return []
    try:
        name = canonicalize_name(match["name"], validate=True)
        return [f"{_DISTRIBUTIONS.get(name, name)}=={Version(match['version'])}"]
    except (InvalidName, InvalidVersion):
        return []


def _epoch(recipe: Recipe) -> str | None:
    """Return the SOURCE_DATE_EPOCH that gives a wheel's members the date that they all have."""
    if recipe.date is None:
        return None
    try:
        return str(calendar.timegm((*recipe.date, 0, 0, 0)))
    except ValueError:  # ZIP can say the 0th of the 0th month
        return None


def _project(sources: Path, directory: Path) -> Path:
    """Copy a project's directory, or unpack its source distribution; return where it is."""
    if not sources.is_dir():
        return _unpack(sources, directory)

    def not_copied(parent: str, names: list[str]) -> Collection[str]:
        return {name for name in names if name == _NEVER_COPIED or (name in _NOT_COPIED and Path(parent) == sources)}

    try:
        return Path(shutil.copytree(sources, directory, symlinks=True, ignore=not_copied))
    except OSError as error:
        raise DetpycError(f"{sources}: cannot be copied: {error}") from error


def _unpack(sdist: Path, directory: Path) -> Path:
    """Unpack a source distribution; return the one directory that is in it."""
    if not hasattr(tarfile, "data_filter"):
        raise DetpycError(f"{sdist}: this Python cannot unpack archives safely; unpack it, and give the directory")
    try:
        with tarfile.open(sdist) as archive:
            archive.extractall(directory, filter="data")
    except FileNotFoundError as error:
        raise DetpycError(f"{sdist}: there is no such file or directory") from error
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise DetpycError(
            f"{sdist}: is no source distribution that can be unpacked: {tar_fault(error)}; give a .tar.gz, or the"
            " project's directory"
        ) from error
    found = [each for each in directory.iterdir() if each.is_dir()] if directory.exists() else []
    if len(found) != 1:
        raise DetpycError(f"{sdist}: holds {len(found)} directories, and a source distribution has one")
    return found[0]


def _build(project: Path, directory: Path, python: str, constraints: Sequence[str], epoch: str | None) -> Path:
    """Build the wheel in a virtual environment made for it; pip is as its own configuration has it."""
    variables = {name: value for name, value in processes.environment().items() if not name.startswith(VARIABLES)}
    if epoch is not None:
        variables["SOURCE_DATE_EPOCH"] = epoch
    temporary = directory / "temporary"
    temporary.mkdir()
    variables |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))  # goes with the directory, whatever happens
    venv, output = directory / "venv", directory / "built"
    inside = str(venv / ("Scripts" if os.name == "nt" else "bin") / "python")
    _run([python, "-I", "-m", "venv", str(venv)], "make a virtual environment", variables)
    _run([inside, "-I", "-m", "pip", "install", "--quiet", "build"], "install build", variables)

    pins = directory / "constraints.txt"
    pins.write_text("".join(f"{each}\n" for each in constraints), encoding="utf-8")
    # Some versions of pip take the one, some the other; what it lists is separated by spaces, which a path may have.
    for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"):
        variables[name] = f"{variables.get(name, '')} {pins.as_uri()}".strip()
    variables[variable("disable")] = "1"  # what the wheel records is done afterwards, whatever the project says today
    command = [inside, "-I", "-m", "build", "--wheel", "--outdir", str(output), str(project)]
    _run(command, f"build the wheel with {', '.join(constraints)}", variables)
    wheels = list(output.glob("*.whl"))
    if len(wheels) != 1:
        raise DetpycError(f"the build has left {len(wheels)} wheels in the place of one")
    return wheels[0]


def _run(command: Sequence[str], purpose: str, variables: Mapping[str, str]) -> None:
    """Run a command to its end.

    Raises:
        DetpycError: if it fails; the message shows the end of what it said.

    """
    try:
        completed = processes.run(command, variables, merged=True)
    except OSError as error:
        raise DetpycError(f"could not {purpose}: {command[0]} cannot be run: {error.strerror}") from error
    if completed.returncode:
        said = processes.indented(completed.stdout, _LINES)
        raise DetpycError(f"could not {purpose}: {' '.join(command)} ended with status {completed.returncode}{said}")


def _byte_compiled(built: Path, recipe: Recipe, output_dir: Path, jobs: int | None) -> Path:
    """Byte-compile what was built as the original was."""
    output_dir.mkdir()
    options = Options(
        output_dir=output_dir,
        jobs=jobs,
        normalize_archive=recipe.normalized,
        date=recipe.date or ZIP_EPOCH,
        rename=True,
    )
    try:
        return byte_compile_wheel(built, recipe.settings, options).path
    except WheelError as error:
        raise DetpycError(f"what was built cannot be byte-compiled: {error}") from error
