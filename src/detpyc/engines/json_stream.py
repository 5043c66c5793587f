"""Read JSON objects from a stream, with or without anything between them.

Older Bazels write requests one after another, newer ones end each with a newline. So where an object ends is found by
its braces: a line may never end.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, BinaryIO

from detpyc.errors import DetpycError
from detpyc.limits import MAX_REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_objects"]

_CHUNK = 1 << 16  # bytes
_MARK = re.compile(rb'[{}"]|\\.', re.DOTALL)


def read_objects(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream, each as soon as it is complete.

    Args:
        stream: with ``read1``, so that an object need not be followed by another one to be read.

    Raises:
        DetpycError: if something else is in the stream, an object is larger than `MAX_REQUEST`, or the stream ends in
            an object. Nothing after that can be read.

    """
    scanner = _Scanner()
    while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]  # of io.BufferedReader and io.BytesIO
        for content in scanner.feed(chunk):
            try:
                yield json.loads(content)
            except (ValueError, RecursionError) as error:
                raise DetpycError(f"the request is not valid JSON: {error}") from error
    if scanner.buffer:
        raise DetpycError("the stream of requests ends in the middle of a request")


class _Scanner:
    """Splits a stream into objects. What has been looked at is not looked at again.

    Attributes:
        buffer: the beginning of an object.

    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.position = 0  # up to which the buffer has been looked at
        self.depth = 0  # of braces
        self.in_string = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the objects that a chunk completes."""
        self.buffer += chunk
        while (end := self._find_end()) is not None:
            yield bytes(self.buffer[:end])
            del self.buffer[:end]
            self.position = 0
        if len(self.buffer) > MAX_REQUEST:
            raise DetpycError(f"the request has more than {MAX_REQUEST} bytes, and no more are read")

    def _find_end(self) -> int | None:
        """Return where the object at the start of the buffer ends; None if it does not yet."""
        if not self.depth:
            del self.buffer[: len(self.buffer) - len(self.buffer.lstrip())]
            if self.buffer and not self.buffer.startswith(b"{"):
                raise DetpycError("the request is not a JSON object")
        for match in _MARK.finditer(self.buffer, self.position):
            mark = match[0]
            self.position = match.end()
            if mark == b'"':
                self.in_string = not self.in_string
            elif not self.in_string and mark in {b"{", b"}"}:
                self.depth += 1 if mark == b"{" else -1
                if not self.depth:
                    return self.position
        if not self.buffer.endswith(b"\\"):  # otherwise the character that it escapes is still to come
            self.position = len(self.buffer)
        return None
