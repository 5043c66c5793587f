"""What reproducing a wheel reads from it, and what it refuses before building anything."""

# ruff: noqa: SLF001 - the parts that need no build

from __future__ import annotations

import io
import json
import platform
import shlex
import sys
import tarfile
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import wheels
from command_line import unchanged
from detpyc import reproduce
from detpyc.byte_compile.recipe import Recipe
from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.cli import main
from detpyc.compilation import installation, interpreters
from detpyc.compilation.interpreters import Interpreter
from detpyc.errors import InterpreterError
from detpyc.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Repaired = Callable[[Path, str], tuple[int, str, str]]

NAME = "demo-1.0-py3-none-any.whl"
DOCUMENT = "demo-1.0.dist-info/detpyc.json"
RUNNING = platform.python_version()


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A wheel with bytecode, alone in its directory."""
    directory = tmp_path / "original"
    directory.mkdir()
    byte_compile_wheel(wheels.build(directory), Settings())
    return directory / NAME


@pytest.fixture
def fail(original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    """Return a function that fails to reproduce the wheel before running anything; it returns the message."""

    def never(*command: object) -> None:
        raise AssertionError(command)

    monkeypatch.setattr(reproduce, "_run", never)

    def fail(sources: Path) -> str:
        content = original.read_bytes()
        assert main(["reproduce", str(original), "--from", str(sources)]) == 2
        assert list(original.parent.iterdir()) == [original]
        assert original.read_bytes() == content
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    return fail


def rewrite(path: Path, document: bytes | None) -> None:
    """Replace or remove the provenance of a wheel."""
    contents = {name: data for name, data in wheels.read(path).items() if name != DOCUMENT}
    wheels.write(path, contents if document is None else {**contents, DOCUMENT: document})


def changed(path: Path, **changes: object) -> bytes:
    """Return the document of a wheel with other values."""
    return json.dumps({**json.loads(wheels.read(path)[DOCUMENT]), **changes}).encode()


def test_no_provenance(original: Path, fail: Callable[[Path], str], tmp_path: Path) -> None:
    rewrite(original, None)
    assert fail(tmp_path) == (
        f"detpyc: {original}: has no detpyc.json, which records how a wheel was made; pass the settings to `detpyc"
        " wheel` as options, and compare with `detpyc diff`\n"
    )


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"bytecode": 1}, "detpyc.json is malformed: 1 is not a list"),
        ({"bytecode": []}, "detpyc.json records no bytecode"),
        (
            {"format": 2},
            "detpyc.json has format 2, and this version of detpyc reads 1; use the version that wrote it, ",
        ),
        (
            {"canonical-form": 2},
            "detpyc.json describes bytecode in canonical form 2, and this version of detpyc writes form 1; use",
        ),
        (
            {"archive": {"colour": "red"}},
            "detpyc.json is malformed: unknown setting 'colour'",
        ),
        ({"detpyc": "99.9"}, "was made by detpyc 99.9, and this is "),
    ],
)
def test_bad_provenance(
    changes: dict[str, Any], fault: str, original: Path, fail: Callable[[Path], str], tmp_path: Path
) -> None:
    rewrite(original, changed(original, **changes))
    message = fail(tmp_path)
    assert message.startswith(f"detpyc: {original}: {fault}")
    assert message.count("\n") == 1


def test_provenance_that_is_not_json(original: Path, fail: Callable[[Path], str], tmp_path: Path) -> None:
    rewrite(original, b"{")
    assert f"{original}: detpyc.json is malformed: Expecting property name " in fail(tmp_path)


def test_provenance_that_lacks_something(original: Path, fail: Callable[[Path], str], tmp_path: Path) -> None:
    document = json.loads(wheels.read(original)[DOCUMENT])
    del document["archive"]
    rewrite(original, json.dumps(document).encode())
    assert fail(tmp_path) == f"detpyc: {original}: detpyc.json is malformed: 'archive' is missing\n"


def test_missing_interpreter(original: Path, fail: Callable[[Path], str], tmp_path: Path) -> None:
    (entry,) = json.loads(wheels.read(original)[DOCUMENT])["bytecode"]
    release = "{}.{}.99".format(*sys.version_info)
    rewrite(original, changed(original, bytecode=[{**entry, "release": release}]))
    message = fail(tmp_path)
    assert message.startswith(
        f"detpyc: {original}: was byte-compiled by CPython {release}, and no other release reproduces it: "
        f'no interpreter for "{release}"; found:\n'
    )
    assert f"Install CPython {release} exactly" in message
    assert message.endswith(f"`pyenv install {release}`. --install-interpreters has uv install it.\n")


def test_missing_interpreter_that_is_to_be_installed(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry,) = json.loads(wheels.read(original)[DOCUMENT])["bytecode"]
    release = "{}.{}.99".format(*sys.version_info)
    rewrite(original, changed(original, bytecode=[{**entry, "release": release}]))

    def install(release: str) -> NoReturn:
        raise InterpreterError(f"{release} is asked for")

    monkeypatch.setattr(installation, "install_interpreter", install)
    assert main(["reproduce", "--install-interpreters", "--from", str(tmp_path), str(original)]) == 2
    assert capsys.readouterr().err.endswith(f"no other release reproduces it: {release} is asked for\n")


def test_malformed_source_date_epoch(
    fail: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is built."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "now")
    assert fail(tmp_path) == "detpyc: SOURCE_DATE_EPOCH must be a number of seconds, not 'now'\n"


def test_like_refuses_the_same(original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite(original, changed(original, format=2))
    other = wheels.build(tmp_path)
    content = other.read_bytes()
    assert main(["wheel", "--like", str(original), str(other)]) == 2
    assert f"{original}: detpyc.json has format 2" in capsys.readouterr().err
    assert other.read_bytes() == content


# ---- the repair command

# Programs that stand for auditwheel; their arguments are the directory and the wheel.
RENAME = """
import pathlib, shutil, sys
directory, wheel = map(pathlib.Path, sys.argv[1:])
shutil.copy(wheel, directory / wheel.name.replace("-any", "-manylinux_2_28_x86_64"))
"""
TWICE = f"{RENAME}shutil.copy(wheel, directory)"
AND_FAIL = f"{RENAME}sys.exit('what is wrong')"
# Writes RECORD as auditwheel does, so that detpyc is seen not to have been the last.
REWRITE = """
import pathlib, sys, zipfile
directory, wheel = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(directory / wheel.name, "w") as new:
    for info in old.infolist():
        content = old.read(info)
        record = info.filename.endswith("/RECORD")
        new.writestr(info, content.replace(b"\\n", b"\\r\\n") if record else content)
"""


@pytest.fixture
def repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Repaired:
    """Return a function that reproduces a wheel with a program to repair it; nothing is built, and nothing stays."""

    def build(_: Path, directory: Path, *__: object) -> Path:
        return wheels.build(directory)

    def reproduced(original: Path, program: str) -> tuple[int, str, str]:
        temporary = tmp_path / "temporary files"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setattr(tempfile, "tempdir", None)
        script = tmp_path / "repair.py"
        script.write_text(program, encoding="utf-8")
        command = f"{shlex.quote(sys.executable)} '{script}' {{dest_dir}} {{wheel}}"
        source = tmp_path / "source"
        source.mkdir()
        with unchanged(original.parent):
            status = main(["reproduce", str(original), "--from", str(source), "--repair", command])
        assert list(temporary.iterdir()) == []
        return status, *capsys.readouterr()

    monkeypatch.setattr(reproduce, "_build", build)
    return reproduced


def test_repaired_wheel(tmp_path: Path, repaired: Repaired) -> None:
    """The command runs before the bytecode is added; what stands for a path becomes one argument, spaces and all."""
    (tmp_path / "original").mkdir()
    original = wheels.build(tmp_path / "original", tag="py3-none-manylinux_2_28_x86_64")
    byte_compile_wheel(original)
    expected = f"{original.name}: reproduced bit for bit, by CPython {RUNNING}\n"
    assert repaired(original, RENAME) == (0, expected, "")


def test_wheel_that_was_repaired_last(original: Path, repaired: Repaired) -> None:
    """The command runs after the bytecode is added."""
    contents = wheels.read(original)
    record = "demo-1.0.dist-info/RECORD"
    with zipfile.ZipFile(original) as old:
        infos = old.infolist()
    with zipfile.ZipFile(original, "w") as new:
        for info in infos:
            content = contents[info.filename]
            new.writestr(info, content.replace(b"\n", b"\r\n") if info.filename == record else content)
    expected = f"{original.name}: reproduced bit for bit, by CPython {RUNNING}\n"
    assert repaired(original, REWRITE) == (0, expected, "")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (AND_FAIL, " ended with status 1\n    what is wrong"),
        ("", "the repair command left 0 wheels in {dest_dir}; expected one"),
        (TWICE, "the repair command left 2 wheels in {dest_dir}; expected one"),
    ],
    ids=["fails", "none", "two"],
)
def test_repair_that_fails(program: str, message: str, original: Path, repaired: Repaired) -> None:
    status, output, errors = repaired(original, program)
    assert (status, output) == (2, "")
    assert errors.endswith(f"{message}\n")
    assert errors.startswith("detpyc: could not repair the wheel: " if program == AND_FAIL else f"detpyc: {message}")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("repair '{wheel}", 'the repair command "repair \'{wheel}" cannot be split: No closing quotation'),
        ("", "the repair command '' must contain {wheel} and {dest_dir}, which stand for paths"),
        ("repair {wheel}", "the repair command 'repair {wheel}' must contain {dest_dir}, which stand"),
    ],
)
def test_bad_repair_command(
    command: str, message: str, original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is built."""
    with unchanged(original.parent):
        assert main(["reproduce", str(original), "--from", str(tmp_path / "missing"), "--repair", command]) == 2
    assert capsys.readouterr().err.startswith(f"detpyc: {message}")


def test_repair_is_suggested_for_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("original", "source"):
        (tmp_path / name).mkdir()
    original = wheels.build(tmp_path / "original", tag="py3-none-manylinux_2_28_x86_64")
    byte_compile_wheel(original)
    monkeypatch.setattr(reproduce, "_build", lambda _, directory, *__: wheels.build(directory))
    assert main(["reproduce", str(original), "--from", str(tmp_path / "source")]) == 1
    assert capsys.readouterr().out.splitlines()[1] == (
        f"the wheel that was built is {NAME}; if a tool such as auditwheel repaired the original, name it in --repair"
    )


def test_missing_repair_command(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reproduce, "_build", lambda _, directory, *__: wheels.build(directory))
    (tmp_path / "source").mkdir()
    command = "no-such-program {wheel} {dest_dir}"
    assert main(["reproduce", str(original), "--from", str(tmp_path / "source"), "--repair", command]) == 2
    assert capsys.readouterr().err == (
        "detpyc: could not repair the wheel: no-such-program cannot be run: No such file or directory\n"
    )


# ---- the sources


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as sdist:
        for name in names:
            sdist.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("missing", "cannot be read: No such file or directory"),
        ("text", "not a source distribution (.tar.gz): Not a gzipped file"),
        ("cut.tar.gz", "not a source distribution (.tar.gz): Compressed file ended before"),
        ("two.tar.gz", "has 2 directories at its top; a source distribution has one"),
        ("none.tar.gz", "not a source distribution (.tar.gz): the archive is empty"),
        ("flat.tar.gz", "has 0 directories at its top; a source distribution has one"),
        ("outside.tar.gz", "has the unsafe path '../x'"),
    ],
)
def test_bad_sources(name: str, fault: str, fail: Callable[[Path], str], tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"text")
    whole = archive(tmp_path / "whole.tar.gz", "demo-1.0/pyproject.toml").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    archive(tmp_path / "two.tar.gz", "a/x", "b/x")
    archive(tmp_path / "none.tar.gz")
    archive(tmp_path / "flat.tar.gz", "x")
    archive(tmp_path / "outside.tar.gz", "demo-1.0/x", "../x")
    message = fail(tmp_path / name)
    assert message.startswith(f"detpyc: {tmp_path / name}: {fault}")
    assert message.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_python_without_tarfiles_filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as CPython 3.11.2."""
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    sdist = archive(tmp_path / "x.tar.gz", "demo-1.0/x")
    assert [path.name for path in reproduce._project(sdist, tmp_path / "copy").iterdir()] == ["x"]


def test_what_is_copied_of_a_directory(tmp_path: Path) -> None:
    project = tmp_path / "project"
    files = {"pyproject.toml", ".git/config", "src/demo/dist/x.py", "src/demo/venv.py"}
    for name in {*files, "dist/x.whl", ".venv/x", "src/demo/__pycache__/x.pyc", "__pycache__/x.pyc"}:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    copy = reproduce._project(project, tmp_path / "copy")
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("hatchling 1.27.0", ["hatchling==1.27.0"]),
        ("pdm-backend (2.4.3)", ["pdm-backend==2.4.3"]),
        ("setuptools (80.9.0)", ["setuptools==80.9.0"]),
        ("bdist_wheel (0.42.0)", ["wheel==0.42.0"]),
        ("flit 3.12.0", ["flit-core==3.12.0"]),
        ("poetry-core 2.1.3", ["poetry-core==2.1.3"]),
        ("uv 0.9.5", ["uv-build==0.9.5"]),
        ("maturin (1.9.4)", ["maturin==1.9.4"]),
        ("scikit-build-core 0.11.5", ["scikit-build-core==0.11.5"]),
        ("hatchling 1.27.0.dev1+local", ["hatchling==1.27.0.dev1+local"]),
        ("meson", []),
        ("", []),
        ("hatchling 1.27.0; evil", []),
        ("hatchling 1..0", []),
        ("-r 1.0", []),
    ],
)
def test_backend(generator: str, expected: list[str]) -> None:
    assert reproduce._backend(generator) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ((1980, 1, 1, 0, 0, 0), "315532800"),
        ((2020, 2, 2, 0, 0, 0), "1580601600"),
        ((1980, 0, 0, 0, 0, 0), None),
        (None, None),
    ],
)
def test_epoch(date: tuple[int, int, int, int, int, int] | None, expected: str | None) -> None:
    assert reproduce._epoch(Recipe(Settings(), normalized=False, date=date, detpyc="", generator="")) == expected


def python(release: str) -> Interpreter:
    return Interpreter(f"/python{release}", "cpython", release, "", 0)


@pytest.mark.parametrize(
    ("tag", "compilers", "expected"),
    [
        ("py3-none-any", ["3.11.99", "3.12.99"], "3.12.99"),
        ("py3-none-any", ["3.11.99", RUNNING], RUNNING),
        ("py3-none-any", ["3.8.99", "3.10.99"], "3.10.99"),
        ("py3-none-any", ["3.8.18", "3.9.18"], RUNNING),
        ("cp311-cp311-linux_x86_64", ["3.11.99", RUNNING], "3.11.99"),
        ("cp311-cp311t-linux_x86_64", ["3.11.99", RUNNING], "3.11.99"),
        ("cp39-abi3-linux_x86_64", ["3.11.99"], "3.11.99"),
        ("cp311-none-any", ["3.11.99"], "3.11.99"),
    ],
)
def test_builder(tag: str, compilers: list[str], expected: str) -> None:
    assert reproduce._builder(tag, [python(release) for release in compilers]).release == expected


def test_builder_of_extension_modules_that_did_not_compile_the_bytecode() -> None:
    version = interpreters.current().version
    tag = "cp{0}{1}-cp{0}{1}-linux_x86_64".format(*version)
    assert reproduce._builder(tag, [python("3.8.18")]).version == version
