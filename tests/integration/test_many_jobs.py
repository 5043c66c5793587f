"""One wheel that gains the bytecode of several interpreters, job by job."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from installer.sources import WheelFile

import wheels
from detpyc.cli import main
from projects import build, copy_project, import_modules

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

VERSIONS = ("3.11", "3.12", "3.13")
PROJECT = "hatch-constants"  # some of its modules, older interpreters skip


@pytest.fixture
def three(pythons: dict[str, Interpreter]) -> dict[str, str]:
    """Return the paths of three interpreters."""
    missing = [version for version in VERSIONS if version not in pythons]
    if missing:
        pytest.skip(f"CPython {', '.join(missing)} is missing")
    return {version: str(pythons[version].path) for version in VERSIONS}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel without bytecode."""
    directory = tmp_path_factory.mktemp("plain")
    return build(copy_project(PROJECT, directory), directory / "dist", DETPYC_DISABLE="1").artifact


def add(wheel: Path, *interpreters: str) -> None:
    options = ["--quiet", "--on-syntax-error", "skip", "--optimize", "0", "--optimize", "2"]
    options += [option for path in interpreters for option in ("--interpreter", path)]
    assert main(["wheel", *options, str(wheel)]) == 0


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_six_orders_and_at_once(three: dict[str, str], plain: Path, tmp_path: Path) -> None:
    digests: dict[tuple[str, ...], list[str]] = {}
    for order in permutations(VERSIONS):
        wheel = tmp_path / "-".join(order) / plain.name
        wheel.parent.mkdir()
        shutil.copy(plain, wheel)
        digests[order] = []
        for version in order:
            add(wheel, three[version])
            digests[order].append(sha256(wheel))
    at_once = tmp_path / plain.name
    shutil.copy(plain, at_once)
    add(at_once, *three.values())
    assert len({first for first, _, _ in digests.values()}) == 3  # each job has added something of its own
    assert len({second for _, second, _ in digests.values()}) == 3  # and two in either order the same
    assert {last for _, _, last in digests.values()} == {sha256(at_once)}

    with WheelFile.open(at_once) as source:
        source.validate_record()
    members = wheels.read(at_once)
    (content,) = (content for name, content in members.items() if name.endswith("/detpyc.json"))
    recorded = json.loads(content)["bytecode"]
    assert [(entry["cache-tag"], entry["optimize"]) for entry in recorded] == [
        (f"cpython-{version.replace('.', '')}", level) for version in VERSIONS for level in (0, 2)
    ]
    site = tmp_path / "site"
    with WheelFile.open(at_once) as source:
        for (name, _, _), stream, _ in source.get_contents():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_bytes(stream.read())
    for path in three.values():
        imported = import_modules(site, [PROJECT.replace("-", "_")], python=path)
        assert imported.answer == "42"
        assert imported.written == set()


def test_doing_one_again_changes_nothing(three: dict[str, str], plain: Path, tmp_path: Path) -> None:
    wheel = tmp_path / plain.name
    shutil.copy(plain, wheel)
    add(wheel, *three.values())
    once = sha256(wheel)
    for path in three.values():
        add(wheel, path)
        assert sha256(wheel) == once
