"""Reproduce a wheel: build it again from its sources, as its own record says, and compare."""

from __future__ import annotations

import calendar
import os
import re
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from detpyc import __version__
from detpyc.byte_compile.recipe import Recipe
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.compare import Comparison, compare_artifacts
from detpyc.compilation import interpreters, processes
from detpyc.errors import DetpycError, InterpreterError, WheelError
from detpyc.replacement import temporary_directory
from detpyc.reproducible import ZIP_EPOCH, source_date_epoch
from detpyc.sdist import open_sdist
from detpyc.settings import VARIABLES, variable
from detpyc.wheel.tags import tag_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter

__all__ = ["Reproduction", "reproduce_wheel"]

_GENERATOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+?)[ ]*[( ](?P<version>[0-9][A-Za-z0-9.+!-]*)\)?")

# The distributions of the backends whose Generator is not called like theirs.
_DISTRIBUTIONS = {"bdist-wheel": "wheel", "flit": "flit-core", "poetry": "poetry-core", "uv": "uv-build"}

_NOT_COPIED = frozenset(
    {".nox", ".tox", ".venv", "dist", "venv"}
)  # at the top of a project: large, and no build's input
_NEVER_COPIED = "__pycache__"  # in any directory: stale at best

# What stands for paths in a repair command, as in cibuildwheel's CIBW_REPAIR_WHEEL_COMMAND.
_WHEEL, _DEST_DIR = "{wheel}", "{dest_dir}"

_LINES = 30  # of the output of a failed build, for an error message
_OLDEST_BUILDER = (3, 10)  # the oldest Python that detpyc runs under, and so the oldest that can have built the wheel


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The result of building a wheel again.

    Attributes:
        original: the path of the wheel.
        built_by: the release of the CPython that ran the build, e.g. ``3.12.1``.
        constraints: the build requirements, pinned to the versions that the wheel records.
        name: the file name of the wheel that was built.
        same: whether it is the original, bit for bit.
        dated: whether the date of the original was known; otherwise, members may have the date of this build.
        comparison: the differences.

    """

    original: Path
    built_by: str
    constraints: tuple[str, ...]
    name: str
    same: bool
    dated: bool
    comparison: Comparison


def reproduce_wheel(
    original: str | os.PathLike[str],
    sources: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    install: bool = False,
    repair: str | None = None,
) -> Reproduction:
    """Build a wheel again in a clean environment, byte-compile it as the wheel records, and compare the two.

    The build runs in a new virtual environment, with the backend and detpyc pinned to the versions that the wheel
    records. SOURCE_DATE_EPOCH is kept if set, otherwise it is the date of the wheel's members if they all have the
    same one. Building runs the project's code. A repair command runs before the wheel is byte-compiled, or after it if
    something else than detpyc wrote the original last.

    Args:
        original: the path of the wheel.
        sources: the path of a source distribution (``.tar.gz``), or of the project's directory.
        jobs: the number of workers; by default one for each usable processor.
        install: have uv install interpreters that are missing.
        repair: the command that repairs the wheel, e.g. ``auditwheel repair -w {dest_dir} {wheel}``. It is split as a
            POSIX shell does, but not run in one. It must write one wheel to the directory.

    Returns:
        What was built, and how it differs.

    Raises:
        DetpycError: if the wheel does not record how it was made or was made by another version of detpyc, an
            interpreter is missing, the build or the repair command fails, or the latter does not write one wheel.

    """
    original, sources = Path(original), Path(sources)
    command = None if repair is None else _repair_command(repair)
    recipe = Recipe.of(original)
    if recipe.detpyc != __version__:
        raise DetpycError(
            f"was made by detpyc {recipe.detpyc}, and this is {__version__}, which would record itself;"
            f" install detpyc=={recipe.detpyc} and reproduce the wheel with that",
            path=original,
        )
    source_date_epoch()  # refuses a malformed one, for which backends show a traceback
    compilers = _compilers(original, recipe, install=install)
    builder = _builder(tag_of(original.name), compilers, install=install)
    constraints = (*_backend(recipe.generator), f"detpyc=={recipe.detpyc}")
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _epoch(recipe)
    with tempfile.TemporaryDirectory(prefix="detpyc-", dir=temporary_directory()) as name:
        directory = Path(name)
        project = _project(sources, directory / "source")
        variables = _variables(directory, epoch)
        built = _build(project, directory, builder.path, constraints, variables)
        if command is not None and not recipe.rewritten:
            built = _repaired(built, command, directory / "repaired", variables)
        result = _byte_compiled(built, recipe, compilers, directory / "result", jobs)
        if command is not None and recipe.rewritten:
            result = _repaired(result, command, directory / "repaired", variables)
        same = result.name == original.name and result.read_bytes() == original.read_bytes()
        comparison = Comparison((), (), {}) if same else compare_artifacts(original, result)
    return Reproduction(original, builder.release, constraints, result.name, same, epoch is not None, comparison)


def _compilers(original: Path, recipe: Recipe, *, install: bool) -> list[Interpreter]:
    requests = recipe.settings.interpreters
    try:
        return [interpreters.find_interpreter(request, exactly=True, install=install) for request in requests]
    except InterpreterError as error:
        releases = ", ".join(requests)
        raise InterpreterError(
            f"was byte-compiled by CPython {releases}, and no other release reproduces it: {error}", path=original
        ) from error


def _builder(tag: str, compilers: Sequence[Interpreter], *, install: bool = False) -> Interpreter:
    """Return the interpreter to run the build: for extension modules, one of the version that they are for.

    Args:
        tag: the wheel's tag.
        compilers: the interpreters that compiled its bytecode.
        install: have uv install one that is missing.

    """
    native = re.search(r"-cp3(\d+)[a-z]*-", tag)
    if native is not None:
        version = (3, int(native[1]))
        found = next((compiler for compiler in compilers if compiler.version == version), None)
        return found or interpreters.find_interpreter("{}.{}".format(*version), install=install)
    running = interpreters.current()
    able = [compiler for compiler in compilers if compiler.version >= _OLDEST_BUILDER]
    if not able or running.release in {compiler.release for compiler in able}:
        return running
    return max(able, key=lambda compiler: compiler.version)


def _backend(generator: str) -> list[str]:
    """Return the requirement for the backend that a wheel's ``Generator`` names, e.g. ``hatchling 1.27.0``."""
    match = _GENERATOR.fullmatch(generator)
    if match is None:
        return []
    try:
        name = canonicalize_name(match["name"], validate=True)
        return [f"{_DISTRIBUTIONS.get(name, name)}=={Version(match['version'])}"]
    except (InvalidName, InvalidVersion):
        return []


def _epoch(recipe: Recipe) -> str | None:
    """Return the SOURCE_DATE_EPOCH for the date that all members of a wheel have."""
    if recipe.date is None:
        return None
    try:
        return str(calendar.timegm((*recipe.date, 0, 0, 0)))
    except ValueError:  # a ZIP date may be the 0th of the 0th month
        return None


def _project(sources: Path, directory: Path) -> Path:
    """Copy a project's directory, or unpack its source distribution; return the directory."""
    if not sources.is_dir():
        with open_sdist(sources) as sdist:
            return sdist.unpack(directory)

    def not_copied(parent: str, names: list[str]) -> Collection[str]:
        return {name for name in names if name == _NEVER_COPIED or (name in _NOT_COPIED and Path(parent) == sources)}

    try:
        return Path(shutil.copytree(sources, directory, symlinks=True, ignore=not_copied))
    except OSError as error:
        raise DetpycError(f"cannot be copied: {error}", path=sources) from error


def _variables(directory: Path, epoch: str | None) -> Mapping[str, str]:
    """Return the environment for the build and the repair: the user's, without the settings of Python and detpyc."""
    variables = {name: value for name, value in processes.environment().items() if not name.startswith(VARIABLES)}
    if epoch is not None:
        variables["SOURCE_DATE_EPOCH"] = epoch
    temporary = directory / "temporary"
    temporary.mkdir()
    # Deleted with the directory, whatever happens.
    return variables | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))


def _build(
    project: Path, directory: Path, python: str, constraints: Sequence[str], environment: Mapping[str, str]
) -> Path:
    """Build the wheel in a new virtual environment; the user's configuration of pip applies."""
    variables = dict(environment)
    venv, output = directory / "venv", directory / "built"
    inside = str(venv / ("Scripts" if os.name == "nt" else "bin") / "python")
    _run([python, "-I", "-m", "venv", str(venv)], "make a virtual environment", variables)
    _run([inside, "-I", "-m", "pip", "install", "--quiet", "build"], "install build", variables)

    pins = directory / "constraints.txt"
    pins.write_text("".join(f"{constraint}\n" for constraint in constraints), encoding="utf-8")
    # Which of the two pip reads depends on its version. Its items are separated by spaces, which a path may contain.
    for name in ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"):
        variables[name] = f"{variables.get(name, '')} {pins.as_uri()}".strip()
    variables[variable("disable")] = "1"  # what the wheel records is done afterwards, whatever the project's settings
    command = [inside, "-I", "-m", "build", "--wheel", "--outdir", str(output), str(project)]
    _run(command, f"build the wheel with {', '.join(constraints)}", variables)
    wheels = list(output.glob("*.whl"))
    if len(wheels) != 1:
        raise DetpycError(f"the build left {len(wheels)} wheels; expected one")
    return wheels[0]


def _repair_command(repair: str) -> list[str]:
    """Split a repair command.

    Raises:
        DetpycError: if it cannot be split, or does not say where the paths go.

    """
    try:
        command = shlex.split(repair)
    except ValueError as error:
        raise DetpycError(f"the repair command {repair!r} cannot be split: {error}") from error
    missing = [placeholder for placeholder in (_WHEEL, _DEST_DIR) if not any(placeholder in part for part in command)]
    if missing:
        raise DetpycError(
            f"the repair command {repair!r} must contain {' and '.join(missing)}, which stand for paths, as in:"
            f" auditwheel repair -w {_DEST_DIR} {_WHEEL}"
        )
    return command


def _repaired(wheel: Path, command: Sequence[str], output: Path, variables: Mapping[str, str]) -> Path:
    """Run the repair command; return the wheel that it wrote."""
    output.mkdir()
    paths = {_WHEEL: str(wheel), _DEST_DIR: str(output)}
    placeholders = re.compile("|".join(map(re.escape, paths)))
    filled = [placeholders.sub(lambda match: paths[match[0]], part) for part in command]
    _run(filled, "repair the wheel", variables)
    wheels = [path for path in output.glob("*.whl") if path.is_file()]
    if len(wheels) != 1:
        raise DetpycError(f"the repair command left {len(wheels)} wheels in {_DEST_DIR}; expected one")
    return wheels[0]


def _run(command: Sequence[str], purpose: str, variables: Mapping[str, str]) -> None:
    """Run a command and wait for it.

    Raises:
        DetpycError: if it fails; the message shows the end of its output.

    """
    try:
        completed = processes.run(command, variables, merged=True)
    except OSError as error:
        raise DetpycError(f"could not {purpose}: {command[0]} cannot be run: {error.strerror}") from error
    if completed.returncode:
        output = processes.indented(completed.stdout, _LINES)
        raise DetpycError(f"could not {purpose}: {' '.join(command)} ended with status {completed.returncode}{output}")


def _byte_compiled(
    built: Path, recipe: Recipe, compilers: Sequence[Interpreter], output_dir: Path, jobs: int | None
) -> Path:
    """Byte-compile the wheel that was built as the original was."""
    settings = recipe.settings._replace(interpreters=tuple(compiler.path for compiler in compilers))
    output_dir.mkdir()
    options = WheelOptions(
        output_dir=output_dir,
        jobs=jobs,
        normalize_archive=recipe.normalized,
        missing=recipe.missing,
        date=recipe.date or ZIP_EPOCH,
        rename=True,
    )
    try:
        return byte_compile_wheel(built, settings, options).path
    except WheelError as error:
        raise DetpycError(f"the wheel that was built cannot be byte-compiled: {error}") from error
