"""What is decided about a pyc before its source is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from detpyc.byte_compile.tree import byte_compile_tree
from detpyc.settings import Settings
from detpyc.verify import judging, pycs
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from pycs import HERE, PYC, TAG, pyc
from unit.verify.findings import the_one

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        (f"__pycache__/core.{TAG}.opt-1.pyc", Status.EQUIVALENT, ""),
        (f"__pycache__/core.{TAG}.opt-3.pyc", Status.UNVERIFIABLE, "CPython has no optimization level '3'"),
        (f"__pycache__/core.{TAG}-pytest-8.3.4.pyc", Status.UNVERIFIABLE, "another tool wrote it"),
        ("__pycache__/core.cpython-38.pyc", Status.MALFORMED, "its name says 'cpython-38'"),
        ("__pycache__/core.pyc", Status.MALFORMED, "its name says ''"),
        (f"__pycache__/gone.{TAG}.pyc", Status.ORPHAN, "there is no "),
        ("core.pyc", Status.EQUIVALENT, ""),
        ("gone.pyc", Status.ORPHAN, "there is no "),
    ],
)
def test_names(tree: Path, name: str, status: Status, reason: str) -> None:
    (tree / name).write_bytes(pyc())
    finding = the_one(tree)
    assert finding.status is status
    assert reason in finding.reasons[0]


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", Status.MALFORMED, "at offset 0"),
        (pyc()[:15], Status.MALFORMED, "in the middle of the header (at offset 15)"),
        (pyc()[:40], Status.MALFORMED, "(at offset 40)"),
        (pyc() + b"x", Status.MALFORMED, f"1 bytes after the end of the payload (at offset {len(pyc())})"),
        (pyc()[:16] + b"N", Status.MALFORMED, "the payload is not a code object"),
        (b"\x5c\x0d\r\n" + bytes(20), Status.UNVERIFIABLE, "a pre-release of CPython"),
        (b"\x50\x01\r\n" + bytes(20), Status.UNVERIFIABLE, "PyPy"),
    ],
)
def test_contents(tree: Path, content: bytes, status: Status, reason: str) -> None:
    (tree / PYC).write_bytes(content)
    finding = the_one(tree)
    assert finding.status is status
    assert reason in finding.reasons[0]


# ---- the path that a pyc records


def test_payload_need_not_be_parsed_for_the_path(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(pycs, "recorded_path", refuse)
    byte_compile_tree(tree, Settings(interpreters=(HERE.path,)))
    assert the_one(tree).status is Status.IDENTICAL


def test_string_that_is_not_the_recorded_path(tree: Path) -> None:
    source = b"name = 'core.py'\n"
    (tree / "core.py").write_bytes(source)
    (tree / PYC).write_bytes(pyc(source, "other.py"))
    finding = the_one(tree)
    assert (finding.status, finding.reasons[0]) == (Status.EQUIVALENT, "recorded path 'other.py'")


def test_malformed_pyc_whose_source_is_not_compiled(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is malformed whatever the reason, though its payload has the likely path."""
    (tree / PYC).write_bytes(pyc() + b"x")
    (tree / "core.py").write_bytes(b"(\n")
    assert the_one(tree).status is Status.MALFORMED
    monkeypatch.setattr(judging, "_found", lambda _: [])
    (finding,) = verify_artifact(tree).findings
    assert finding.status is Status.MALFORMED
