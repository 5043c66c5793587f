"""The inspection of a pyc: header, canonical form, code objects, as JSON and for people."""

from __future__ import annotations

import json
import marshal
from typing import TYPE_CHECKING

import pytest

import payloads
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.header import MAGIC_NUMBERS, InvalidationMode, PycHeader
from detpyc.cli import main
from detpyc.compilation import interpreters
from detpyc.errors import BytecodeError
from detpyc.explain.difference import ENCODING
from detpyc.inspect import inspect_pyc
from payloads import flagged, integer, small_tuple, text

if TYPE_CHECKING:
    from pathlib import Path

HERE = interpreters.current()
SOURCE = '''
def f(x, *, y=1):
    """Answer."""
    return lambda: (x, "a b")

class C:
    pass
'''
HEADER = PycHeader(HERE.magic_number, InvalidationMode.CHECKED_HASH, source_hash=b"8 bytes!")
RAW = marshal.dumps(compile(SOURCE, "demo/core.py", "exec", dont_inherit=True))
PYC = HEADER.to_bytes() + canonicalize(RAW, HERE.version)


def test_codes() -> None:
    inspection = inspect_pyc(PYC)
    assert [(code.name, code.depth) for code in inspection.codes] == [
        ("<module>", 0),
        ("f", 1),
        ("f.<locals>.<lambda>", 2),
        ("C", 1),
    ]
    module, function, *_ = inspection.codes
    assert (module.path, module.integers["firstlineno"]) == ("demo/core.py", 1)
    assert function.integers["argcount"] == function.integers["kwonlyargcount"] == 1
    assert "OPTIMIZED, NEWLOCALS" in function.flags
    assert "'Answer.'" in function.constants
    assert any("x" in names for names in function.names.values())
    assert module.size > 0


def test_canonical_or_not() -> None:
    inspection = inspect_pyc(PYC)
    assert (inspection.size, inspection.canonical_size, inspection.differences) == (len(PYC), len(PYC), ())
    inspection = inspect_pyc(HEADER.to_bytes() + RAW)
    assert (inspection.size, inspection.canonical_size) == (len(HEADER.to_bytes() + RAW), len(PYC))
    assert {difference.kind for difference in inspection.differences} == {ENCODING}


@pytest.mark.parametrize("version", MAGIC_NUMBERS.values(), ids=str)
def test_every_version_on_any_python(version: tuple[int, int]) -> None:
    (magic_number,) = (number for number, release in MAGIC_NUMBERS.items() if release == version)
    header = PycHeader(magic_number, InvalidationMode.TIMESTAMP, mtime=5, source_size=7)
    inner = payloads.code(version, {"name": text("f"), "qualname": text("f"), "names": small_tuple(text("n"))})
    inspection = inspect_pyc(header.to_bytes() + payloads.code(version, {"consts": small_tuple(inner, integer(7))}))
    assert (inspection.header.mtime, inspection.header.source_size) == (5, 7)
    assert [code.name for code in inspection.codes] == ["<module>", "f"]
    assert inspection.codes[0].constants == ("<code f>", "7")
    assert inspection.codes[1].names["names"] == ("n",)


def test_code_object_in_two_places_is_listed_once() -> None:
    inner = flagged(payloads.code(HERE.version, {"name": text("f"), "qualname": text("f")}))
    payload = payloads.code(HERE.version, {"consts": small_tuple(inner, inner)})
    inspection = inspect_pyc(HEADER.to_bytes() + payload)
    assert [code.name for code in inspection.codes] == ["<module>", "f"]
    assert inspection.codes[0].constants == ("<code f>", "<code f>")


def test_tuple_in_many_places_is_shown_in_full_once() -> None:
    names = small_tuple(*(text(f"n{number}") for number in range(200)))
    inner = (payloads.code(HERE.version, {"names": names}, stacksize=number) for number in range(2, 5))
    inspection = inspect_pyc(HEADER.to_bytes() + payloads.code(HERE.version, {"consts": small_tuple(*inner)}))
    assert [len(code.names["names"]) for code in inspection.codes] == [0, 200, 101, 101]
    assert inspection.codes[2].names["names"][-1] == "and 100 more"


@pytest.mark.parametrize(
    ("data", "offset"), [(b"", 0), (PYC[:-1], len(PYC) - 1), (PYC + b"x", len(PYC)), (PYC[:16] + b"N", 16)]
)
def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, offset: int) -> None:
    with pytest.raises(BytecodeError) as caught:
        inspect_pyc(data)
    assert caught.value.offset == offset
    path = tmp_path / "core.pyc"
    path.write_bytes(data)
    assert main(["inspect", str(path)]) == 2
    shown, error = capsys.readouterr()
    assert shown == ""
    assert error.startswith(f"detpyc: {path}: ")
    assert error.endswith(f"(at offset {offset})\n")


@pytest.mark.parametrize("name", ["missing.pyc", ""])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    assert main(["inspect", str(tmp_path / name)]) == 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "core.pyc"
    path.write_bytes(PYC)
    return path


def test_json(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json", str(path)]) == 0
    document = json.loads(capsys.readouterr().out)
    codes = document.pop("codes")
    assert document == {
        "format": 1,
        "header": {
            "magic-number": HERE.magic_number,
            "version": "CPython {}.{}".format(*HERE.version),
            "invalidation-mode": "checked-hash",
            "source-hash": b"8 bytes!".hex(),
        },
        "size": len(PYC),
        "canonical-size": len(PYC),
        "canonical": True,
        "differences": [],
    }
    assert [code["name"] for code in codes] == ["<module>", "f", "f.<locals>.<lambda>", "C"]
    assert codes[0].keys() == {"name", "depth", "path", "integers", "flags", "size", "names", "constants"}


def test_for_people(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "invalidation-mode: checked-hash\n" in shown
    assert "canonical: yes\n" in shown
    assert "\n    f, line 2, " in shown
    assert "\n        f.<locals>.<lambda>, line 4, " in shown
    assert "constant 0: 'Answer.'\n" in shown
    path.write_bytes(HEADER.to_bytes() + RAW)
    main(["inspect", str(path)])
    assert "canonical: no\n    in <module>: unused reference flags" in capsys.readouterr().out
