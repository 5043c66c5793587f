"""Pycs are judged in batches."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import wheels
from detpyc.byte_compile.tree import TreeOptions, byte_compile_tree
from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.cli import main
from detpyc.compilation.pool import Pool, Source
from detpyc.settings import Settings
from detpyc.verify import judging
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.pycs import Case, Pyc
from detpyc.verify.reports import Status
from pycs import HERE, PYC, SOURCE, forged, pyc, with_other_instruction
from unit.verify.findings import the_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter


def test_more_than_one_batch(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_BATCH", 2)
    for name in "abcde":
        (tree / f"{name}.py").write_bytes(SOURCE)
        (tree / f"{name}.pyc").write_bytes(pyc(SOURCE.replace(b"1000", b"1000" if name != "c" else b"1001")))
    assert [finding.status.value for finding in verify_artifact(tree, [HERE]).findings] == [
        *("equivalent", "equivalent", "stale", "equivalent", "equivalent")
    ]


def test_copies_are_compiled_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What records the same path, and has the same source: here, not the second of three pycs."""
    compiled: list[Source] = []
    real = Pool.byte_compile

    def byte_compile(pool: Pool, sources: Iterable[Source], levels: list[int], *rest: Any) -> Any:
        listed = list(sources)
        if levels == [0]:  # the others are tried for what differs
            compiled.extend(listed)
        return real(pool, listed, levels, *rest)

    monkeypatch.setattr(Pool, "byte_compile", byte_compile)
    for name in ("a/core", "a/other", "b/core", "c/core"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / f"{name}.py").write_bytes(SOURCE)
        (tree / f"{name}.pyc").write_bytes(pyc(path="other.py" if name == "a/other" else "core.py"))
    (tree / "c/core.pyc").write_bytes(forged())
    report = verify_artifact(tree, [HERE])
    assert [(finding.pyc, finding.status.value) for finding in report.findings] == [
        (str(tree / "a/core.pyc"), "equivalent"),
        (str(tree / "a/other.pyc"), "equivalent"),
        (str(tree / "b/core.pyc"), "equivalent"),
        (str(tree / "c/core.pyc"), "differs"),
    ]
    assert sorted(source.path for source in compiled) == ["core.py", "other.py"]


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


def test_progress(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step for each pyc, however it is judged."""
    monkeypatch.setattr(judging, "_BATCH", 2)
    monkeypatch.setattr(judging, "_found", lambda _: [HERE])
    contents = {
        "core": pyc(),
        "path": pyc(path="/elsewhere/core.py"),
        "other": forged(path="other.py"),
        "instruction": with_other_instruction(pyc()),
        "stale": pyc(b""),
        "malformed": b"",
    }
    for name, content in contents.items():
        (tree / f"{name}.py").write_bytes(SOURCE)
        (tree / f"{name}.pyc").write_bytes(content)
    (tree / "gone.pyc").write_bytes(pyc())
    announced: list[int] = []
    steps: list[None] = []

    def start(count: int) -> Callable[[], None]:
        announced.append(count)
        return lambda: steps.append(None)

    findings = verify_artifact(tree, progress=start).findings

    assert len({finding.status for finding in findings}) == 6
    assert announced == [len(findings)] == [len(steps)]


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


# ---- releases that uv installs in turn


@pytest.fixture
def installing(two_releases: tuple[Interpreter, Interpreter], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two releases, of which the last is at hand and uv can install both; return what it has installed."""
    installed: list[str] = []
    by_release = {interpreter.release: interpreter for interpreter in two_releases}

    def install(release: str) -> Interpreter:
        installed.append(release)
        return by_release[release]

    first, last = two_releases
    monkeypatch.setattr(judging, "_found", lambda _: [last])
    monkeypatch.setattr(judging, "_offered", lambda _: (last.release, first.release))
    monkeypatch.setattr(judging, "_installed", install)
    return installed


GENERATOR = b"def f(x):\n    return any(item for item in x), 1000\n"


def compiled_by(interpreter: Interpreter, tree: Path, names: str = "a") -> None:
    for name in names:
        (tree / f"{name}.py").write_bytes(GENERATOR)
    byte_compile_tree(tree, Settings(interpreters=(interpreter.path,)), TreeOptions(cache=False))


def test_releases_are_installed_until_one_matches(
    two_releases: tuple[Interpreter, Interpreter],
    installing: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "_BATCH", 2)
    compiled_by(two_releases[0], tmp_path, "abc")
    assert {finding.status for finding in verify_artifact(tmp_path).findings} == {Status.UNVERIFIABLE}
    assert installing == []
    findings = verify_artifact(tmp_path, install=True).findings
    assert [(finding.status, finding.release) for finding in findings] == [
        (Status.IDENTICAL, two_releases[0].release)
    ] * 3
    assert set(installing) == {two_releases[0].release}


def test_nothing_is_installed_for_what_is_decided(
    two_releases: tuple[Interpreter, Interpreter], installing: list[str], tmp_path: Path
) -> None:
    first, last = two_releases
    compiled_by(last, tmp_path)
    assert [finding.status for finding in verify_artifact(tmp_path, install=True).findings] == [Status.IDENTICAL]
    compiled_by(first, tmp_path)
    (pyc,) = tmp_path.rglob("*.pyc")
    pyc.write_bytes(pyc.read_bytes().replace((1000).to_bytes(4, "little"), (1001).to_bytes(4, "little")))
    (finding,) = verify_artifact(tmp_path, install=True).findings
    assert (finding.status, finding.reasons[0]) == (Status.DIFFERS, "in f: constant 2: 1001 against 1000")
    assert installing == []


def test_nothing_is_installed_beside_the_interpreters_that_are_given(
    two_releases: tuple[Interpreter, Interpreter], installing: list[str], tmp_path: Path
) -> None:
    compiled_by(two_releases[0], tmp_path)
    (finding,) = verify_artifact(tmp_path, [two_releases[1]], install=True).findings
    assert (finding.status, installing) == (Status.DIFFERS, [])


# ---- levels that names do not have

ASSERTING = b'"""A docstring."""\n\n\ndef f(x):\n    assert x\n    return x\n'


@pytest.mark.parametrize("name", [PYC, "core.pyc"])
@pytest.mark.parametrize("level", [1, 2])
def test_other_level_than_the_name_has(name: str, level: int, tree: Path) -> None:
    """Python loads it at level 0, without the asserts that the source has."""
    (tree / "core.py").write_bytes(ASSERTING)
    (tree / name).write_bytes(pyc(ASSERTING, optimize=level))
    finding = the_one(tree)
    assert finding.status is Status.DIFFERS
    assert finding.reasons[0] == f"the source compiles to it at optimization level {level}, and its name is for level 0"
    assert len(finding.reasons) > 1


def test_level_that_the_name_has_is_the_only_one(tree: Path) -> None:
    (tree / "core.py").write_bytes(ASSERTING)
    (tree / f"__pycache__/core.{HERE.cache_tag}.opt-1.pyc").write_bytes(pyc(ASSERTING, optimize=2))
    finding = the_one(tree)
    assert finding.status is Status.DIFFERS
    assert "optimization level" not in "".join(finding.reasons)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_level_of_a_sourceless_pyc(level: int, tmp_path: Path) -> None:
    """Without provenance, all levels are tried."""
    (tmp_path / "with").mkdir()
    sources = wheels.build(tmp_path / "with", {"core.py": ASSERTING})
    wheel = wheels.build(tmp_path, {"core.pyc": pyc(ASSERTING, optimize=level)})
    (finding,) = verify_artifact(wheel, [HERE], sources=sources).findings
    assert finding.status is Status.EQUIVALENT
    notes = [reason for reason in finding.reasons if "level" in reason]
    assert notes == ([f"compiled at optimization level {level}"] if level else [])
    tampered = wheels.build(tmp_path, {"core.pyc": forged(ASSERTING)})
    assert verify_artifact(tampered, [HERE], sources=sources).counts()["differs"] == 1
