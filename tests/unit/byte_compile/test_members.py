"""The members of a byte-compiled wheel: what is added, kept and dropped."""

from __future__ import annotations

import json

import pytest

from detpyc.byte_compile.contents import Contents, EarlierBytecode
from detpyc.byte_compile.members import ChosenMembers, choose_members
from detpyc.byte_compile.modules import CompiledModules
from detpyc.compilation.interpreters import Interpreter
from detpyc.errors import WheelError
from detpyc.provenance import Bytecode
from detpyc.reproducible import inflate
from detpyc.settings import Settings
from detpyc.wheel.writing import Packed
from detpyc.wheel.zip_format import STORED, Member

INFO = "demo-1.0.dist-info"
WHEEL = b"Wheel-Version: 1.0\nTag: py3-none-any\n"
OLD, NEW = (2001, 2, 3, 4, 5, 6), (2011, 12, 13, 14, 15, 16)
CP312 = Interpreter("/python3.12", "cpython", "3.12.1", "cpython-312", 3531)
CP313 = Interpreter("/python3.13", "cpython", "3.13.0", "cpython-313", 3571)
EARLIER = Bytecode("3.12.1", "cpython-312", 3531, 0, "checked-hash", skipped={"odd.py": "odd"})


def contents(*names: str, earlier: tuple[EarlierBytecode, ...] = (), wheel_file: bytes | None = WHEEL) -> Contents:
    names = (*names, f"{INFO}/WHEEL", f"{INFO}/RECORD")
    return Contents(
        {name: Member(name, STORED, 0, 0, 0, OLD if name.startswith(INFO) else NEW) for name in names},
        INFO,
        tuple(name for name in names if name.endswith(".py")),
        (),
        frozenset(name for name in names if name.endswith(".pyc")),
        earlier,
        wheel_file,
    )


def compiled(interpreter: Interpreter, **pycs: list[bytes]) -> CompiledModules:
    packed = {f"{name}.py": [Packed.of(pyc) for pyc in levels] for name, levels in pycs.items()}
    return CompiledModules(interpreter, packed, {"bad.py": "SyntaxError"})


def added(chosen: ChosenMembers) -> dict[str, bytes]:
    return {new.member.name: inflate(new.compressed) for new in chosen.new}


def recorded(chosen: ChosenMembers) -> list[tuple[str, int, dict[str, str]]]:
    document = json.loads(added(chosen)[f"{INFO}/detpyc.json"])
    return [(bytecode["release"], bytecode["optimize"], bytecode["skipped"]) for bytecode in document["bytecode"]]


def test_pycs_and_provenance_are_added() -> None:
    results = [compiled(CP312, a=[b"0", b"2"]), compiled(CP313, a=[b"3", b"4"])]
    chosen = choose_members(contents("a.py", "bad.py"), results, Settings(optimize=(0, 2)), "py3-none-any")
    provenance = f"{INFO}/detpyc.json"
    assert added(chosen) | {provenance: b""} == {
        "__pycache__/a.cpython-312.pyc": b"0",
        "__pycache__/a.cpython-312.opt-2.pyc": b"2",
        "__pycache__/a.cpython-313.pyc": b"3",
        "__pycache__/a.cpython-313.opt-2.pyc": b"4",
        provenance: b"",
    }
    assert {new.member.date_time for new in chosen.new if new.member.name != provenance} == {NEW}
    assert (chosen.replaced, chosen.kept, chosen.dropped) == ({}, frozenset(), {})
    assert (chosen.modules, chosen.pycs, chosen.skipped) == (1, 4, {"bad.py": "CPython 3.13.0: SyntaxError"})
    assert [(release, level) for release, level, _ in recorded(chosen)] == [
        (release, level) for release in ("3.12.1", "3.13.0") for level in (0, 2)
    ]


def test_stray_pycs_are_dropped() -> None:
    before = contents("a.py", "__pycache__/a.cpython-312.pyc", "__pycache__/b.cpython-27.pyc")
    chosen = choose_members(before, [compiled(CP312, a=[b"0"])], Settings(), "py3-none-any")
    assert chosen.dropped.keys() == chosen.foreign == {"__pycache__/b.cpython-27.pyc"}
    assert chosen.dropped["__pycache__/b.cpython-27.pyc"] == "no earlier run has recorded it"
    assert added(chosen)["__pycache__/a.cpython-312.pyc"] == b"0"


def test_pycs_of_earlier_runs_stay_if_they_match() -> None:
    names = ["a.py", "b.py", "__pycache__/a.cpython-312.pyc", "__pycache__/b.cpython-312.pyc"]
    earlier = EarlierBytecode(EARLIER, matching=("a.py",), stale=("b.py",))
    chosen = choose_members(contents(*names, earlier=(earlier,)), [compiled(CP313, a=[b"3"])], Settings(), "x-y-z")
    assert chosen.kept == {"__pycache__/a.cpython-312.pyc"}
    assert chosen.dropped == {"__pycache__/b.cpython-312.pyc": "stale, as its source has changed"}
    stale = "its bytecode did not match it any more and was dropped"
    assert recorded(chosen) == [
        ("3.12.1", 0, {"odd.py": "odd", "b.py": stale}),
        ("3.13.0", 0, {"bad.py": "SyntaxError"}),
    ]


def test_earlier_run_of_which_nothing_stays_is_not_recorded() -> None:
    earlier = EarlierBytecode(EARLIER, stale=("a.py",))
    before = contents("a.py", "__pycache__/a.cpython-312.pyc", earlier=(earlier,))
    chosen = choose_members(before, [compiled(CP313, a=[b"3"])], Settings(), "py3-none-any")
    assert [release for release, _, _ in recorded(chosen)] == ["3.13.0"]
    assert chosen.foreign == {"__pycache__/a.cpython-312.pyc"}


@pytest.mark.parametrize(
    ("matching", "missing", "expected"),
    [
        (("a.py",), (), ["3.10", "3.8.1"]),  # of the earlier run, whose pycs stay
        ((), (), []),
        (("a.py",), ("3.9", "3.10"), ["3.10", "3.8.1", "3.9"]),
        ((), ("3.9", "3.13.0", "3.12"), ["3.12", "3.9"]),  # 3.13.0 has been added
    ],
)
def test_what_is_still_missing(matching: tuple[str, ...], missing: tuple[str, ...], expected: list[str]) -> None:
    before = contents("a.py", "__pycache__/a.cpython-312.pyc", earlier=(EarlierBytecode(EARLIER, matching),))
    before = before._replace(missing=("3.8.1", "3.10", "3.13"))
    chosen = choose_members(before, [compiled(CP313, a=[b"3"])], Settings(), "py3-none-any", missing=missing)
    assert json.loads(added(chosen)[f"{INFO}/detpyc.json"]).get("missing", []) == expected


def test_what_this_run_replaces_is_not_foreign() -> None:
    before = contents("a.py", "__pycache__/a.cpython-312.pyc", earlier=(EarlierBytecode(EARLIER),))
    chosen = choose_members(before, [compiled(CP312)], Settings(), "py3-none-any")
    reason = "these settings do not make it again"
    assert (chosen.dropped, chosen.foreign) == ({"__pycache__/a.cpython-312.pyc": reason}, frozenset())


def test_sourceless() -> None:
    chosen = choose_members(
        contents("a.py", "bad.py"), [compiled(CP312, a=[b"0"])], Settings(layout="sourceless"), "cp312-none-any"
    )
    assert added(chosen)["a.pyc"] == b"0"
    assert chosen.dropped == {"a.py": "the layout is sourceless"}
    (name,) = chosen.replaced
    assert (name, chosen.replaced[name].member.date_time) == (f"{INFO}/WHEEL", OLD)
    assert chosen.replaced[name].compressed == WHEEL.replace(b"py3-none-any", b"cp312-none-any")


def test_sourceless_wheel_that_has_the_tag_already() -> None:
    chosen = choose_members(contents(), [compiled(CP312)], Settings(layout="sourceless"), "py3-none-any")
    assert chosen.replaced == {}


def test_sourceless_without_wheel_file() -> None:
    with pytest.raises(WheelError, match=rf"^has no {INFO}/WHEEL$"):
        choose_members(contents(wheel_file=None), [compiled(CP312)], Settings(layout="sourceless"), "cp312-none-any")


@pytest.mark.parametrize("names", [(), (f"{INFO}/detpyc.json",)])
def test_no_provenance(names: tuple[str, ...]) -> None:
    chosen = choose_members(
        contents("a.py", *names), [compiled(CP312, a=[b"0"])], Settings(provenance=False), "py3-none-any"
    )
    assert added(chosen) == {"__pycache__/a.cpython-312.pyc": b"0"}
    assert chosen.dropped == dict.fromkeys(names, "provenance is disabled")


def test_no_provenance_of_earlier_runs() -> None:
    before = contents("a.py", "__pycache__/a.cpython-312.pyc", earlier=(EarlierBytecode(EARLIER),))
    chosen = choose_members(before, [compiled(CP313, a=[b"3"])], Settings(provenance=False), "py3-none-any")
    assert chosen.dropped == {"__pycache__/a.cpython-312.pyc": "provenance is disabled"}


def test_entries_of_cache_directories_are_dropped() -> None:
    """Those of other directories stay."""
    chosen = choose_members(
        contents("a.py", "__pycache__/", "b/__pycache__/", "b/", "x__pycache__/"),
        [compiled(CP312)],
        Settings(),
        "x-y-z",
    )
    reason = "installers create directories for files"
    assert chosen.dropped == {"__pycache__/": reason, "b/__pycache__/": reason}
