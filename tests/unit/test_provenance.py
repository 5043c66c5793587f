"""What detpyc records about its work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import printed
import wheels
from bounds import bounded
from detpyc import __version__
from detpyc.cli import main
from detpyc.errors import DetpycError, TooLargeError
from detpyc.limits import MAX_PROVENANCE
from detpyc.provenance import Bytecode, Provenance

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter

NEWER = Bytecode("3.13.0", "cpython-313", 3571, 1, "unchecked-hash")
OLDER = Bytecode(
    "3.9.18", "cpython-39", 3425, 2, "checked-hash", ("pkg/", "\xe9.py"), ("tests/",), {"b.py": "no", "a.py": "é\n"}
)


def document(**changes: object) -> dict[str, Any]:
    return {**json.loads(Provenance((OLDER, NEWER)).to_json()), **changes}


def changed(**changes: object) -> dict[str, Any]:
    """Return a document with other values in its first entry."""
    entry = {**document()["bytecode"][0], **{key.replace("_", "-"): value for key, value in changes.items()}}
    return document(bytecode=[entry])


def without(key: str) -> dict[str, Any]:
    entry = {name: value for name, value in document()["bytecode"][0].items() if name != key}
    return document(bytecode=[entry])


def test_round_trip() -> None:
    assert Provenance.from_json(Provenance((OLDER, NEWER)).to_json()) == Provenance((OLDER, NEWER))


def test_order_does_not_matter() -> None:
    levels = [Bytecode("3.13.0", "cpython-313", 3571, level, "checked-hash") for level in (0, 1, 2)]
    assert Provenance((OLDER, *levels)).to_json() == Provenance((*levels[::-1], OLDER)).to_json()
    reordered = OLDER._replace(skipped=dict(reversed([*OLDER.skipped.items()])))
    assert list(reordered.skipped) != list(OLDER.skipped)
    assert Provenance((reordered,)).to_json() == Provenance((OLDER,)).to_json()


def test_content() -> None:
    found = document()
    assert {key: found[key] for key in ("format", "detpyc", "canonical-form")} == {
        "format": 1,
        "detpyc": __version__,
        "canonical-form": 1,
    }
    assert found["bytecode"][0] == {
        "release": "3.9.18",
        "cache-tag": "cpython-39",
        "magic-number": 3425,
        "optimize": 2,
        "invalidation-mode": "checked-hash",
        "include": ["pkg/", "\xe9.py"],
        "exclude": ["tests/"],
        "skipped": {"a.py": "é\n", "b.py": "no"},
        "layout": "pycache",
    }


@pytest.mark.parametrize(("compression", "normalized"), [("deflated", True), ("stored", False)])
def test_archive(compression: str, *, normalized: bool) -> None:
    written = Provenance((NEWER,), compression, normalized, "9.9").to_json()
    assert json.loads(written)["archive"] == {"compression": compression, "normalized": normalized}
    assert Provenance.from_json(written) == Provenance((NEWER,), compression, normalized, "9.9")


def test_slots() -> None:
    assert OLDER.slot == ("cpython-39", 2)


MALFORMED = [
    {"format": 1},
    document(bytecode={}),
    document(bytecode=["text"]),
    changed(release=3.12),
    changed(cache_tag=None),
    changed(magic_number="3425"),
    changed(magic_number=3394),
    changed(optimize=3),
    changed(optimize=True),
    changed(invalidation_mode="timestamp"),
    changed(include="*.py"),
    changed(include=[1]),
    changed(exclude=None),
    changed(skipped=["a.py"]),
    changed(skipped={"a.py": 1}),
    changed(layout="flat"),
    changed(colour="red"),
    changed(release="3.13.0"),
    changed(release="3.9"),
    changed(release="/bin/3.9.18"),
    changed(release="3.9." + "1" * 5000),
    document(detpyc="1" * 101),
    changed(cache_tag="cpython-313"),
    document(archive=None),
    document(archive={"compression": "stored"}),
    document(archive={"compression": "zstd", "normalized": True}),
    document(archive={"compression": "stored", "normalized": 1}),
    document(archive={"compression": "stored", "normalized": True, "colour": "red"}),
    document(detpyc=1),
    document(missing="3.12"),
    document(missing=[3.12]),
    document(missing=["2.7"]),
    *(without(key) for key in document()["bytecode"][0]),
]
# What JSON Schema, or Python's validator, cannot say.
BEYOND_A_SCHEMA = [
    changed(magic_number=3425.0),
    changed(release="3.9.18\n"),
    changed(include=["\ud800"]),
    changed(exclude=["x\udc80"]),
    changed(skipped={"\ud800.py": "no"}),
    changed(skipped={"a.py": "\udfff"}),
    document(detpyc="\ud800"),
    document(bytecode=[document()["bytecode"][0]] * 2),
]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        json.dumps(document()).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(document()).encode(),
        *(json.dumps(found).encode() for found in [*MALFORMED, *BEYOND_A_SCHEMA]),
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(DetpycError, match=r"detpyc\.json is malformed: .") as caught:
        Provenance.from_json(data)
    assert len(str(caught.value)) < 300
    str(caught.value).encode()


def test_schema_refuses_what_is_malformed() -> None:
    others = [document(format=2), document(format=True), document(**{"canonical-form": 2})]
    valid = printed.validator("provenance").is_valid
    assert [found for found in [*MALFORMED, *others] if valid(found)] == []


@pytest.mark.parametrize(
    "found", [document(), document(missing=["3.8.18", "3.15"]), document(bytecode=[]), changed(release="3.9.0rc1")]
)
def test_schema_accepts_what_is_written(found: dict[str, Any]) -> None:
    Provenance.from_json(json.dumps(found).encode())
    printed.validator("provenance").validate(found)
    described = printed.schema("provenance")["properties"]
    written = json.loads(Provenance((OLDER,), missing=("3.8.18",)).to_json())
    assert written.keys() == described.keys()
    assert written["archive"].keys() == described["archive"]["properties"].keys()
    assert written["bytecode"][0].keys() == described["bytecode"]["items"]["properties"].keys()


@pytest.mark.parametrize("number", [2, "1", 1.5, None, [1]])
def test_later_format(number: object) -> None:
    with pytest.raises(DetpycError) as caught:
        Provenance.from_json(json.dumps(document(format=number, detpyc="9.9")).encode())
    assert f"has format {number!r}, and this version of detpyc reads 1" in str(caught.value)
    assert "use the version that wrote it, '9.9', or a later one" in str(caught.value)


def test_another_canonical_form() -> None:
    with pytest.raises(
        DetpycError,
        match=r"describes bytecode in canonical form 2, and this version of detpyc writes form 1; use the version",
    ):
        Provenance.from_json(json.dumps(document(**{"canonical-form": 2})).encode())


@pytest.mark.parametrize("key", ["format", "canonical-form", "detpyc"])
def test_long_values_are_cut(key: str) -> None:
    data = json.dumps(document(format=2) | {key: "x" * 100_000}).encode()
    with pytest.raises(DetpycError) as caught:
        Provenance.from_json(data)
    assert len(str(caught.value)) < 300


@bounded()
@pytest.mark.parametrize("filler", [b" ", b"[],", b"0,", b'"",', b'{"a":', b"["])
def test_large_document(filler: bytes) -> None:
    """What is larger than the limit is refused; what is not is read with little memory."""
    with pytest.raises(TooLargeError, match=r"detpyc\.json has 8388609 bytes; the limit is 8388608"):
        Provenance.from_json(b"[" + filler * (MAX_PROVENANCE // len(filler)) + b"0" * (MAX_PROVENANCE % len(filler)))
    with pytest.raises(DetpycError, match="malformed"):
        Provenance.from_json(b"[" + filler * (MAX_PROVENANCE // len(filler) - 1))


def test_nothing_is_written_that_could_not_be_read() -> None:
    skipped = {f"{number}.py": "x" * 1000 for number in range(8400)}
    with pytest.raises(TooLargeError):
        Provenance((NEWER._replace(skipped=skipped),)).to_json()


def test_unknown_keys_at_the_top_are_ignored() -> None:
    data = json.dumps(document(another="key")).encode()
    assert Provenance.from_json(data) == Provenance((OLDER, NEWER))


@pytest.mark.parametrize(
    ("source", "error"), [(b"-" * 100_000 + b"1\n", "MemoryError"), (b"x" + b".x" * 150_000 + b"\n", "RecursionError")]
)
def test_sources_that_exhaust_memory_or_stack_are_not_recorded(
    source: bytes, error: str, interpreter: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unlike other errors of the compiler, whose messages are the same in every run; 3.14 names the used stack."""
    path = wheels.build(tmp_path, {"demo.py": source, "good.py": b""})
    content = path.read_bytes()
    options = ["--on-syntax-error", "skip", "-i", interpreter.path]
    assert main(["wheel", *options, str(path)]) == 2
    assert f"demo.py: {error}" in capsys.readouterr().err
    assert path.read_bytes() == content


def test_other_reasons_are_recorded(interpreter: Interpreter, tmp_path: Path) -> None:
    """Constant limits of the compiler are the same on every machine."""
    loops = b"".join(b" " * depth + b"for x in y:\n" for depth in range(30)) + b" " * 30 + b"pass\n"
    path = wheels.build(tmp_path, {"deep.py": loops, "good.py": b""})
    assert main(["wheel", "--quiet", "--on-syntax-error", "skip", "-i", interpreter.path, str(path)]) == 0
    found = Provenance.from_json(wheels.read(path)["demo-1.0.dist-info/detpyc.json"])
    (reason,) = found.bytecode[0].skipped.values()
    assert reason.startswith("SyntaxError: ")
    assert reason.endswith("too many statically nested blocks")
