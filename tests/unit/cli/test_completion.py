"""Completion scripts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from detpyc.cli import COMMANDS, main
from detpyc.cli.completion import SHELLS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=SHELLS)
def script(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["completion", request.param]) == 0
    return request.param, capsys.readouterr().out


def test_commands_and_options(script: tuple[str, str]) -> None:
    shell, text = script
    dashes = "" if shell == "fish" else "--"
    assert [name for name in (*COMMANDS, f"{dashes}on-syntax-error") if name not in text] == []


def test_shell_accepts_it(script: tuple[str, str], tmp_path: Path) -> None:
    shell, text = script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is missing")
    path = tmp_path / "script"
    path.write_text(text)
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is missing")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ver", {"verify"}),
        ("strip --so", {"--sourceless"}),
        ("strip de", {"demo.whl"}),
        ("wheel --layout so", {"sourceless"}),
    ],
)
def test_bash_completes(words: str, expected: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    (tmp_path / "demo.whl").touch()
    line = ["detpyc", *words.split()]
    script = (
        f"{capsys.readouterr().out}\nCOMP_WORDS=({' '.join(line)}); COMP_CWORD={len(line) - 1}\n"
        f"_shtab_detpyc detpyc {line[-1]} {line[-2]}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    )
    completed = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {line.strip() for line in completed.stdout.splitlines()} == expected


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert main(["completion", "bash"]) == 0
    assert document == {"format": 1, "shell": "bash", "script": capsys.readouterr().out.removesuffix("\n")}


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "zsh"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors == (
        "detpyc: the package shtab, which writes completion scripts, is not installed; run: pip install"
        ' "detpyc[completion]"\n'
    )
