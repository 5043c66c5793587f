"""The limits on what is read from untrusted files: one table, which docs/security.md explains."""

from __future__ import annotations

MAX_FILE = 64 << 20  # bytes of a pyc or a source; the largest real ones have a few megabytes
