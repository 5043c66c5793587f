"""How a pyc is compared with its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.byte_compile.tree import TreeOptions, byte_compile_tree
from detpyc.bytecode.header import HEADER_SIZE
from detpyc.settings import Settings
from detpyc.verify import judging
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from pycs import HERE, PYC, SOURCE, forged, pyc, with_other_instruction
from unit.verify.findings import the_one

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter


def test_mtime_and_size(tree: Path) -> None:
    """As the import system compares them: whole seconds, modulo 2**32."""
    for mtime, size, status in (
        (1_600_000_000, None, Status.EQUIVALENT),
        (1_600_000_001, None, Status.STALE),
        (1_600_000_000, 5, Status.STALE),
    ):
        (tree / PYC).write_bytes(pyc(mtime=mtime, size=size))
        assert the_one(tree).status is status


def test_dates_are_for_people(tree: Path) -> None:
    (tree / PYC).write_bytes(pyc(mtime=1_617_602_828))
    assert the_one(tree).reasons[0] == (
        "the source mtime in its header is 2021-04-05 06:07:08 UTC, but the source's is 2020-09-13 12:26:40 UTC"
    )


def test_mtime_has_no_meaning_in_a_wheel(tmp_path: Path) -> None:
    wheel = wheels.build(tmp_path, {"core.py": SOURCE, PYC: pyc(mtime=5)})
    (finding,) = verify_artifact(wheel, [HERE]).findings
    assert (finding.status, finding.reasons[0]) == (Status.EQUIVALENT, "timestamp header")


def test_stale_pyc_of_the_same_code(tree: Path) -> None:
    (tree / PYC).write_bytes(pyc())
    (tree / "core.py").write_bytes(SOURCE + b"# comment\n")
    finding = the_one(tree)
    assert finding.status is Status.STALE
    assert finding.reasons[1] == "the code still matches the source"


def test_no_interpreter(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_found", lambda _: [])
    (tree / PYC).write_bytes(pyc())
    (finding,) = verify_artifact(tree).findings
    version = "{}.{}".format(*HERE.version)
    assert (finding.status, finding.reasons) == (
        Status.UNVERIFIABLE,
        (f"CPython {version}, which would compile its source, was not found",),
    )
    (tree / "core.py").write_bytes(b"")
    (finding,) = verify_artifact(tree).findings
    assert finding.status is Status.STALE


# ---- without the release that compiled the pyc


@pytest.fixture
def only_this_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_found", lambda _: [HERE])


HIDDEN = [
    SOURCE.replace(b"1000", b"1001"),
    SOURCE.replace(b"1000", b"name"),
    SOURCE.replace(b"f()", b"f(x)"),
    SOURCE.replace(b"f()", b"g()"),
    SOURCE + b"import os\n",
    SOURCE.replace(b"    ", b"    def g(): pass\n    "),
]


@pytest.mark.usefixtures("only_this_release")
@pytest.mark.parametrize("code", HIDDEN, ids=[source.decode() for source in HIDDEN])
def test_what_no_patch_release_changes(tree: Path, code: bytes) -> None:
    """Whichever release compiled the pyc, it is not the source's."""
    (tree / PYC).write_bytes(forged(code=code))
    (finding,) = verify_artifact(tree).findings
    assert (finding.status, finding.release) == (Status.DIFFERS, HERE.release)
    assert not finding.reasons[0].partition(": ")[2].startswith(("instruction", "line", "columns", "exception table"))
    assert finding.reasons[-1] == f"compared with CPython {HERE.release}; no patch release explains the difference"


@pytest.mark.usefixtures("only_this_release")
def test_what_patch_releases_change(tree: Path) -> None:
    (tree / PYC).write_bytes(with_other_instruction(pyc()))
    (finding,) = verify_artifact(tree).findings
    assert finding.status is Status.UNVERIFIABLE
    assert finding.reasons[0] == (
        f"CPython {HERE.release} compiles the source to other instructions in f, and which release compiled the pyc is"
        " not known (-i names it)"
    )
    assert finding.reasons[1].startswith("in f: instruction at ")


@pytest.mark.usefixtures("only_this_release")
def test_source_that_another_release_may_compile(tree: Path) -> None:
    source = b"def f(:\n"
    (tree / "core.py").write_bytes(source)
    (tree / PYC).write_bytes(forged(source, SOURCE))
    (finding,) = verify_artifact(tree).findings
    assert finding.status is Status.UNVERIFIABLE
    assert finding.reasons[0].startswith(f"CPython {HERE.release} does not compile the source to this code, and ")
    assert finding.reasons[1].startswith("its source does not compile: SyntaxError: ")


def test_every_release_at_hand_is_asked(
    two_releases: tuple[Interpreter, Interpreter], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that differ, one compiled it; of two that both differ in a constant, none did."""
    first, last = two_releases
    name = f"__pycache__/core.{first.cache_tag}.pyc"
    source = b"def f(x):\n    return any(item for item in x), 1000\n"
    (tree / "core.py").write_bytes(source)
    byte_compile_tree(tree, Settings(interpreters=(first.path,)), TreeOptions(cache=False))
    monkeypatch.setattr(judging, "_found", lambda _: [last, first])
    assert [finding.status for finding in verify_artifact(tree).findings] == [Status.IDENTICAL]

    header = (tree / name).read_bytes()[:HEADER_SIZE]
    (tree / "core.py").write_bytes(source.replace(b"1000", b"1001"))
    byte_compile_tree(tree, Settings(interpreters=(first.path,)), TreeOptions(cache=False))
    (tree / name).write_bytes(header + (tree / name).read_bytes()[HEADER_SIZE:])
    (tree / "core.py").write_bytes(source)
    (finding,) = verify_artifact(tree).findings
    assert (finding.status, finding.reasons[0]) == (Status.DIFFERS, "in f: constant 2: 1001 against 1000")
    assert finding.reasons[-1].startswith(f"compared with CPython {last.release}, {first.release}; ")

    monkeypatch.setattr(judging, "_found", lambda _: [last])
    (tree / "core.py").write_bytes(source.replace(b"1000", b"1001"))
    byte_compile_tree(tree, Settings(interpreters=(first.path,)), TreeOptions(cache=False))
    assert [finding.status for finding in verify_artifact(tree).findings] == [Status.UNVERIFIABLE]
