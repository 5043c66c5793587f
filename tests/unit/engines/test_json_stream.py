from __future__ import annotations

import io
import json
from typing import Any

import pytest

from detpyc.engines import json_stream
from detpyc.engines.json_stream import read_objects
from detpyc.errors import DetpycError

OBJECTS: list[dict[str, Any]] = [
    {},
    {"requestId": 1, "arguments": ["--src", 'a "quoted" {brace}.py', "back\\slash"]},
    {"inputs": [{"path": "größe.py", "digest": "{"}, {}], "nested": {"nested": {"x": "}"}}},
    {"ends": "\\"},
]


class Chunks(io.BytesIO):
    """A stream that returns so many bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size

    def read1(self, _: int | None = -1, /) -> bytes:
        return self.read(self.size)


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 16])
@pytest.mark.parametrize("between", ["", "\n", " \r\n\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_objects(size: int, between: str, *, ascii_only: bool) -> None:
    content = between.join(json.dumps(item, ensure_ascii=ascii_only) for item in OBJECTS) + between
    assert [*read_objects(Chunks(content.encode(), size))] == OBJECTS


def test_object_is_yielded_before_the_next_one_arrives() -> None:
    stream = Chunks(b'{"a": 1}{"b"', 8)
    assert next(read_objects(stream)) == {"a": 1}
    assert stream.tell() == 8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "is not a JSON object"),
        (b"\x08\x01\x10", "is not a JSON object"),  # the other protocol
        (b"{]}", "is not valid JSON"),
        (b'{"a": \xff}', "is not valid JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"}", "is not valid JSON"),
        (b'{"a": 1', "ends in the middle"),
        (b'{"a": "}', "ends in the middle"),
    ],
)
def test_anything_else_is_refused(content: bytes, message: str) -> None:
    objects = read_objects(io.BytesIO(b'{"first": 1}' + content))
    assert next(objects) == {"first": 1}
    with pytest.raises(DetpycError, match=message):
        next(objects)


def test_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_REQUEST", 100)
    with pytest.raises(DetpycError, match="more than 100 bytes"):
        [*read_objects(io.BytesIO(b'{"a": "' + b"x" * 200))]
