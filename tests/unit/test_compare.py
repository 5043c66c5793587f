"""The differences between pycs, wheels and trees, each reported as what it is."""

from __future__ import annotations

import json
import marshal
import os
import stat
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import payloads
import wheels
from bounds import bounded
from detpyc import files
from detpyc.bytecode.header import MAGIC_NUMBERS, InvalidationMode, PycHeader
from detpyc.cli import main
from detpyc.compare import ARCHIVE, CONTENT, MEMBER, compare_artifacts, compare_pycs
from detpyc.compilation import interpreters
from detpyc.errors import DetpycError
from detpyc.explain.difference import CODE, ENCODING, HEADER, PATH, Difference
from payloads import flagged, small_tuple, text

if TYPE_CHECKING:
    from pathlib import Path

HERE = interpreters.current()
NAME = "demo-1.0-py3-none-any.whl"


def header(magic_number: int = HERE.magic_number, **times: Any) -> bytes:
    if times:
        return PycHeader(magic_number, InvalidationMode.TIMESTAMP, **times).to_bytes()
    return PycHeader(magic_number, InvalidationMode.CHECKED_HASH, source_hash=b"8 bytes!").to_bytes()


def pyc(source: str = "x = 1000\n", path: str = "core.py") -> bytes:
    return header() + marshal.dumps(compile(source, path, "exec", dont_inherit=True))


# ---- pycs


def test_header() -> None:
    other = next(number for number in MAGIC_NUMBERS if number != HERE.magic_number)
    version = "{} (CPython {}.{})"
    assert compare_pycs(header() + b"N", header(other, mtime=5, source_size=7) + b"N") == [
        Difference(
            HEADER,
            "magic number",
            "",
            "",
            version.format(HERE.magic_number, *HERE.version),
            version.format(other, *MAGIC_NUMBERS[other]),
        ),
        Difference(HEADER, "invalidation mode", "", "", "checked-hash", "timestamp"),
        Difference(HEADER, "source hash", "", "", b"8 bytes!".hex(), "none"),
        Difference(HEADER, "mtime", "", "", "none", "5 (1970-01-01 00:00:05 UTC)"),
        Difference(HEADER, "source size", "", "", "none", "7"),
    ]


def test_kinds_are_distinguished() -> None:
    a = payloads.code(HERE.version, {"consts": small_tuple(flagged(text("a b")))})
    b = payloads.code(HERE.version, {"consts": small_tuple(text("a b"), b"N"), "filename": text("b.py")})
    found = compare_pycs(header() + a, header(mtime=1, source_size=1) + b)
    assert list(dict.fromkeys(difference.kind for difference in found)) == [HEADER, PATH, CODE, ENCODING]


def test_instructions_are_named_by_an_interpreter_of_that_version() -> None:
    (found,) = (
        difference for difference in compare_pycs(pyc("x - y"), pyc("x + y")) if difference.aspect == "instruction"
    )
    assert found.a.startswith("BINARY_")


def test_equal_pycs_need_not_be_readable(tmp_path: Path) -> None:
    for name in ("a.pyc", "b.pyc"):
        (tmp_path / name).write_bytes(b"nonsense")
    assert compare_artifacts(tmp_path / "a.pyc", tmp_path / "b.pyc").same


def test_unreadable_pyc(tmp_path: Path) -> None:
    (tmp_path / "a.pyc").write_bytes(pyc())
    (tmp_path / "b.pyc").write_bytes(pyc()[:-1])
    with pytest.raises(DetpycError, match=r"b\.pyc: .*\(at offset \d+\)"):
        compare_artifacts(tmp_path / "a.pyc", tmp_path / "b.pyc")
    assert main(["diff", str(tmp_path / "a.pyc"), str(tmp_path / "b.pyc")]) == 2


@pytest.mark.parametrize(
    ("a", "b"), [("a.pyc", "a.whl"), ("a.pyc", "tree"), ("a.txt", "a.txt"), ("a.pyc", "missing.pyc")]
)
def test_what_cannot_be_compared(tmp_path: Path, a: str, b: str) -> None:
    (tmp_path / "tree").mkdir()
    for name in ("a.pyc", "a.whl", "a.txt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        DetpycError, match=r"are not two pycs|no such file or directory|not a wheel, directory, archive"
    ):
        compare_artifacts(tmp_path / a, tmp_path / b)


# ---- trees


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    for name in "ab":
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "same.txt").write_bytes(b"same")
    return tmp_path / "a", tmp_path / "b"


def test_trees(trees: tuple[Path, Path]) -> None:
    a, b = trees
    (a / "sub/core.pyc").write_bytes(pyc())
    (b / "sub/core.pyc").write_bytes(pyc("x = 2000\n"))
    (a / "text.txt").write_bytes(b"one two")
    (b / "text.txt").write_bytes(b"one too")
    (a / "only.txt").touch()
    (b / "sub/only.txt").touch()

    comparison = compare_artifacts(a, b)

    assert (comparison.only_a, comparison.only_b) == (("only.txt",), ("sub/only.txt",))
    (found,) = comparison.changed["text.txt"]
    assert replace(found, diff=()) == Difference(CONTENT, "content", "", "from byte 5 on", "b'wo'", "b'oo'")
    assert found.diff[:4] == ("--- a/text.txt", "+++ b/text.txt", "@@ -1 +1 @@", "-one two")
    assert [difference.kind for difference in comparison.changed["sub/core.pyc"]] == [CODE]
    assert compare_artifacts(a, a).same


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (b"", b"x", ("from byte 0 on", "the end", "b'x'")),
        (b"x" * 3_000_000 + b"y", b"x" * 3_000_000, ("from byte 3000000 on", "b'y'", "the end")),
        (b"x" * 2_000_000 + b"y", b"x" * 2_000_000 + b"z", ("from byte 2000000 on", "b'y'", "b'z'")),
    ],
    ids=["empty", "longer", "far"],
)
def test_where_contents_differ(trees: tuple[Path, Path], a: bytes, b: bytes, expected: tuple[str, ...]) -> None:
    for tree, content in zip(trees, (a, b), strict=True):
        (tree / "data.bin").write_bytes(content)
    (found,) = compare_artifacts(*trees).changed["data.bin"]
    assert (found.what, found.a, found.b) == expected


def test_unreadable_pyc_in_a_tree(trees: tuple[Path, Path]) -> None:
    a, b = trees
    (a / "core.pyc").write_bytes(pyc())
    (b / "core.pyc").write_bytes(b"")
    (found,) = compare_artifacts(a, b).changed["core.pyc"]
    assert (found.aspect, found.a) == ("bytecode", "readable")
    assert found.b.startswith("not readable: ")


def test_large_pycs_are_compared_as_bytes(trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detpyc.compare.MAX_FILE", 10)
    monkeypatch.setattr(files, "MAX_FILE", 10)
    for tree, source in zip(trees, ("x = 1000\n", "x = 2000\n"), strict=True):
        (tree / "core.pyc").write_bytes(pyc(source))
    (found,) = compare_artifacts(*trees).changed["core.pyc"]
    assert found.aspect == "content"


def test_links_and_pipes(trees: tuple[Path, Path]) -> None:
    """They are distinguished, but not followed or read."""
    if sys.platform == "win32":
        pytest.skip("links and pipes are POSIX's")
    a, b = trees
    (a / "link").symlink_to("nowhere")
    (b / "link").symlink_to("elsewhere")
    (a / "same-link").symlink_to("nowhere")
    (b / "same-link").symlink_to("nowhere")
    for tree in trees:
        os.mkfifo(tree / "pipe")
    os.mkfifo(a / "one.pyc")
    (b / "one.pyc").write_bytes(pyc())
    with bounded():
        changed = compare_artifacts(a, b).changed
    assert {name: (found[0].a, found[0].b) for name, found in changed.items()} == {
        "link": ("a symbolic link to nowhere", "a symbolic link to elsewhere"),
        "one.pyc": ("neither a file nor a link", "a file"),
    }


# ---- wheels


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return wheels.build(tmp_path, {"core.py": b"x = 1\n" * 50, "core.pyc": pyc()})


def other(wheel: Path, **options: Any) -> Path:
    """Write the same members in another way."""
    path = wheel.parent / "other" / NAME
    path.parent.mkdir(exist_ok=True)
    return wheels.write(path, wheels.read(wheel), **options)


def test_same_wheel(wheel: Path) -> None:
    assert compare_artifacts(wheel, wheel).same
    assert compare_artifacts(wheel, other(wheel)).same
    assert main(["diff", str(wheel), str(other(wheel))]) == 0


def test_members(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    changed = wheels.build(tmp_path / "other", {"core.pyc": pyc("x = 2000\n"), "new.py": b""})
    comparison = compare_artifacts(wheel, changed)
    assert (comparison.only_a, comparison.only_b) == (("core.py",), ("new.py",))
    assert comparison.changed.keys() == {"core.pyc", "demo-1.0.dist-info/RECORD"}
    assert [difference.kind for difference in comparison.changed["core.pyc"]] == [CODE]


def dated(info: zipfile.ZipInfo) -> None:
    info.date_time = (2022, 1, 2, 3, 4, 6)


def executable(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFREG | 0o755) << 16


def stored(info: zipfile.ZipInfo) -> None:
    info.compress_type = zipfile.ZIP_STORED


def on_windows(info: zipfile.ZipInfo) -> None:
    info.create_system = 0


@pytest.mark.parametrize(
    ("adapt", "aspect", "a", "b"),
    [
        (dated, "date", "2021-04-05 06:07:08", "2022-01-02 03:04:06"),
        (executable, "mode", "-rw-rw-r--", "-rwxr-xr-x"),
        (stored, "compression", "deflated", "stored"),
        (on_windows, "system", "3", "0"),
    ],
)
def test_metadata_of_members(wheel: Path, adapt: object, aspect: str, a: str, b: str) -> None:
    changed = compare_artifacts(wheel, other(wheel, adapt=adapt)).changed
    assert set(changed) == set(wheels.read(wheel))
    assert {found for differences in changed.values() for found in differences} == {
        Difference(MEMBER, aspect, "", "", a, b)
    }


def test_order_of_members(wheel: Path) -> None:
    path = wheel.parent / "other" / NAME
    path.parent.mkdir()
    members = [*wheels.read(wheel).items()]
    wheels.write(path, [members[1], members[0], *members[2:]])
    changed = compare_artifacts(wheel, path).changed
    assert changed["core.py"] == (Difference(MEMBER, "place", "", "", "after nothing", "after core.pyc"),)


def test_compressed_otherwise(wheel: Path) -> None:
    path = wheel.parent / "other" / NAME
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in wheels.read(wheel).items():
            info = zipfile.ZipInfo(name, wheels.DATE)
            info.external_attr = 0o100664 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 1)
    found = {
        difference.aspect
        for differences in compare_artifacts(wheel, path).changed.values()
        for difference in differences
    }
    assert found == {"compressed data"}


def test_headers_of_the_archive(wheel: Path) -> None:
    """A difference in no member: here, a comment."""
    path = other(wheel)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"comment"
    ((name, (found,)),) = compare_artifacts(wheel, path).changed.items()
    assert (name, found.kind, found.aspect) == (str(wheel), ARCHIVE, "headers")


def test_json(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "--json", str(wheel), str(other(wheel, adapt=dated))]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["same"], document["only-a"], document["only-b"]) == (1, False, [], [])
    assert document["changed"]["core.py"] == [
        {
            "kind": "member",
            "aspect": "date",
            "where": "",
            "what": "",
            "a": "2021-04-05 06:07:08",
            "b": "2022-01-02 03:04:06",
            "total": 1,
            "diff": [],
        }
    ]


def test_text_files(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a unified diff, for people without control characters; of other files, the first byte that differs."""
    contents = wheels.read(wheel)
    name = "demo-1.0.dist-info/WHEEL"
    contents |= {name: contents[name].replace(b"tests", b"\x1b[31m"), "core.py": b"\0"}
    path = wheels.write(wheel.with_name(NAME.replace("py3", "py2")), contents)
    assert main(["diff", str(wheel), str(path)]) == 1
    output = capsys.readouterr().out
    assert (
        f"{name}\n    content:\n        --- a/{name}\n        +++ b/{name}\n        @@ -1,4 +1,4 @@\n"
        "         Wheel-Version: 1.0\n        -Generator: tests\n        +Generator: \\x1b[31m\n"
    ) in output
    assert "core.py\n    content: content from byte 0 on: b'x = 1" in output

    assert main(["diff", "--json", str(wheel), str(path)]) == 1
    changed = json.loads(capsys.readouterr().out)["changed"]
    assert changed[name][0]["diff"][4:6] == ["-Generator: tests", "+Generator: \x1b[31m"]
    assert changed["core.py"][0]["diff"] == []


def test_large_text_files_are_compared_as_bytes(trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detpyc.compare.MAX_TEXT", 2)
    for tree, character in zip(trees, "ab", strict=True):
        (tree / "short.txt").write_text(character, encoding="utf-8")
        (tree / "long.txt").write_text(3 * character, encoding="utf-8")
    changed = compare_artifacts(*trees).changed
    assert {name: bool(found.diff) for name, (found,) in changed.items()} == {"long.txt": False, "short.txt": True}


def test_for_people(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["diff", str(wheel), str(other(wheel, adapt=dated))])
    assert "core.py\n    member: date: 2021-04-05 06:07:08 against 2022-01-02 03:04:06\n" in capsys.readouterr().out
