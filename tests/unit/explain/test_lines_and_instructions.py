"""Line tables, instructions and exception tables, as each interpreter's own ``dis`` has them."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bounds import bounded
from detpyc.bytecode import code_objects
from detpyc.bytecode.nodes import content
from detpyc.bytecode.reader import read_payload
from detpyc.compilation import interpreters
from detpyc.explain.instructions import EXTENDED_ARG, Opcode, exception_entries, instructions, show_instruction
from detpyc.explain.lines import lines, positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.bytecode.nodes import Nodes
    from detpyc.compilation.interpreters import Interpreter

DISSECT = Path(__file__).with_name("dissect.py")

# Arguments above 255, lines far apart and going back, handlers, closures, attributes of every kind.
SOURCE = f"""
def many(x, y):
    {"".join(f"x.name_{number} = {number} + 0.5;" for number in range(300))}
    while x:
        {"".join(f"x.name_{number}({number}.25);" for number in range(200))}
    return [a
            for a in x if y(
                a)]
{300 * chr(10)}
class C(many, metaclass=type):
    def method(self, *args, key=None):
        def inner():
            nonlocal key
            key = super(C, self).attribute, super().other, __class__
            del key
            return args
        try:
            with open(key) as stream, stream:
                return inner(), -1, 10**40, b"bytes", "naïve"
        except (OSError, ValueError) as error:
            raise KeyError from error
        finally:
            print(  "end",
                    key)
    async def asynchronous(self):
        async for a in self: yield await a
import a.b, c as d
from e import f
global_name = lambda x=1, /: x if x else global_name
"""


@dataclass(frozen=True)
class Dissected:
    """A code object as our parser has it, and as the interpreter's ``dis`` has it."""

    version: tuple[int, int]
    nodes: Nodes
    code: bytes
    expected: dict[str, Any]

    def field(self, name: str) -> bytes:
        return content(code_objects.field(self.nodes, self.code, name))

    @property
    def line_table(self) -> tuple[bytes, int, tuple[int, int]]:
        name = "linetable" if self.version >= (3, 10) else "lnotab"
        return self.field(name), code_objects.integers(self.nodes, self.code)["firstlineno"], self.version


def walk(nodes: Nodes, code: bytes) -> Iterator[bytes]:
    yield code
    for constant in code_objects.constants(nodes, code):
        if code_objects.is_code(constant):
            yield from walk(nodes, constant)


@cache
def dissected(interpreter: Interpreter) -> list[Dissected]:
    command = [interpreter.path, "-I", "-S", "-B", str(DISSECT)]
    answer = json.loads(subprocess.run(command, input=SOURCE.encode(), capture_output=True, check=True).stdout)
    nodes = read_payload(b64decode(answer["payload"]), interpreter.version)
    codes = walk(nodes, nodes.sequence[0])
    return [
        Dissected(interpreter.version, nodes, code, expected)
        for code, expected in zip(codes, answer["codes"], strict=True)
    ]


@pytest.fixture
def codes(interpreter: Interpreter) -> list[Dissected]:
    found = dissected(interpreter)
    assert len(found) > 6
    return found


def test_lines(codes: list[Dissected]) -> None:
    for code in codes:
        size = len(code.field("code"))
        found = [[offset, line] for offset, line in lines(*code.line_table) if offset < size]
        assert found == code.expected["lines"]


def test_positions(codes: list[Dissected]) -> None:
    if codes[0].version < (3, 11):
        assert all(place.column is None for code in codes for _, place in positions(*code.line_table))
        return
    for code in codes:
        starts = dict(positions(*code.line_table))
        expected = {offset: position for offset, *position in code.expected["positions"]}
        assert {offset: list(place) for offset, place in starts.items()} == {at: expected[at] for at in starts}
        between = [at for at in expected if at not in starts]
        assert all(expected[at] == expected[at - 2] for at in between)


def test_instructions(interpreter: Interpreter, codes: list[Dissected]) -> None:
    opcodes = interpreters.opcodes(interpreter)
    largest = 0
    for code in codes:
        found = list(instructions(code.field("code"), opcodes))
        expected = code.expected["instructions"]
        assert b"".join(instruction.encoding for instruction in found) == code.field("code")
        assert [(opcodes[one.opcode].name, one.argument) for one in found] == [tuple(one[:2]) for one in expected]
        for one, (name, argument, referred) in zip(found, expected, strict=True):
            if referred is not None:
                assert show_instruction(one, opcodes, code.nodes, code.code) == f"{name} {argument} ({referred})"
            largest = max(largest, argument)
    assert largest > 255


def test_handlers(codes: list[Dissected]) -> None:
    found = []
    for code in codes:
        if code.version >= (3, 11):
            found.append([list(handler) for handler in exception_entries(code.field("exceptiontable"))])
        else:
            found.append([])
    assert found == [code.expected["handlers"] for code in codes]
    assert any(found) == (codes[0].version >= (3, 11))


MUCH = 1_500_000  # a number of as many digits would take for ever
NAMELESS: dict[int, Opcode] = {}
TABLE = {1: Opcode("LOAD_CONST", refers="constant"), 2: Opcode(EXTENDED_ARG), 3: Opcode("CALL", caches=2)}


def test_instructions_without_a_table_are_units() -> None:
    found = instructions(b"\x01\x02\x03\x04\x05", NAMELESS)
    assert [(one.offset, one.opcode, one.argument) for one in found] == [(0, 1, 2), (2, 3, 4), (4, 5, 0)]


@bounded()
@pytest.mark.parametrize("code", [b"\x02\x01", b"\x02\x01\x02", b"\x03\x00\x00", MUCH * b"\x02\xff"])
def test_instructions_cut_off(code: bytes) -> None:
    (found,) = instructions(code, TABLE)
    assert found.encoding == code


@bounded()
@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 11), (3, 15)])
@pytest.mark.parametrize("table", [b"", b"\xf0", b"\xf0\x40", b"\xe8" + MUCH * b"\x7f", bytes(range(256))])
def test_malformed_line_table_ends_early(version: tuple[int, int], table: bytes) -> None:
    assert len(list(positions(table, 1, version))) <= len(table) + 1


@bounded()
@pytest.mark.parametrize("table", [b"\x00", b"\x41\x42\x43", MUCH * b"\x7f"])
def test_malformed_exception_table_ends_early(table: bytes) -> None:
    assert list(exception_entries(table)) == []
