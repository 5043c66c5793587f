"""Pycs are judged in batches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

import wheels
from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.cli import main
from detpyc.verify import judging
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.pycs import Case, Pyc
from detpyc.verify.reports import Status
from pycs import HERE, PYC, SOURCE, pyc

if TYPE_CHECKING:
    from pathlib import Path


def test_more_than_one_batch(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_BATCH", 2)
    for name in "abcde":
        (tree / f"{name}.py").write_bytes(SOURCE)
        (tree / f"{name}.pyc").write_bytes(pyc(SOURCE.replace(b"1000", b"1000" if name != "c" else b"1001")))
    assert [finding.status.value for finding in verify_artifact(tree, [HERE]).findings] == [
        *("equivalent", "equivalent", "stale", "equivalent", "equivalent")
    ]


def test_no_search_if_the_recorded_release_settles_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for interpreters takes longer than most wheels."""

    def search(version: tuple[int, int]) -> NoReturn:
        raise AssertionError(f"searched for CPython {version}")

    wheel = wheels.build(tmp_path, {"core.py": SOURCE})
    byte_compile_wheel(wheel)
    monkeypatch.setattr(judging, "_found", search)
    assert [finding.status for finding in verify_artifact(wheel).findings] == [Status.IDENTICAL]


def test_no_threads_left(tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    (tree / PYC).write_bytes(pyc())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert main(["verify", str(tree)]) == 2
    assert capsys.readouterr().err.startswith("detpyc: cannot start a thread; ")


@pytest.mark.parametrize("step", ["prepare", "compare"])
def test_no_memory_left(step: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the verdict on one pyc, not those on others."""
    real = getattr(judging, step)

    def exhaust(item: Pyc | Case, *rest: object) -> object:
        path = item.path if isinstance(item, Pyc) else item.pyc.path
        if path == str(tree / "core.pyc"):
            raise MemoryError
        return real(item, *rest)

    (tree / PYC).write_bytes(pyc())
    (tree / "core.pyc").write_bytes(pyc())
    monkeypatch.setattr(judging, step, exhaust)
    findings = verify_artifact(tree, [HERE]).findings
    assert [finding.status for finding in findings] == [Status.UNVERIFIABLE, Status.EQUIVALENT]
    assert findings[0].reasons == ("there is not enough memory to compare it with its source",)
