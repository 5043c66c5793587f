"""The limits on what is read from untrusted files: one table, which docs/security.md explains.

The limits of payloads are in `detpyc.bytecode` and `detpyc.explain`, because the worker does not load this module:

- ``marshal_format.MAX_DEPTH``: 2,000 levels, as in CPython; a payload that nests deeper is malformed.
- ``marshal_format.MAX_OBJECTS``: 524,288 objects and references; a payload that has more is malformed.
- ``canonical._MAX_SETS``: 16 MiB of elements of sets, references written in full; likewise.
- ``payloads.MAX_OBJECTS``: 131,072 objects; larger payloads are compared as a whole, by their canonical form.
- ``payloads.MAX_STEPS``: 2,097,152 bytes of tables decoded and items compared; the rest is compared as bytes.
- ``payloads.MAX_OF_ASPECT``: 1,000 differences of each aspect are reported.
"""

from __future__ import annotations

MAX_FILE = 64 << 20  # bytes of a pyc or a source; the largest real ones have a few megabytes
