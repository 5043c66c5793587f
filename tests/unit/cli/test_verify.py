"""``detpyc verify``: what it prints, and its exit status."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.cli import main
from detpyc.settings import Settings
from detpyc.verify.reports import Status
from pycs import HERE, PYC, TAG, pyc

if TYPE_CHECKING:
    from pathlib import Path


WHOLE = "demo-1.0-py3-none-any.whl"
LOADED = "loaded by CPython {}.{}".format(*HERE.version)


def test_json(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly what docs/verify.md says."""
    (tree / PYC).write_bytes(pyc())
    (tree / "gone.pyc").write_bytes(pyc())
    status = main(["verify", "--json", "-i", HERE.path, str(tree), str(tree / "missing")])
    document = json.loads(capsys.readouterr().out)
    (reasons,) = (entry.pop("reasons") for entry in document["reports"][0]["pycs"] if entry["status"] == "equivalent")
    assert status == 2
    assert all(isinstance(reason, str) for reason in reasons)
    assert document == {
        "format": 1,
        "reports": [
            {
                "path": str(tree),
                "holds": False,
                "counts": {**dict.fromkeys((status.value for status in Status), 0), "equivalent": 1, "orphan": 1},
                "problems": [],
                "problem-rules": [],
                "loaded-by": ["{}.{}".format(*HERE.version)],
                "never-loaded": {},
                "unmet": {},
                "pycs": [
                    {
                        "pyc": str(tree / "gone.pyc"),
                        "status": "orphan",
                        "reasons": [f"there is no {tree / 'gone.py'}"],
                        "source": None,
                        "release": None,
                        "layer": None,
                        "loads": True,
                        "ignored-because": None,
                    },
                    {
                        "pyc": str(tree / PYC),
                        "status": "equivalent",
                        "source": str(tree / "core.py"),
                        "release": HERE.release,
                        "layer": None,
                        "loads": True,
                        "ignored-because": None,
                    },
                ],
            },
            {
                "path": str(tree / "missing"),
                "error": f"{tree / 'missing'}: no such file or directory",
            },
        ],
    }


@pytest.mark.parametrize(
    ("options", "status"),
    [([], 1), (["--allow", "stale"], 0), (["--allow", "orphan"], 1), (["--allow", "stale", "--strict"], 1)],
    ids=str,
)
def test_exit_status(tree: Path, options: list[str], status: int) -> None:
    (tree / PYC).write_bytes(pyc())
    (tree / f"__pycache__/core.{TAG}.opt-1.pyc").write_bytes(pyc(b"", optimize=1))
    assert main(["verify", "-q", "-i", HERE.path, *options, str(tree)]) == status


def test_rules_of_problems(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "core.PYC").write_bytes(b"")
    (tree / "program").write_bytes(pyc())
    assert main(["verify", "--format", "json", str(tree)]) == 1
    (report,) = json.loads(capsys.readouterr().out)["reports"]
    assert report["problem-rules"] == ["ambiguous-name", "disguised-bytecode"]
    assert len(report["problems"]) == 2


def test_sarif(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same exit status as without; what cannot be verified is there too."""
    (tree / PYC).write_bytes(pyc())
    (tree / "gone.pyc").write_bytes(pyc())
    command = ["verify", "--format", "sarif", "-i", HERE.path, str(tree)]
    assert main([*command, "--allow", "orphan"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run["results"] == []
    assert main([*command, str(tree / "missing")]) == 2
    captured = capsys.readouterr()
    (run,) = json.loads(captured.out)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["orphan"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert captured.err == f"detpyc: {tree / 'missing'}: no such file or directory\n"
    assert main([*command, "--strict", "--allow", "orphan"]) == 1
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["equivalent"]


def test_two_formats(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--json", "--format", "json", str(tree)]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == 1
    assert main(["verify", "--json", "--format", "sarif", str(tree)]) == 2
    assert capsys.readouterr() == (
        "",
        "detpyc: --json is short for --format json; omit it for --format sarif\n",
    )


# ---- sources from elsewhere


@pytest.fixture
def sourceless(tmp_path: Path) -> Path:
    """A wheel without sources, beside the one that has them."""
    (tmp_path / "without").mkdir()
    whole = wheels.build(tmp_path)
    options = WheelOptions(output_dir=tmp_path / "without", rename=True)
    return byte_compile_wheel(whole, Settings(layout="sourceless"), options).path


def sdist(directory: Path, files: dict[str, bytes]) -> Path:
    path = directory / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"demo-1.0/src/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_wheel_without_sources(sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to do better."""
    assert main(["verify", str(sourceless)]) == 1
    first, *others, last = capsys.readouterr().out.splitlines()
    assert first == f"{sourceless}: 2 orphan; {LOADED}"
    assert "    orphan: demo/core.pyc" in others
    assert last == "    use --sources SDIST_OR_WHEEL to verify pycs that have no source in the wheel"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_sources_from_elsewhere(kind: str, sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = sourceless.parents[1]
    sources = beside / WHOLE if kind == "wheel" else sdist(beside, wheels.MODULES)
    assert main(["verify", "--strict", "--sources", str(sources), str(sourceless)]) == 0
    assert capsys.readouterr().out == f"{sourceless}: 2 identical; {LOADED}\n"


def test_other_sources(sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modules = {**wheels.MODULES, "demo/core.py": b"other = 1\n"}
    assert main(["verify", "--sources", str(sdist(sourceless.parent, modules)), str(sourceless)]) == 1
    assert capsys.readouterr().out.startswith(
        f"{sourceless}: 1 identical, 1 stale; {LOADED}\n    stale: demo/core.pyc\n"
    )


def test_sources_that_cannot_be_used(tree: Path, sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = sourceless.parents[1] / WHOLE
    assert main(["verify", "--sources", str(whole), str(tree / "core.py")]) == 2
    assert capsys.readouterr().err == (
        f"detpyc: {tree / 'core.py'}: not a wheel, and sources can be named for wheels only\n"
    )
    assert main(["verify", "--sources", str(tree / "core.py"), str(sourceless)]) == 2
    assert capsys.readouterr().err.startswith(f"detpyc: {tree / 'core.py'}: not a source distribution (.tar.gz): ")


# ---- output


def test_control_characters_are_escaped(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "\x1b[2J\n.pyc").write_bytes(b"")
    main(["verify", str(tree)])
    shown = capsys.readouterr().out
    assert r"\x1b[2J\n.pyc" in shown
    assert "\x1b" not in shown


def test_output_that_the_terminal_cannot_show(tree: Path) -> None:
    (tree / "naïve.pyc").write_bytes(b"")
    command = [sys.executable, "-m", "detpyc", "verify", str(tree)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    completed = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (completed.returncode, completed.stderr) == (1, b"")
    assert rb"na\xefve.pyc" in completed.stdout
