"""Settings in the environment: they override the table of a build, and options override them."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import wheels
from detpyc.cli import main
from detpyc.errors import SettingsError
from detpyc.hooks.request import BuildRequest, BuildResult
from detpyc.settings import Settings, variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc.compilation.interpreters import Interpreter

NAME = "demo-1.0-py3-none-any.whl"
TABLE = "tool.pdm.build.hooks.detpyc"
RUNNING = platform.python_version()

# For each key, a value for the table, one for the variable and one for the option, all different.
VALUES: dict[str, tuple[Any, str, list[str]]] = {
    "optimize": ([0], "1", ["--optimize", "2"]),
    "invalidation-mode": ("checked-hash", "unchecked-hash", ["--invalidation-mode", "checked-hash"]),
    "include": (["*"], "demo/__init__.py", ["--include", "demo/core.py"]),
    "exclude": (["none"], "demo/core.py", ["--exclude", "demo/__init__.py"]),
    "on-syntax-error": ("fail", "skip", ["--on-syntax-error", "fail"]),
    "layout": ("pycache", "sourceless", ["--layout", "pycache"]),
    "compression": ("deflated", "stored", ["--compression", "deflated"]),
    "provenance": (True, "0", ["--no-provenance"]),
    "on-missing-interpreter": ("skip", "install", ["--on-missing-interpreter", "skip"]),
    "cache": (False, "1", ["--no-cache"]),
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables of whoever runs the tests."""
    for key in (*VALUES, "interpreters", "disable", "jobs", "cache-dir", "cache-size"):
        monkeypatch.delenv(variable(key), raising=False)


def request(**table: object) -> BuildRequest:
    return BuildRequest.read({key.replace("_", "-"): value for key, value in table.items()}, TABLE)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Return the settings that wheels would be byte-compiled with; none is byte-compiled."""
    found: list[Settings] = []

    def keep(path: Path, settings: Settings, _: object) -> None:
        found.append(settings)
        raise SettingsError(f"{path}: is not to be byte-compiled")

    monkeypatch.setattr("detpyc.byte_compile.wheel.byte_compile_wheel", keep)
    return found


def test_every_key_is_tried() -> None:
    keys = {field.replace("_", "-") for field in Settings._fields}
    assert keys == {*VALUES, "interpreters"}


@pytest.mark.parametrize("key", VALUES)
def test_variable_overrides_the_table(key: str, given: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    in_table, text, _ = VALUES[key]
    for value in (None, text):
        if value is not None:
            monkeypatch.setenv(variable(key), value)
        with pytest.raises(SettingsError, match="not to be byte-compiled"):
            BuildRequest.read({key: in_table}, TABLE).byte_compile(Path(NAME))
    from_table, from_variable = given
    assert from_table == Settings.from_table({key: in_table}, TABLE)
    assert from_variable == Settings.from_table({}, TABLE, environment={variable(key): text})
    assert from_table != from_variable


@pytest.mark.parametrize("key", VALUES)
def test_option_overrides_the_variable(key: str, given: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    _, text, option = VALUES[key]
    monkeypatch.setenv(variable(key), "1" if key == "provenance" else text)
    assert main(["wheel", NAME]) == 2
    assert main(["wheel", *option, NAME]) == 2
    monkeypatch.delenv(variable(key))
    assert main(["wheel", *option, NAME]) == 2
    from_variable, from_both, from_option = given
    assert from_both == from_option
    assert from_variable != from_option


def test_interpreters(pythons: dict[str, Interpreter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the variable in a build, and from options on the command line."""
    monkeypatch.setenv("DETPYC_INTERPRETERS", f" {RUNNING} , {RUNNING}")
    request(interpreters=["3.8.99"]).byte_compile(wheels.build(tmp_path))
    assert releases(tmp_path / NAME) == [RUNNING]
    other = next((python for python in pythons.values() if python.release != RUNNING), None)
    if other is None:
        pytest.skip(f"only CPython {RUNNING} is here")
    assert main(["wheel", "--quiet", "-i", other.path, str(wheels.build(tmp_path))]) == 0
    assert releases(tmp_path / NAME) == [other.release]


def releases(path: Path) -> list[str]:
    document = json.loads(wheels.read(path)["demo-1.0.dist-info/detpyc.json"])
    return [entry["release"] for entry in document["bytecode"]]


def test_disabled_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable disables builds only, not `detpyc wheel`."""
    path = wheels.build(tmp_path)
    content = path.read_bytes()
    monkeypatch.setenv("DETPYC_DISABLE", "1")
    build = request(interpreters=["3.8.99"], layout="sourceless")
    assert build.byte_compile(path) == BuildResult(NAME, "detpyc: disabled; the wheel is not byte-compiled")
    assert path.read_bytes() == content
    assert build.prepare() is None
    assert not build.sourceless
    assert main(["wheel", "--quiet", str(path)]) == 0
    assert path.read_bytes() != content


def test_disabled_builds_still_read_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETPYC_DISABLE", "1")
    with pytest.raises(SettingsError, match=rf"^unknown setting {TABLE}\.optimise; "):
        request(optimise=[1])


def in_build(path: Path) -> None:
    request().byte_compile(path)


def in_command(path: Path) -> None:
    assert main(["wheel", str(path)]) == 2
    raise SettingsError


@pytest.mark.parametrize("run", [in_build, in_command])
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DETPYC_JOBS", "many", 'DETPYC_JOBS must be a positive number, not "many"'),
        ("DETPYC_JOBS", "0", 'DETPYC_JOBS must be a positive number, not "0"'),
        ("DETPYC_JOBS", "9" * 5000, f'DETPYC_JOBS must be a positive number, not "{"9" * 100}..."'),
        ("DETPYC_OPTIMIZE", "9" * 5000, f'DETPYC_OPTIMIZE must be a list of 0, 1 and 2; found "{"9" * 100}..."'),
        ("DETPYC_OPTIMIZE", "3", 'DETPYC_OPTIMIZE must be a list of 0, 1 and 2; found "3"'),
        ("DETPYC_LAYOUT", "flat", 'DETPYC_LAYOUT must be "pycache" or "sourceless", not "flat"'),
        ("DETPYC_PROVENANCE", "maybe", 'DETPYC_PROVENANCE must be true or false, not "maybe"'),
        ("DETPYC_INTERPRETER", "3.12", "unknown setting DETPYC_INTERPRETER; did you mean DETPYC_INTERPRETERS?"),
    ],
)
def test_wrong_variable(
    run: Callable[[Path], None],
    name: str,
    value: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = wheels.build(tmp_path)
    content = path.read_bytes()
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        run(path)
    assert (str(caught.value) or capsys.readouterr().err.removeprefix("detpyc: ").rstrip()) == message
    assert path.read_bytes() == content


def test_option_overrides_a_wrong_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETPYC_OPTIMIZE", "3")
    monkeypatch.setenv("DETPYC_JOBS", "many")
    assert main(["wheel", "--quiet", "--optimize", "1", "--jobs", "1", str(wheels.build(tmp_path))]) == 0


@pytest.mark.parametrize("command", ["wheel", "verify", "compile"])
def test_every_command_with_workers_reads_their_number(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path if command == "compile" else wheels.build(tmp_path)
    monkeypatch.setenv("DETPYC_JOBS", "many")
    assert main([command, str(path)]) == 2
    assert 'DETPYC_JOBS must be a positive number, not "many"' in capsys.readouterr().err
