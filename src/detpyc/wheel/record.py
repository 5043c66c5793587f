"""RECORD: the list of a wheel's files with their hashes and sizes.

PEP 427 and the "Recording installed projects" specification of packaging.python.org define the format: CSV, one row for
each file, the hash as ``name=urlsafe-base64-without-padding``.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detpyc.errors import WheelError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HASH_NAME", "RecordEntry", "encode_digest", "parse", "serialize"]

HASH_NAME = "sha256"

# What PEP 427 allows: sha256 or better. Whatever this Python can compute is compared; older ones prove nothing.
_TOO_WEAK = frozenset({"md5", "sha1", "sha224"})
_FIELDS = 3


@dataclass(frozen=True, slots=True)
class RecordEntry:
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
        if size and not (size.isascii() and size.isdecimal()):
            raise ValueError(f"has the malformed size {size!r}")
        return cls(path, hash_name, digest, int(size) if size else None)

    def to_row(self) -> tuple[str, str, str]:
        """Return the row's three fields."""
        hash_value = f"{self.hash_name}={self.digest}" if self.hash_name else ""
        return self.path, hash_value, "" if self.size is None else str(self.size)

    def hasher(self) -> hashlib._Hash:
        """Return a new hash object of the kind that the entry names.

        Raises:
            ValueError: if PEP 427 does not allow it or this Python does not know it.

        """
        if self.hash_name.lower() in _TOO_WEAK:
            raise ValueError(f"has a {self.hash_name} hash, and PEP 427 wants sha256 or better")
        try:
            hasher = hashlib.new(self.hash_name)
        except (TypeError, ValueError):  # the former if there is a NUL in it
            hasher = None
        if hasher is None or not hasher.digest_size:  # SHAKE's digests have any size, and so prove nothing
            raise ValueError(f"has a hash of the unknown kind {self.hash_name!r}")
        return hasher


def encode_digest(digest: bytes) -> str:
    """Return a digest as RECORD has it."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def parse(data: bytes) -> list[RecordEntry]:
    """Parse a RECORD.

    Raises:
        WheelError: if it is malformed; there is a problem for every line that is.

    """
    entries = []
    problems = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True), 1):
            try:
                entries.append(RecordEntry.from_row(row))
            except ValueError as error:
                problems.append(f"line {number} {error}")
    except UnicodeDecodeError as error:
        problems.append(f"it is not UTF-8 (at offset {error.start})")
    except csv.Error as error:
        problems.append(f"it is not CSV: {error}")
    if problems:
        raise WheelError(*(f"RECORD is malformed: {problem}" for problem in problems))
    return entries


def serialize(entries: Iterable[RecordEntry]) -> bytes:
    """Return a RECORD; its lines end in a newline on every system."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    # Before 3.13, csv does not quote a carriage return unless it ends the lines, and its reader would end a line there.
    quoting_writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for entry in entries:
        (quoting_writer if "\r" in entry.path else writer).writerow(entry.to_row())
    return stream.getvalue().encode("utf-8")
