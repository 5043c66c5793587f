"""The two implementations of canonical form, called alike."""

from __future__ import annotations

import sys

import reference
from detpyc.bytecode.canonical import canonicalize
from detpyc.errors import BytecodeError

Outcome = bytes | tuple[str, int]  # the canonical form; or the kind of the refusal, and its offset


def fast(payload: bytes, version: tuple[int, int]) -> Outcome:
    """Convert a payload with detpyc."""
    try:
        return canonicalize(payload, version)
    except BytecodeError as error:
        return error.kind, error.offset


def plain(payload: bytes, version: tuple[int, int]) -> Outcome:
    """Convert a payload with the reference implementation."""
    limit = sys.getrecursionlimit()
    try:
        return reference.canonicalize(payload, version)
    except reference.Refusal as refusal:
        kind, offset = refusal.args
        return kind, offset
    finally:
        sys.setrecursionlimit(limit)  # the reference implementation raises it
