"""The limits on what is read from untrusted files: one table, which docs/security.md explains."""

from __future__ import annotations

MAX_FILE = 64 << 20  # bytes of a pyc or a source; the largest real ones have a few megabytes
MAX_MESSAGE = 1000  # characters of a reason or a problem; names and messages of the compiler can be as long as a file
MAX_PROBLEMS = 100  # of a wheel or a tree that are reported
MAX_DIRECTORIES = 1 << 18  # in a tree that is verified; a large container image has a tenth of that
MAX_PYCS = 1 << 19  # in a tree that is verified, likewise
