"""The tables in a project's ``pyproject.toml``, and which of them a build reads."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_PYPROJECT
from detpyc.pyproject import (
    HATCH,
    HATCH_FOR_ALL_TARGETS,
    PDM,
    WRAPPED,
    chosen_table,
    read_pyproject,
    settings_tables,
    unread_tables,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

SDIST = "tool.hatch.build.targets.sdist.hooks.detpyc"
WRAPPER = '[build-system]\nbuild-backend = "detpyc.backend"\n[tool.detpyc]\nbuild-backend = "{}"\n'


def document(text: str, *tables: str) -> dict[str, Any]:
    """Parse TOML, after the header of each table is added."""
    return tomllib.loads("".join([text, *(f"[{table}]\n" for table in tables)]))


def built_by(backend: str, *tables: str) -> dict[str, Any]:
    return document(f'[build-system]\nbuild-backend = "{backend}"\n', *tables)


@pytest.mark.parametrize("backend", ["hatchling.build", "hatchling.ouroboros"])
def test_hatch_reads_its_own(backend: str) -> None:
    every = (HATCH, HATCH_FOR_ALL_TARGETS, SDIST, PDM, WRAPPED)
    unread = unread_tables(built_by(backend, *every))
    assert {*unread} == {*every} - {HATCH}
    assert unread[WRAPPED] == f"nothing reads [{WRAPPED}]: the build backend {backend} reads [{HATCH}]"


def test_hatch_reads_the_table_for_all_targets_unless_the_wheel_has_its_own() -> None:
    assert unread_tables(built_by("hatchling.build", HATCH_FOR_ALL_TARGETS)) == {}
    assert {*unread_tables(built_by("hatchling.build", HATCH, HATCH_FOR_ALL_TARGETS))} == {HATCH_FOR_ALL_TARGETS}
    assert {*unread_tables(built_by("hatchling.build", HATCH_FOR_ALL_TARGETS, SDIST))} == {SDIST}


def test_pdm_reads_its_own() -> None:
    unread = unread_tables(built_by("pdm.backend", PDM, WRAPPED, HATCH))
    assert {*unread} == {WRAPPED, HATCH}
    assert unread[WRAPPED] == f"nothing reads [{WRAPPED}]: the build backend pdm.backend reads [{PDM}]"


@pytest.mark.parametrize(
    ("wrapped", "read"), [("setuptools.build_meta", set()), ("pdm.backend", {PDM}), ("hatchling.build", {HATCH})]
)
def test_wrapper_reads_its_own_and_that_of_the_wrapped_backend(wrapped: str, read: set[str]) -> None:
    unread = unread_tables(document(WRAPPER.format(wrapped), PDM, HATCH))
    assert {*unread} == {PDM, HATCH} - read
    assert all(f"[{WRAPPED}]" in message for message in unread.values())


@pytest.mark.parametrize("backend", ["setuptools.build_meta:__legacy__", "flit_core.buildapi"])
def test_other_backends_read_nothing(backend: str) -> None:
    name = backend.partition(":")[0]
    assert unread_tables(built_by(backend, WRAPPED)) == {
        WRAPPED: f"nothing reads [{WRAPPED}]: the build backend is {name}; set build-system.build-backend to"
        f' "detpyc.backend" and {WRAPPED}.build-backend to "{name}", or use `detpyc wheel --pyproject`'
    }


def test_default_backend_reads_nothing() -> None:
    (message,) = unread_tables(document("", WRAPPED)).values()
    assert "the build backend is setuptools.build_meta; " in message


@pytest.mark.parametrize(
    "text",
    [
        '[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n[tool.detpyc]\n',
        WRAPPER.format("own") + 'backend-path = ["."]\n',
        "[build-system]\nbuild-backend = 1\n[tool.detpyc]\n",
    ],
)
def test_unknown_backends_may_read_any(text: str) -> None:
    assert unread_tables(document(text, PDM, HATCH)) == {}


def test_table_whose_reader_asks_is_read() -> None:
    """A backend that is not known here may call the hooks of one that is."""
    unread = unread_tables(built_by("based_on_hatch", HATCH, PDM), [HATCH])
    assert {*unread} == {PDM}


@pytest.mark.parametrize(
    "text", ["", "tool = 1\n", "[tool]\nhatch = 1\n", "[tool.hatch.build]\ntargets = 1\nhooks = [1]\n"]
)
def test_no_tables(text: str) -> None:
    parsed = document(text)
    assert settings_tables(parsed) == []
    assert unread_tables(parsed) == {}
    with pytest.raises(DetpycError, match="has no table of settings; add "):
        chosen_table(parsed)


def test_settings_are_without_the_keys_of_the_backend() -> None:
    keys = {HATCH: "enable-by-default = true", WRAPPED: 'build-backend = "x"\nbackend-path = []', PDM: ""}
    for location, reserved in keys.items():
        table = chosen_table(document(f"[{location}]\noptimize = [2]\n{reserved}\n"))
        assert table == (location, {"optimize": [2]})


def test_settings_of_the_wheel_replace_those_for_all_targets() -> None:
    parsed = document(f"[{HATCH_FOR_ALL_TARGETS}]\noptimize = [1]\n[{HATCH}]\noptimize = [2]\n")
    assert chosen_table(parsed) == (HATCH, {"optimize": [2]})


def test_several_tables() -> None:
    with pytest.raises(DetpycError) as caught:
        chosen_table(built_by("hatchling.build", HATCH, WRAPPED))
    assert str(caught.value) == (
        f"has several tables of settings: [{HATCH}], [{WRAPPED}]; keep only the one that the build reads"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[tool", "not valid TOML: "),
        (b"x = '\xff'", "not valid TOML: 'utf-8' codec can't decode byte 0xff"),
        (b"x = " + b"[" * 100_000, "not valid TOML: "),
    ],
)
def test_files_that_are_not_toml(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(content)
    with pytest.raises(DetpycError) as caught:
        read_pyproject(path)
    assert caught.value.reason.startswith(reason)
    assert caught.value.path == str(path)


def test_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(b"#" * (MAX_PYPROJECT + 1))
    with pytest.raises(TooLargeError):
        read_pyproject(path)
