"""RECORD: the list of a wheel's files with their hashes and sizes.

PEP 427 and the "Recording installed projects" specification of packaging.python.org define the format: CSV, one row for
each file, the hash as ``name=urlsafe-base64-without-padding``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from typing import TYPE_CHECKING, NamedTuple

from detpyc.errors import WheelError
from detpyc.limits import MAX_ROWS
from detpyc.wheel.problems import Rule, limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["HASH_NAME", "RecordEntry", "encode_digest", "parse", "serialize"]

HASH_NAME = "sha256"

# PEP 427 requires sha256 or better. OpenSSL knows many more by several names each, and weak ones among them.
_STRONG = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s"})
_FIELDS = 3
_MAX_DIGITS = 20  # of a size; 64 bits have as many


class RecordEntry(NamedTuple):
    """A row of RECORD.

    Attributes:
        path: of the file in the archive.
        hash_name: e.g. ``sha256``; empty in the row of RECORD itself.
        digest: urlsafe base64 without padding; empty in the row of RECORD itself.
        size: in bytes; None if the row does not have it.

    """

    path: str
    hash_name: str = ""
    digest: str = ""
    size: int | None = None

    @classmethod
    def of(cls, path: str, sha256: bytes, size: int) -> RecordEntry:
        """Return the entry of a file, given its digest."""
        return cls(path, HASH_NAME, encode_digest(sha256), size)

    @classmethod
    def from_row(cls, row: list[str]) -> RecordEntry:
        """Parse one row.

        Raises:
            ValueError: if it is malformed; the message completes a sentence that starts with its line.

        """
        if len(row) != _FIELDS:
            raise ValueError(f"has {len(row)} fields, not {_FIELDS}")
        path, hash_value, size = row
        if not path:
            raise ValueError("names no file")
        hash_name, separator, digest = hash_value.partition("=")
        if hash_value and not (separator and hash_name and digest):
            raise ValueError(f"has the malformed hash {hash_value!r}")
        if size and not (size.isascii() and size.isdecimal() and len(size) <= _MAX_DIGITS):
            raise ValueError(f"has the malformed size {size!r}")
        return cls(path, hash_name, digest, int(size) if size else None)

    def to_row(self) -> tuple[str, str, str]:
        """Return the row's three fields."""
        hash_value = f"{self.hash_name}={self.digest}" if self.hash_name else ""
        return self.path, hash_value, "" if self.size is None else str(self.size)

    def hasher(self) -> hashlib._Hash:
        """Return a new hash object of the kind that the entry names.

        Raises:
            ValueError: if it is not one that proves anything.

        """
        if self.hash_name not in _STRONG:
            names = ", ".join(sorted(_STRONG))
            raise ValueError(f"has the hash {self.hash_name!r}; PEP 427 requires sha256 or better, which are {names}")
        return hashlib.new(self.hash_name)


def encode_digest(digest: bytes) -> str:
    """Return a digest as RECORD has it."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def parse(data: bytes) -> list[RecordEntry]:
    """Parse a RECORD.

    Raises:
        WheelError: if it is malformed; there is a problem for every line that is, up to a limit.

    """
    entries: list[RecordEntry] = []
    problems = limited((f"RECORD is malformed: {problem}" for problem in _parse(data, entries)), Rule.RECORD)
    if problems:
        raise WheelError(*problems)
    return entries


def _parse(data: bytes, entries: list[RecordEntry]) -> Iterator[str]:
    """Parse a RECORD into entries; yield what is wrong with it."""
    try:
        for number, row in enumerate(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True), 1):
            if number > MAX_ROWS:
                yield f"it has more than {MAX_ROWS} rows"
                return
            try:
                entries.append(RecordEntry.from_row(row))
            except ValueError as error:
                yield f"line {number} {error}"
    except UnicodeDecodeError as error:
        yield f"it is not UTF-8 (at offset {error.start})"
    except csv.Error as error:
        yield f"it is not CSV: {error}"


def serialize(entries: Iterable[RecordEntry]) -> bytes:
    """Return a RECORD; its lines end in a newline on every system."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    # Before 3.13, csv does not quote a carriage return unless it ends the lines, and its reader would end a line there.
    quoting_writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for entry in entries:
        (quoting_writer if "\r" in entry.path else writer).writerow(entry.to_row())
    return stream.getvalue().encode("utf-8")
