"""Wheels whose provenance is made to let other code pass, or to do harm to who reads it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import wheels
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.settings import Settings
from hostile.cases import FAILED, FOUND, Case
from pycs import HERE, TAG, forged

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = b"def f(x):\n    assert x\n    return x\n"
OTHER = b"def f(x):\n    return None\n"
PYC = f"demo/__pycache__/core.{TAG}.pyc"
PROVENANCE = "demo-1.0.dist-info/detpyc.json"
RECORD = "demo-1.0.dist-info/RECORD"


@cache
def made(layout: str = "pycache", optimize: int = 0) -> dict[str, bytes]:
    """Byte-compile a wheel and return its files, without RECORD."""
    settings = Settings(interpreters=(HERE.path,), layout=layout, optimize=(optimize,))
    with TemporaryDirectory() as directory:
        top = Path(directory)
        (top / "out").mkdir()
        built = wheels.build(top, {"demo/__init__.py": b"", "demo/core.py": SOURCE})
        report = byte_compile_wheel(built, settings, WheelOptions(output_dir=top / "out", rename=True))
        files = wheels.read(report.path)
    del files[RECORD]
    return files


def write(directory: Path, files: dict[str, bytes]) -> Path:
    """Write a wheel whose RECORD matches."""
    return wheels.write(directory / "demo-1.0-py3-none-any.whl", {**files, RECORD: wheels.record(files, RECORD)})


def claiming(**changes: object) -> Callable[[Path], Path]:
    """Change what provenance says of the bytecode."""

    def build(directory: Path) -> Path:
        files = dict(made())
        document = json.loads(files[PROVENANCE])
        document["bytecode"][0].update(changes)
        return write(directory, {**files, PROVENANCE: json.dumps(document).encode()})

    return build


def saying(content: bytes) -> Callable[[Path], Path]:
    """Replace provenance."""
    return lambda directory: write(directory, {**made(), PROVENANCE: content})


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], Path]:
    def build(directory: Path) -> Path:
        document = json.loads(made()[PROVENANCE])
        change(document)
        return write(directory, {**made(), PROVENANCE: json.dumps(document).encode()})

    return build


def sourceless_beside_the_source(directory: Path) -> Path:
    """Leave the asserts out: zipimport loads the pyc, at every optimization level."""
    return write(directory, {**made("sourceless", 2), "demo/core.py": SOURCE, "demo/__init__.py": b""})


def sourceless_beside_another_source(directory: Path) -> Path:
    return write(directory, {**made("sourceless"), "demo/core.py": OTHER, "demo/__init__.py": b""})


def sourceless(directory: Path) -> Path:
    """There is nothing to compare with: what runs cannot be known."""
    return write(directory, {**made("sourceless"), "demo/core.pyc": forged(SOURCE, OTHER, "demo/core.py")})


def without_the_pyc(directory: Path) -> Path:
    files = dict(made())
    del files[PYC]
    return write(directory, files)


def with_another_pyc(directory: Path) -> Path:
    return write(directory, {**made(), PYC: forged(SOURCE, OTHER, "demo/core.py")})


def with_one_pyc_more(directory: Path) -> Path:
    """Add a level of which provenance does not say anything."""
    return write(directory, {**made(), **made_at_level_1()})


def made_at_level_1() -> dict[str, bytes]:
    return {name: content for name, content in made(optimize=1).items() if ".opt-1." in name}


def with_the_level_of_another(directory: Path) -> Path:
    """Put what is compiled without asserts where the default level is loaded."""
    stripped = made(optimize=2)[PYC.replace(".pyc", ".opt-2.pyc")]
    return write(directory, {**made(), PYC: stripped})


DEEP = b"[" * 500_000 + b"]" * 500_000
SURROGATE = json.dumps({"format": "\ud800"}).encode()

CASES = (
    Case(sourceless_beside_the_source, FOUND, ("1 differs", "replaces its source, but there is")),
    Case(sourceless_beside_another_source, FOUND, ("stale", "replaces its source, but there is")),
    Case(sourceless, FOUND, ("2 orphan",)),
    Case(without_the_pyc, FOUND, ("but there is no",)),
    Case(with_another_pyc, FOUND, ("differs",)),
    Case(with_one_pyc_more, FOUND, ("does not mention",)),
    Case(with_the_level_of_another, FOUND, ("differs",)),
    Case(claiming(skipped={"demo/core.py": ""}), FOUND, ("is not byte-compiled, but there is",), name="skipped"),
    Case(claiming(exclude=["core.py"]), FOUND, ("does not mention",), name="exclude"),
    Case(claiming(**{"invalidation-mode": "unchecked-hash"}), FOUND, ("but it is checked-hash",), name="mode"),
    Case(claiming(layout="sourceless"), FOUND, ("replaces its source, but there is",), name="layout"),
    Case(claiming(optimize=2), FOUND, ("but there is no",), name="optimize"),
    Case(claiming(include=["*?" * 400 + "b"]), FOUND, ("cannot be applied",), name="slow_pattern"),
    Case(claiming(include=["*a" * 400 + "b"]), FOUND, ("does not mention",), name="pattern_of_many_stars"),
    Case(claiming(release="3.99.1"), FOUND, ("malformed",), name="release"),
    Case(changed(lambda document: document.update(bytecode=[])), FOUND, ("does not mention",), name="nothing"),
    Case(saying(b""), FOUND, ("malformed",), name="empty"),
    Case(saying(b"\xff"), FOUND, ("malformed",), name="not_unicode"),
    Case(saying(b"[" + DEEP), FOUND, ("malformed",), name="deep"),
    Case(saying(SURROGATE), FOUND, (r"\ud800",), name="surrogate"),
    Case(saying(b'{"format": 1' + b"0" * 5000 + b"}"), FOUND, ("detpyc.json",), name="long_number"),
    Case(saying(b" " * (64 << 20) + b"{}"), FOUND, ("detpyc.json",), name="large"),
    Case(with_another_pyc, FAILED, (), ("verify", "-i", "/nowhere"), name="no_interpreter"),
)
