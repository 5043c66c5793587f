"""What users' pipelines run: the action, the hooks for pre-commit, and the configuration that docs/ci.md shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from pages import blocks_for
from projects import CHECKOUT, check_run, run

if sys.platform == "win32":
    pytest.skip("the commands are for a POSIX shell", allow_module_level=True)

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

MINOR = "{}.{}".format(*sys.version_info)
WHEEL = "demo-1.0-py3-none-any.whl"
PYPROJECT = """\
[build-system]
requires = ["hatchling", "detpyc"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "1.0"
requires-python = ">=3.10"

[tool.hatch.build.targets.wheel]
packages = ["src/demo"]

[tool.hatch.build.targets.wheel.hooks.detpyc]
"""
# Not what git would bring, and what is large and not needed to install detpyc.
NOT_COPIED = ".git", ".*_cache", ".hypothesis", ".nox", ".venv", "__pycache__", "benchmarks", "dist", "tests", "test-*"


def shown_for(test: str) -> str:
    """Return the block of the page that a test runs, for the Python that runs the tests."""
    (block,) = blocks_for(test)
    return block.content.replace("3.12", MINOR)


def parse(content: str) -> Any:
    return YAML(typ="safe", pure=True).load(content)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with a wheel in ``dist`` that has bytecode."""
    directory = tmp_path / "demo"
    package = directory / "src" / "demo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("x = 1\n")
    (directory / "pyproject.toml").write_text(PYPROJECT)
    check_run([sys.executable, "-m", "build", "--wheel", "--no-isolation", str(directory)])
    return directory


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory as GitHub's runners give to actions, in which the action has installed detpyc."""
    directory = tmp_path_factory.mktemp("runner")
    done = run_step(0, directory, directory)
    assert done.returncode == 0, done.stderr
    return directory


def run_step(number: int, runner: Path, cwd: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action with inputs, and the defaults of the others."""
    action = parse((CHECKOUT / "action.yml").read_text())
    assert inputs.keys() <= action["inputs"].keys()
    values = {f"inputs.{name}": inputs.get(name, given["default"]) for name, given in action["inputs"].items()}
    values["github.action_path"] = str(CHECKOUT)
    step = action["runs"]["steps"][number]
    assert step["shell"] == "bash"
    assert "${{" not in step["run"], "an input could be more than a value there"
    variables = {
        name: re.sub(r"\$\{\{ (\S+) }}", lambda match: values[match[1]], value) for name, value in step["env"].items()
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    return run(command, cwd=cwd, variables={**variables, "PATH": path, "RUNNER_TEMP": str(runner)})


def tamper(wheel: Path) -> None:
    """Replace the last byte of its bytecode."""
    with zipfile.ZipFile(wheel) as archive:
        members = {member: archive.read(member) for member in archive.infolist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content[:-1] + b"?" if member.filename.endswith(".pyc") else content)


# ---- GitHub


def test_action_as_documented(project: Path, runner: Path) -> None:
    (job,) = parse(shown_for("test_action_as_documented").replace("OWNER/detpyc@v0.1.0", "here"))["jobs"].values()
    used = [step["with"] for step in job["steps"] if step["uses"] == "here"]
    assert [inputs["command"] for inputs in used] == ["wheel", "verify"]
    for inputs in used:
        done = run_step(1, runner, project, **inputs)
        assert done.returncode == 0, done.stderr
    (sarif,) = [step["with"]["sarif_file"] for step in job["steps"] if "upload-sarif" in step["uses"]]
    assert json.loads((project / sarif).read_text())["runs"][0]["results"] == []


def test_action_fails_with_results(project: Path, runner: Path) -> None:
    tamper(project / "dist" / WHEEL)
    done = run_step(1, runner, project, sarif="detpyc.sarif")
    assert done.returncode == 1
    assert json.loads((project / "detpyc.sarif").read_text())["runs"][0]["results"]


def test_action_compiles_directories(project: Path, runner: Path) -> None:
    done = run_step(1, runner, project, command="compile", paths="src", options="--optimize 1 --optimize 2")
    assert done.returncode == 0, done.stderr
    assert len([*project.rglob("*.pyc")]) == 2


@pytest.mark.parametrize("command", ["strip", "verify; touch here", ""])
def test_action_refuses_other_commands(project: Path, runner: Path, command: str) -> None:
    done = run_step(1, runner, project, command=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"::error::the input command is '{command}'; expected verify, wheel or compile\n"
    assert not (project / "here").exists()


# ---- the others


def test_gitlab(project: Path, runner: Path) -> None:
    job = parse(shown_for("test_gitlab"))["verify"]
    path = os.pathsep.join([str(runner / "detpyc" / "bin"), os.environ["PATH"]])
    done = run(["bash", "-ec", "\n".join(job["script"])], cwd=project, variables={"PATH": path})
    assert done.returncode == 0, done.stderr
    assert f"{WHEEL}: 1 identical" in done.stdout


def run_with_detpyc(command: Sequence[str], project: Path, wheel_of_checkout: Path) -> None:
    """Run a command in a project, for which an index has detpyc."""
    shutil.rmtree(project / "dist")
    links = f"{os.environ.get('PIP_FIND_LINKS', '')} {wheel_of_checkout.parent}".strip()
    done = run([sys.executable, "-m", *command], cwd=project, variables={"PIP_FIND_LINKS": links})
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "dist" / WHEEL).exists()


def test_tox(project: Path, wheel_of_checkout: Path) -> None:
    (project / "tox.toml").write_text(shown_for("test_tox"))
    run_with_detpyc(["tox"], project, wheel_of_checkout)


def test_nox(project: Path, wheel_of_checkout: Path) -> None:
    (project / "noxfile.py").write_text(shown_for("test_nox"))
    run_with_detpyc(["nox"], project, wheel_of_checkout)


# ---- pre-commit


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of detpyc, with the tag of the page."""
    directory = tmp_path_factory.mktemp("hooks") / "detpyc"
    shutil.copytree(CHECKOUT, directory, ignore=shutil.ignore_patterns(*NOT_COPIED))
    git(directory, "init", "--quiet")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "All")
    git(directory, "tag", "v0.1.0")
    return directory


def git(directory: Path, *arguments: str) -> None:
    identity = {f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = run(["git", "-c", "core.hooksPath=", *arguments], cwd=directory, variables=identity)
    assert done.returncode == 0, done.stderr


def test_pre_commit(project: Path, hooks: Path, tmp_path: Path) -> None:
    configuration = shown_for("test_pre_commit").replace("https://github.com/OWNER/detpyc", str(hooks))
    (project / ".pre-commit-config.yaml").write_text(configuration)
    git(project, "init", "--quiet")
    git(project, "add", "--all", "--force")
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    variables = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "PRE_COMMIT_COLOR": "never"}

    done = run(command, cwd=project, variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"(\w+)$", done.stdout, re.MULTILINE)[-2:] == ["Passed", "Skipped"]

    tamper(project / "dist" / WHEEL)
    pyc = project / "src" / "demo" / "__pycache__" / "core.cpython-312.pyc"
    pyc.parent.mkdir(exist_ok=True)
    pyc.write_bytes(b"")
    git(project, "add", "--all", "--force")
    done = run(command, cwd=project, variables=variables)
    assert done.returncode == 1
    assert done.stdout.count("Failed") == 2
    assert f"dist/{WHEEL}: " in done.stdout
    assert str(pyc.relative_to(project)) in done.stdout
