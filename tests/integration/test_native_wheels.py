"""Wheels that other tools repair or retag: auditwheel with an extension module in C, delocate, ``wheel tags``."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installer.sources import WheelFile

import wheels
from detpyc import reproduce
from detpyc.cli import main
from pages import blocks_for
from projects import build, check_run, copy_project, import_modules, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EPOCH = "1600000000"
REPAIR = "auditwheel repair -w {dest_dir} {wheel}"
VERSION = "{}{}".format(*sys.version_info)
MODULE = "setuptools_native/__init__.py"
CACHES = {"setuptools_native/__pycache__/", "setuptools_native/nested/__pycache__/"}


@dataclass(frozen=True, slots=True)
class Native:
    """A wheel with an extension module, not repaired and without bytecode.

    Attributes:
        wheel: its path.
        variables: the environment in which auditwheel and the linker find the library.

    """

    wheel: Path
    variables: dict[str, str]

    def repair(self, wheel: Path, directory: Path, **variables: str) -> Path:
        """Repair a wheel with auditwheel."""
        command = [part.format(wheel=wheel, dest_dir=directory) for part in REPAIR.split()]
        check_run(command, variables=self.variables | variables)
        (repaired,) = directory.glob("*.whl")
        return repaired


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Native:
    """Compile the library and the extension module, once."""
    compiler = shutil.which("cc")
    missing = [
        *(["Linux, whose files auditwheel repairs"] if sys.platform != "linux" else []),
        *(["a C compiler (cc)"] if compiler is None else []),
        *(["Python.h"] if not Path(sysconfig.get_path("include"), "Python.h").exists() else []),
    ]
    if compiler is None or missing:
        pytest.skip(f"native wheels need {', '.join(missing)}")
    directory = tmp_path_factory.mktemp("native")
    project, library = copy_project("setuptools-native", directory), directory / "lib"
    library.mkdir()
    command = [compiler, "-shared", "-fPIC", "-g0", "-o", str(library / "libthrice.so"), "thrice.c"]
    assert run(command, cwd=project / "library").returncode == 0
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables: dict[str, Any] = {"LD_LIBRARY_PATH": str(library), "LIBRARY_PATH": str(library), "PATH": path}
    built = build(project, directory / "dist", SOURCE_DATE_EPOCH=EPOCH, **variables)
    return Native(built.artifact, variables)


def byte_compiled(wheel: Path, directory: Path, *options: str) -> Path:
    """Byte-compile a copy of a wheel."""
    assert main(["wheel", "--quiet", *options, "--output-dir", str(directory), str(wheel)]) == 0
    (result,) = directory.glob("*.whl")
    return result


def test_repair_and_bytecode_in_either_order(native: Native, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A last run of detpyc makes both the same; without it they differ in more than one way."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    repaired = native.repair(native.wheel, tmp_path / "repaired", SOURCE_DATE_EPOCH=EPOCH)
    first = byte_compiled(repaired, tmp_path / "first")
    compiled = byte_compiled(native.wheel, tmp_path / "compiled")
    other = native.repair(compiled, tmp_path / "other", SOURCE_DATE_EPOCH=EPOCH)
    assert wheels.read(other).keys() - wheels.read(first).keys() == CACHES
    assert main(["verify", "--strict", "--quiet", str(other)]) == 0
    second = byte_compiled(other, tmp_path / "second")

    assert first.name == second.name == other.name != native.wheel.name
    assert any(name.startswith("setuptools_native.libs/libthrice-") for name in wheels.read(first))
    assert first.read_bytes() == second.read_bytes()
    assert main(["wheel", "--quiet", "--check", str(second)]) == 0


@pytest.mark.parametrize("options", [(), ("--compression", "stored"), ("--layout", "sourceless", "--optimize", "2")])
def test_repair_and_bytecode_in_either_order_at_different_times(
    options: tuple[str, ...], native: Native, tmp_path: Path
) -> None:
    """With a normalized archive, no SOURCE_DATE_EPOCH is needed."""
    repaired = native.repair(native.wheel, tmp_path / "repaired")
    compiled = byte_compiled(native.wheel, tmp_path / "compiled", *options)
    other = native.repair(compiled, tmp_path / "other", SOURCE_DATE_EPOCH=EPOCH)
    assert wheels.dates(repaired) != wheels.dates(other)
    first, second = (
        byte_compiled(wheel, tmp_path / name, "--normalize-archive", *options)
        for name, wheel in (("first", repaired), ("second", other))
    )
    assert first.read_bytes() == second.read_bytes()


def test_configuration_of_cibuildwheel(native: Native, tmp_path: Path) -> None:
    """The commands on the page, joined and run as cibuildwheel does; the result is installed and imported."""
    (block,) = blocks_for("test_configuration_of_cibuildwheel")
    commands = tomllib.loads(block.content)["tool"]["cibuildwheel"]["linux"]["repair-wheel-command"]
    script = " && ".join(commands).format(wheel=native.wheel, dest_dir=tmp_path / "dist")
    (tmp_path / "dist").mkdir()
    check_run(["sh", "-c", script], variables=native.variables)
    (wheel,) = (tmp_path / "dist").iterdir()
    with WheelFile.open(wheel) as file:
        file.validate_record()
    site = tmp_path / "site"
    options = ["--quiet", "--no-compile", "--no-deps", "--no-index", "--target", str(site)]
    check_run([sys.executable, "-m", "pip", "install", *options, str(wheel)])
    imported = import_modules(site, ["setuptools_native", "setuptools_native.nested"])
    assert imported.answer == "42"
    assert imported.from_bytecode(
        site, MODULE, f"setuptools_native/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    )


def test_commands_on_the_page(native: Native, tmp_path: Path) -> None:
    shutil.copy(native.wheel, tmp_path)
    for block in blocks_for("test_commands_on_the_page"):
        script = block.content.replace("demo-1.0-cp312-cp312-linux_x86_64.whl", native.wheel.name)
        script = script.replace("3.12", ".".join(map(str, sys.version_info[:2]))).replace("312", VERSION)
        done = run(["sh", "-eu", "-c", script], cwd=tmp_path, variables=native.variables)
        assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheelhouse").iterdir()
    assert wheel.name == f"{native.wheel.name.rpartition('-')[0]}-manylinux_2_28_x86_64.whl"


@pytest.fixture
def environment(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a rebuild find auditwheel and the library, and nothing else that the tests have set."""
    for name, value in native.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def reproduced(wheel: Path, sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    status = main(["reproduce", str(wheel), "--from", str(sources), "--repair", REPAIR])
    expected = f"{wheel.name}: reproduced bit for bit, by CPython {platform.python_version()}\n"
    assert (status, capsys.readouterr().out) == (0, expected)


@pytest.mark.usefixtures("environment")
def test_repaired_wheel_is_reproduced(native: Native, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From its sources, by the commands that made it."""
    repaired = native.repair(native.wheel, tmp_path / "repaired")
    wheel = byte_compiled(repaired, tmp_path / "dist", "--normalize-archive")
    reproduced(wheel, copy_project("setuptools-native", tmp_path), capsys)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("last", ["detpyc", "auditwheel"])
def test_dates_and_order_of_a_repair_are_reproduced(
    last: str, native: Native, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command runs where it ran before, with the date of then. The build is replaced by the wheel that it makes."""

    def copy(_: Path, directory: Path, *__: object) -> Path:
        return Path(shutil.copy(native.wheel, directory))

    monkeypatch.setattr(reproduce, "_build", copy)
    if last == "detpyc":
        wheel = byte_compiled(native.repair(native.wheel, tmp_path / "repaired"), tmp_path / "dist")
    else:
        wheel = native.repair(byte_compiled(native.wheel, tmp_path / "compiled"), tmp_path / "dist")
    (date,) = wheels.dates(wheel)
    assert time.gmtime()[:6] >= date > (2020, 9, 14, 0, 0, 0)  # not that of the build, EPOCH
    reproduced(wheel, copy_project("setuptools-native", tmp_path), capsys)


def test_tags_changed_after_the_bytecode_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``wheel tags`` rewrites WHEEL and RECORD; the bytecode and its record stay right."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    plain = wheels.build(tmp_path)

    def retag(wheel: Path) -> Path:
        tags = ["--python-tag", f"cp{VERSION}", "--abi-tag", "none", "--platform-tag", "any"]
        name = check_run(
            [sys.executable, "-m", "wheel", "tags", *tags, str(wheel)], variables={"PATH": os.environ["PATH"]}
        )
        return wheel.with_name(name.strip())

    retagged = retag(byte_compiled(plain, tmp_path / "compiled"))
    assert retagged.name == f"demo-1.0-cp{VERSION}-none-any.whl"
    assert main(["verify", "--strict", str(retagged)]) == 0
    capsys.readouterr()
    names = (tmp_path / "one", retagged), (tmp_path / "two", retag(plain))
    one, two = (byte_compiled(wheel, directory, "--normalize-archive") for directory, wheel in names)
    assert one.read_bytes() == two.read_bytes()


def test_delocate_and_bytecode_in_either_order(tmp_path: Path) -> None:
    """With a wheel that has nothing to relocate, which delocate packs again on every system."""
    plain = wheels.build(tmp_path)

    def delocate(wheel: Path, directory: Path) -> Path:
        check_run([sys.executable, "-m", "delocate.cmd.delocate_wheel", "-w", str(directory), str(wheel)])
        return directory / wheel.name

    delocated = delocate(plain, tmp_path / "delocated")
    other = delocate(byte_compiled(plain, tmp_path / "compiled"), tmp_path / "other")
    assert "demo/__pycache__/" in wheels.read(other)
    names = (tmp_path / "one", delocated), (tmp_path / "two", other)
    one, two = (byte_compiled(wheel, directory, "--normalize-archive") for directory, wheel in names)
    assert one.read_bytes() == two.read_bytes()
