"""Wheels: their names, their directories, and whether their RECORD is right."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest

import wheels
from detpyc.errors import WheelError
from detpyc.wheel.distribution import Wheel

if TYPE_CHECKING:
    from pathlib import Path

INFO = "demo-1.0.dist-info"


def opened(path: Path) -> Wheel:
    """Open a wheel and read all that is read of it before it is rewritten."""
    with path.open("rb") as stream:
        wheel = Wheel.open(path, stream)
        with wheel.rewriting():
            return wheel


@pytest.mark.parametrize(
    ("file_name", "directory"),
    [
        ("demo-1.0-py3-none-any.whl", "demo-1.0.dist-info"),
        ("demo-1.0-1build-py3-none-any.whl", "demo-1.0.dist-info"),
        ("demo-1!1.0+local.1-py3-none-any.whl", "demo-1!1.0+local.1.dist-info"),
        ("Demo_Pack.Age-1.0-py2.py3-none-any.whl", "Demo_Pack.Age-1.0.dist-info"),
        ("demo_pack_age-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "Demo.Pack_Age-1.0.dist-info"),
    ],
)
def test_names(tmp_path: Path, file_name: str, directory: str) -> None:
    project = directory.removesuffix(".dist-info")
    wheel = opened(wheels.write(tmp_path / file_name, wheels.complete(project=project)))
    assert wheel.dist_info == directory
    assert wheel.record_name == f"{directory}/RECORD"
    assert [*wheel.record] == [*wheel.archive.members]


@pytest.mark.parametrize(
    "file_name",
    ["demo.whl", "demo-1.0.whl", "demo-1.0-py3-none-any.zip", "demo-one-py3-none-any.whl", "-1.0-a-b-c.whl"],
)
def test_names_that_are_no_wheels(tmp_path: Path, file_name: str) -> None:
    path = wheels.write(tmp_path / file_name, wheels.complete())
    with pytest.raises(WheelError, match="its name is not a wheel's") as caught:
        opened(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (wheels.MODULES, "has no .dist-info directory"),
        (
            {**wheels.complete(), "other-1.dist-info/METADATA": b""},
            "has 2 .dist-info directories (demo-1.0.dist-info, o",
        ),
        (wheels.complete(project="other-1.0"), "has the directory other-1.0.dist-info, which is not demo 1.0's"),
    ],
)
def test_dist_info(tmp_path: Path, contents: dict[str, bytes], words: str) -> None:
    with pytest.raises(WheelError) as caught:
        opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents))
    assert words in str(caught.value)


def test_dist_info_further_down_is_no_second_one(tmp_path: Path) -> None:
    wheel = opened(wheels.build(tmp_path, {"vendor/other-1.0.dist-info/METADATA": b"", "vendor/x.py": b""}))
    assert wheel.dist_info == INFO
    assert wheel.importable["vendor/other-1.0.dist-info/METADATA"] == "vendor/other-1.0.dist-info/METADATA"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("demo.py", "demo.py"),
        ("demo/core.py", "demo/core.py"),
        (f"{INFO}/extra.py", None),
        ("demo-1.0.data/purelib/demo/core.py", "demo/core.py"),
        ("demo-1.0.data/platlib/core.py", "core.py"),
        ("demo-1.0.data/scripts/tool.py", None),
        ("demo-1.0.data/data/share/x.py", None),
        ("demo-1.0.data/headers/x.py", None),
        ("demo-1.0.data/purelib", None),
        ("demo.database/x.py", "demo.database/x.py"),
    ],
)
def test_importable_roots(tmp_path: Path, name: str, path: str | None) -> None:
    contents = {"first.py": b"", name: b""}
    wheel = opened(wheels.build(tmp_path, contents))
    assert {file: wheel.importable.get(file) for file in contents} == {"first.py": "first.py", name: path}


def test_importable_sources(tmp_path: Path) -> None:
    files = {"z.py": b"", "demo-1.0.data/purelib/a.py": b"", "demo-1.0.data/scripts/tool.py": b"", "data.txt": b""}
    found = opened(wheels.build(tmp_path, files)).importable_sources()
    assert list(found.items()) == [("z.py", "z.py"), ("demo-1.0.data/purelib/a.py", "a.py")]


def recorded(row: tuple[object, ...] | None = None, *, without: str = "", **more: bytes) -> dict[str, bytes]:
    """Complete a wheel whose RECORD has one more row, or lacks one."""
    contents = wheels.complete()
    lines = contents.pop(f"{INFO}/RECORD").splitlines(keepends=True)
    kept = [line for line in lines if not without or without.encode() not in line]
    extra = [] if row is None else [wheels.rows([row])]
    return {**contents, **more, f"{INFO}/RECORD": b"".join([*kept, *extra])}


CORE = wheels.MODULES["demo/core.py"]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (recorded(("gone.py", wheels.sha256(b""), 0)), "RECORD lists gone.py, which is not in the wheel"),
        ({**recorded(), "new.py": b""}, "RECORD does not list new.py"),
        (recorded(("demo/core.py", wheels.sha256(CORE), len(CORE))), "RECORD lists demo/core.py twice"),
        ({**recorded(), "demo/core.py": CORE.upper()}, "RECORD's line for demo/core.py has a wrong sha256 hash"),
        ({**recorded(), "demo/core.py": CORE * 2}, f"says {len(CORE)} bytes, and it has {2 * len(CORE)}"),
        ({**recorded(), f"{INFO}/RECORD": b"one,field\n"}, "RECORD is malformed: line 1 has 2 fields, not 3"),
        (recorded(without="/RECORD"), f"RECORD does not list {INFO}/RECORD"),
    ],
)
def test_record_that_does_not_hold(tmp_path: Path, contents: dict[str, bytes], words: str) -> None:
    with pytest.raises(WheelError) as caught:
        opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("", ""), "has no hash or no size"),
        ((wheels.sha256(CORE), ""), "has no hash or no size"),
        (("", len(CORE)), "has no hash or no size"),
        (
            ("md5=" + hashlib.md5(CORE, usedforsecurity=False).hexdigest(), len(CORE)),
            "has the hash 'md5'; PEP 427 requires sha256 or better",
        ),
        (("crc32=abc", len(CORE)), "has the hash 'crc32'; PEP 427 requires sha256 or better"),
    ],
)
def test_rows_that_prove_nothing(tmp_path: Path, fields: tuple[object, object], words: str) -> None:
    contents = recorded(("demo/core.py", *fields), without="core.py")
    with pytest.raises(WheelError) as caught:
        opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents))
    assert words in str(caught.value)


def test_every_problem_is_reported(tmp_path: Path) -> None:
    contents = {**recorded(("gone.py", wheels.sha256(b""), 0)), "new.py": b"", "demo/core.py": b""}
    with pytest.raises(WheelError) as caught:
        opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents))
    assert str(caught.value).count(";") == 2
    assert all(name in str(caught.value) for name in ("gone.py", "new.py", "core.py"))


@pytest.mark.parametrize("padding", ["", "="])
def test_padded_hashes_and_longer_ones_hold(tmp_path: Path, padding: str) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha512(CORE).digest()).decode().rstrip("=") + padding
    contents = recorded(("demo/core.py", f"sha512={digest}", len(CORE)), without="core.py")
    opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents))


def test_directories_need_no_row(tmp_path: Path) -> None:
    opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", {"demo/": b"", **wheels.complete()}))


@pytest.mark.parametrize("signature", ["RECORD.jws", "RECORD.p7s"])
@pytest.mark.parametrize("listed", [True, False])
def test_signed_wheel(tmp_path: Path, signature: str, listed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """PEP 427 has it that RECORD does not list the signatures, which are made after it."""
    row = (f"{INFO}/{signature}", wheels.sha256(b"{}"), 2) if listed else None
    contents = {**recorded(row), f"{INFO}/{signature}": b"{}"}
    with pytest.raises(WheelError, match=rf"carries the signature {signature}"):
        opened(wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents))


def test_damaged_member_is_named_with_its_file(tmp_path: Path) -> None:
    path = wheels.forge(wheels.build(tmp_path), "demo/core.py", crc=1)
    with pytest.raises(WheelError) as caught:
        opened(path)
    assert str(caught.value) == f"{path}: demo/core.py: its CRC-32 is wrong; the archive is damaged"
