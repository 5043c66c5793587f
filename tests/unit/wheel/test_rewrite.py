"""Wheels, rewritten."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from installer.sources import WheelFile

import wheels
from detpyc.wheel.archive import Archive
from detpyc.wheel.distribution import Wheel
from detpyc.wheel.rewrite import rewrite
from detpyc.wheel.writing import NewMember

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

INFO = "demo-1.0.dist-info"
NAME = "demo-1.0-py3-none-any.whl"


def rewritten(
    path: Path,
    new: dict[str, bytes] | None = None,
    *,
    replaced: dict[str, bytes] | None = None,
    dropped: Collection[str] = (),
    among_new: Collection[str] = (),
    validate: bool = True,
) -> Path:
    """Rewrite a wheel into a directory beside it."""
    target = path.parent / "rewritten" / path.name
    target.parent.mkdir(exist_ok=True)
    with path.open("rb") as stream, target.open("wb") as output:
        wheel = Wheel.open(path, stream)
        with wheel.rewriting():
            members = wheel.archive.members
        like = members[wheel.record_name]
        rewrite(
            wheel,
            output,
            new=[NewMember.make(name, content, like) for name, content in (new or {}).items()],
            replaced={name: NewMember.replacing(members[name], content) for name, content in (replaced or {}).items()},
            dropped=dropped,
            among_new=among_new,
        )
    if validate:
        with WheelFile.open(target) as wheel_file:
            wheel_file.validate_record(validate_contents=True)
    return target


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


@pytest.fixture
def shuffled(tmp_path: Path) -> Path:
    """A wheel whose members are in no order, RECORD among them."""
    contents = wheels.complete({"z.py": b"", "pkg/": b"", "pkg/b.py": b"b = 1\n", "pkg/a.py": b"a = 1\n"})
    order = [f"{INFO}/WHEEL", "z.py", f"{INFO}/RECORD", "pkg/", "pkg/b.py", f"{INFO}/METADATA", "pkg/a.py"]
    record = wheels.record({name: contents[name] for name in order if name != f"{INFO}/RECORD"}, f"{INFO}/RECORD")
    record = b"".join(line for line in record.splitlines(keepends=True) if not line.startswith(b"pkg/,"))
    return wheels.write(tmp_path / NAME, {name: contents[name] for name in order} | {f"{INFO}/RECORD": record})


def test_order(shuffled: Path) -> None:
    new = {"z2.py": b"", f"{INFO}/x.json": b"{}", "pkg/0.py": b"", "\xe9.py": b""}
    assert names(rewritten(shuffled, new)) == [
        *("z.py", "pkg/", "pkg/b.py", "pkg/a.py"),
        *("pkg/0.py", "z2.py", "\xe9.py"),
        *(f"{INFO}/WHEEL", f"{INFO}/METADATA", f"{INFO}/x.json", f"{INFO}/RECORD"),
    ]


def test_late_members_stand_among_the_new_ones(shuffled: Path) -> None:
    found = names(rewritten(shuffled, {"pkg/0.py": b"", "zz.py": b""}, among_new=["z.py"]))
    assert found[:6] == ["pkg/", "pkg/b.py", "pkg/a.py", "pkg/0.py", "z.py", "zz.py"]


def test_new_member_takes_the_place_of_an_old_one_but_not_its_position(shuffled: Path) -> None:
    target = rewritten(shuffled, {"pkg/b.py": b"new = 1\n"})
    assert names(target)[:4] == ["z.py", "pkg/", "pkg/a.py", "pkg/b.py"]
    assert wheels.read(target)["pkg/b.py"] == b"new = 1\n"


def test_replaced_member_keeps_its_position(shuffled: Path) -> None:
    target = rewritten(shuffled, replaced={"pkg/b.py": b"new = 1\n"})
    assert names(target)[:4] == ["z.py", "pkg/", "pkg/b.py", "pkg/a.py"]
    assert wheels.read(target)["pkg/b.py"] == b"new = 1\n"


def test_dropped_members_are_gone_from_record(shuffled: Path) -> None:
    target = rewritten(shuffled, dropped=["pkg/b.py"])
    assert "pkg/b.py" not in names(target)
    assert b"pkg/b.py" not in wheels.read(target)[f"{INFO}/RECORD"]


def test_record_is_in_the_order_of_the_archive(shuffled: Path) -> None:
    target = rewritten(shuffled, {"a,b.py": b"", 'q"q.py': b"", "日本.py": b""})
    record = wheels.read(target)[f"{INFO}/RECORD"]
    assert b"\r" not in record
    assert record.endswith(f"\n{INFO}/RECORD,,\n".encode())
    table = list(csv.reader(io.StringIO(record.decode())))
    assert [path for path, _, _ in table] == [name for name in names(target) if not name.endswith("/")]


def test_what_was_there_is_copied_as_it_is(tmp_path: Path) -> None:
    def vary(info: zipfile.ZipInfo) -> None:
        """Compress as we would not, and set what we would not set."""
        info.compress_type = zipfile.ZIP_STORED if info.filename.endswith("a.py") else zipfile.ZIP_DEFLATED
        setattr(info, "compress_level" if sys.version_info >= (3, 13) else "_compresslevel", 1)
        info.date_time = (1999, 1, 2, 3, 4, 6)
        info.external_attr = 0o100755 << 16

    content = b"".join(b"value_%d = %d\n" % (number, number * number) for number in range(1000))
    path = wheels.write(
        tmp_path / NAME, wheels.complete({"a.py": content, "b.py": content, "\xe9.py": content}), adapt=vary
    )
    target = rewritten(path, {"c.py": content})
    with path.open("rb") as before, target.open("rb") as after:
        old, new = Archive(before), Archive(after)
        for name, member in old.members.items():
            if name != f"{INFO}/RECORD":
                assert new.members[name] == member
                assert b"".join(new.raw_chunks(name)) == b"".join(old.raw_chunks(name))
        assert b"".join(new.raw_chunks("c.py")) != b"".join(old.raw_chunks("b.py"))
        added = new.members["c.py"]
    assert (added.date_time, added.external_attributes) == ((1999, 1, 2, 3, 4, 6), 0o100644 << 16)


def test_rewriting_twice_is_rewriting_once(shuffled: Path) -> None:
    once = rewritten(shuffled, {"pkg/0.py": b"0", f"{INFO}/x.json": b"{}"}, among_new=["pkg/a.py"])
    twice = rewritten(once, {f"{INFO}/x.json": b"{}", "pkg/0.py": b"0"}, among_new=["pkg/a.py"])
    assert twice.read_bytes() == once.read_bytes()


def test_more_files_than_the_old_format_counts(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {f"data/{number}": b"" for number in range(65_534)})
    target = rewritten(path, {"a.py": b""}, validate=False)  # others take long for so many
    assert len(names(target)) == 65_534 + 4
    with target.open("rb") as stream:
        assert not Wheel.open(target, stream).check()
