"""What others unpack and install from the hostile wheels that detpyc accepts: the same files, with the same bytes.

None of the readers here is detpyc's own. Some of the wheels have bytecode that verification does not let pass; what
counts here is only whether everybody finds the same in them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from detpyc.errors import WheelError
from detpyc.wheel.distribution import Wheel
from hostile.test_hostile import CASES
from installers import INSTALLERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNZIP = shutil.which("unzip")
LARGE = 10_000  # members; it takes long to unpack more, and the tricks are not in their number

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels that are opened without an error, by the name of the case."""
    found: dict[str, Path] = {}
    builders: set[Callable[[Path], Path]] = set()
    for name, case in CASES.items():
        if case.build in builders or "-large-" in name:
            continue
        builders.add(case.build)
        directory = tmp_path_factory.mktemp("case")
        try:
            path = case.build(directory)
        except pytest.skip.Exception:
            continue
        if path.suffix == ".whl" and path.is_file() and contents(path) is not None:
            found[name] = path
    assert len(found) > 50
    return found


def contents(path: Path) -> Files | None:
    """Return what detpyc reads from a wheel; None if it refuses to."""
    with path.open("rb") as stream:
        try:
            archive = Wheel.open(path, stream).archive
            if len(archive.members) > LARGE:
                return None
            read = {name: archive.read(name) for name in archive.members}
            return {name: content for name, content in read.items() if not name.endswith("/")}
        except WheelError:
            return None


def sound(accepted: dict[str, Path]) -> Iterator[tuple[str, Path, Files]]:
    """Yield the wheels in which nothing is wrong but bytecode, with what installers must make of their code."""
    for name, path in accepted.items():
        if not name.startswith(("archives-", "locations-", "wheels-")):
            continue  # the tricks of the others are inside their files
        with path.open("rb") as stream:
            wheel = Wheel.open(path, stream)
            if not wheel.check():
                metadata = {member: member for member in wheel.archive.members if member.startswith(wheel.dist_info)}
                places = {**wheel.importable, **metadata}.items()
                code = {at: wheel.archive.read(member) for member, at in places if at.endswith((".py", ".pyc"))}
                yield name, path, code


def has_data_of_others(path: Path) -> bool:
    """Return whether a wheel has a ``.data`` directory with the name of another distribution."""
    with zipfile.ZipFile(path) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    return any(top.endswith(".data") and top != "demo-1.0.data" for top in tops)


def files(directory: Path) -> Files:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_zipfile(accepted: dict[str, Path], tmp_path: Path) -> None:
    for name, path in accepted.items():
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            archive.extractall(tmp_path / name)
        assert files(tmp_path / name) == contents(path), name


@pytest.mark.skipif(UNZIP is None, reason="unzip is not installed")
def test_unzip(accepted: dict[str, Path], tmp_path: Path) -> None:
    for name, path in accepted.items():
        command = [str(UNZIP), "-q", "-o", str(path), "-d", str(tmp_path / name)]
        completed = subprocess.run(
            command, env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        assert (completed.returncode, completed.stderr) == (0, b""), name
        assert files(tmp_path / name) == contents(path), name


@pytest.mark.parametrize("installer", INSTALLERS)
def test_installer(installer: str, accepted: dict[str, Path], tmp_path: Path) -> None:
    installed = 0
    for name, path, expected in sound(accepted):
        if installer == "uv" and has_data_of_others(path):
            continue  # which pip installs, and so detpyc looks into; uv leaves it where it is
        target = tmp_path / name
        options = ["--quiet", "--no-deps", "--no-index", "--target", str(target)]
        command = [sys.executable, "-m", *INSTALLERS[installer], *options, str(path)]
        completed = subprocess.run(command, capture_output=True, check=False, text=True)
        assert completed.returncode == 0, f"{name}: {completed.stderr}"
        found = files(target)
        elsewhere = ("bin/", "include/", "lib/", "share/")  # scripts, headers and data
        code = {at: data for at, data in found.items() if at.endswith((".py", ".pyc")) and not at.startswith(elsewhere)}
        assert code == expected, name
        installed += 1
    assert installed > 10
