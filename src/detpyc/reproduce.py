"""Reproduce a wheel: build it again from its sources, as it says it was made, and compare."""

from __future__ import annotations

import calendar
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from detpyc.byte_compile import Options, byte_compile_wheel
from detpyc.compare import Comparison, compare
from detpyc.compilation import interpreters
from detpyc.errors import DetpycError, WheelError
from detpyc.files import open_locked
from detpyc.provenance import settings_of
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detpyc.settings import Settings

_GENERATOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+?)[ ]*[( ](?P<version>[0-9][A-Za-z0-9.+!-]*)\)?")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of building a wheel again.

    Attributes:
        original: the wheel.
        built_by: the release of the CPython that ran the build.
        constraints: the build requirements that were pinned to what the wheel records.
        name: of the wheel that was built.
        same: whether it is the original, bit for bit.
        comparison: what is different.

    """

    original: Path
    built_by: str
    constraints: tuple[str, ...]
    name: str
    same: bool
    comparison: Comparison


def reproduce(original: Path, sources: Path, *, jobs: int | None = None) -> Reproduction:
    """Build a wheel again in a clean environment, with the settings that it records, and compare the two.

    The build runs under the release that compiled the bytecode, in a virtual environment of its own, with
    SOURCE_DATE_EPOCH as it is set, or else as the wheel's dates have it.

    Args:
        original: the wheel.
        sources: a source distribution, or the directory of the project.
        jobs: how many workers; by default as many as there are usable processors.

    Returns:
        What became of it.

    Raises:
        DetpycError: if the wheel has no provenance, an interpreter is missing, or the build fails.

    """
    settings = settings_of(original)
    builder = interpreters.find(settings.interpreters[0])
    dates, constraints = _circumstances(original)
    with tempfile.TemporaryDirectory(prefix="detpyc-") as name:
        directory = Path(name)
        project = _unpack(sources, directory / "source")
        built = _build(project, directory, builder.path, dates, constraints)
        result = _byte_compiled(built, settings, directory / "result", jobs)
        same = result.name == original.name and result.read_bytes() == original.read_bytes()
        comparison = Comparison((), (), {}) if same else compare(original, result)
        return Reproduction(original, builder.release, constraints, result.name, same, comparison)


def _circumstances(original: Path) -> tuple[int | None, tuple[str, ...]]:
    """Read from a wheel when it was made, if all its members say the same, and by which release of which backend."""
    with open_locked(original) as stream:
        wheel = Wheel.read(original, stream)
        dates = {member.date_time for member in wheel.archive.members.values()}
        name = f"{wheel.dist_info}/WHEEL"
        metadata = wheel.read_member(name).decode("utf-8", "replace") if name in wheel.archive.members else ""
    date = calendar.timegm((*next(iter(dates)), 0, 0, 0)) if len(dates) == 1 else None
    return date, tuple(_constraints(metadata))


def _constraints(metadata: str) -> Sequence[str]:
    """Return the requirement that a WHEEL file's ``Generator`` is, if it is one: ``hatchling 1.27.0``."""
    for line in metadata.splitlines():
        key, _, value = line.partition(":")
        match = _GENERATOR.fullmatch(value.strip())
        if key.lower() == "generator" and match is not None:
            backend = canonicalize_name(match["name"])
            try:
                return [f"{_DISTRIBUTIONS.get(backend, backend)}=={Version(match['version'])}"]
            except InvalidVersion:
                return []
    return []


# What some backends call themselves, where it is not the name of the distribution to install.
_DISTRIBUTIONS = {"bdist-wheel": "wheel", "flit": "flit-core", "poetry": "poetry-core", "uv": "uv-build"}


def _unpack(sources: Path, directory: Path) -> Path:
    """Copy a project's directory, or unpack its source distribution."""
    if sources.is_dir():
        shutil.copytree(sources, directory, symlinks=True, ignore=shutil.ignore_patterns(".git", "dist", "__pycache__"))
        return directory
    try:
        with tarfile.open(sources) as archive:
            archive.extractall(directory, filter="data")
    except FileNotFoundError as error:
        raise DetpycError(f"{sources}: there is no such file or directory") from error
    except (OSError, tarfile.TarError, EOFError) as error:
        raise DetpycError(f"{sources}: is no source distribution that can be unpacked: {error}") from error
    found = [each for each in directory.iterdir() if each.is_dir()]
    if len(found) != 1:
        raise DetpycError(f"{sources}: holds {len(found)} directories, and a source distribution has one")
    return found[0]


def _build(project: Path, directory: Path, python: str, date: int | None, constraints: Sequence[str]) -> Path:
    """Build the wheel in a virtual environment made for it."""
    environment = dict(interpreters.environment())
    if date is not None:
        environment.setdefault("SOURCE_DATE_EPOCH", str(date))
    if constraints:
        pins = directory / "constraints.txt"
        pins.write_text("".join(f"{each}\n" for each in constraints), encoding="utf-8")
        environment["PIP_CONSTRAINT"] = str(pins)
        environment["PIP_BUILD_CONSTRAINT"] = str(pins)
    venv = directory / "venv"
    _run([python, "-m", "venv", str(venv)], "make a virtual environment", environment)
    inside = str(venv / ("Scripts" if os.name == "nt" else "bin") / "python")
    _run([inside, "-m", "pip", "install", "--quiet", "build"], "install build", environment)
    output = directory / "built"
    command = [inside, "-m", "build", "--wheel", "--outdir", str(output), str(project)]
    _run(command, "build the wheel", environment)
    (wheel,) = output.glob("*.whl")
    return wheel


def _run(command: list[str], purpose: str, environment: dict[str, str]) -> None:
    completed = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        check=False,
        errors="replace",
        text=True,
    )
    if completed.returncode:
        said = interpreters.indented(f"{completed.stdout}\n{completed.stderr}".encode(), lines=30)
        raise DetpycError(f"could not {purpose}: {' '.join(command)} ended with status {completed.returncode}{said}")


def _byte_compiled(built: Path, settings: Settings, output_dir: Path, jobs: int | None) -> Path:
    """Byte-compile what was built as the original was; it changes nothing if the project's own build did."""
    output_dir.mkdir()
    try:
        return byte_compile_wheel(built, settings, Options(output_dir=output_dir, jobs=jobs, rename=True)).path
    except WheelError as error:
        raise DetpycError(f"what was built cannot be byte-compiled: {error}") from error
