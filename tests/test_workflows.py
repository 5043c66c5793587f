"""The workflows of GitHub, as far as their linters do not check them: what they may do, and what they run."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
IMAGE = re.compile(r"[\w./:-]+@sha256:[0-9a-f]{64}")
SESSIONS = re.compile(r"python -m nox -s ([\w. -]+?)(?: -- .*)?")
# What is not a session: what nox needs, and what makes a release on GitHub.
OTHERS = (r"python -m pip install nox", r"apk add --no-cache [\w -]+", r"gh release create .*")


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(WORKFLOWS[name].read_text(encoding="utf-8"))
    return loaded


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in load(name)["jobs"].values():
        yield from job["steps"]


def sessions() -> set[str]:
    """Return the names of the sessions of the noxfile."""
    functions = [
        node for node in ast.parse((ROOT / "noxfile.py").read_bytes()).body if isinstance(node, ast.FunctionDef)
    ]
    return {function.name for function in functions if "nox.session" in map(ast.unparse, function.decorator_list)}


def test_there_are_workflows() -> None:
    assert {"documentation", "fuzz", "release", "reproduce", "tests"} <= WORKFLOWS.keys()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_and_images_are_pinned(name: str) -> None:
    lines = [line.strip(" -") for line in WORKFLOWS[name].read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line.startswith("uses:") and not PINNED.fullmatch(line)] == []
    images = [job["container"]["image"] for job in load(name)["jobs"].values() if "container" in job]
    assert [image for image in images if not IMAGE.fullmatch(image)] == []


def test_an_action_has_one_version() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS.values())
    used = set(re.findall(r"uses: (.+)", text))
    assert len({line.partition("@")[0] for line in used}) == len(used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_permissions(name: str) -> None:
    """A workflow has none. A job reads the repository, except those of a release."""
    workflow = load(name)
    assert workflow["permissions"] == {}
    writing = {
        job: given["permissions"]
        for job, given in workflow["jobs"].items()
        if given["permissions"] != {"contents": "read"}
    }
    expected = {
        "publish": {"attestations": "write", "id-token": "write"},
        "announce": {"contents": "write"},
    }
    assert writing == (expected if name == "release" else {})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_credentials_stay(name: str) -> None:
    checkouts = [step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step.get("with", {}).get("persist-credentials") for step in checkouts] == [False] * len(checkouts)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_commands_are_sessions_of_nox(name: str) -> None:
    others = []
    for command in (step["run"] for step in steps(name) if "run" in step):
        if match := SESSIONS.fullmatch(command):
            assert set(match[1].split()) <= sessions(), command
        elif not any(re.fullmatch(other, command) for other in OTHERS):
            others.append(command)
    assert others == []


def test_every_supported_python_is_tested() -> None:
    classifier = re.compile(r'"Programming Language :: Python :: (3\.\d+)"')
    supported = classifier.findall((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    matrix = load("tests")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == supported
    assert [system.partition("-")[0] for system in matrix["system"]] == ["ubuntu", "macos", "windows"]
