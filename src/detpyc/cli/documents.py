"""The documents that ``--json`` prints, as types.

The commands import this module for the type checker only, which compares what they write with these types. The JSON
Schemas are made from the types, and from what docs/json.md says of each key: see docs/development.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypedDict

from detpyc import compare
from detpyc.bytecode.header import InvalidationMode
from detpyc.explain import difference
from detpyc.verify.reports import Status
from detpyc.wheel.problems import Rule

# The values of a string are the second argument.
StatusName = Annotated[str, tuple(status.value for status in Status)]
RuleName = Annotated[str, tuple(rule.value for rule in Rule)]
Kind = Annotated[
    str,
    (
        difference.HEADER,
        difference.PATH,
        difference.CODE,
        difference.ENCODING,
        compare.MEMBER,
        compare.CONTENT,
        compare.ARCHIVE,
    ),
]
Mode = Annotated[str, (InvalidationMode.CHECKED_HASH, InvalidationMode.UNCHECKED_HASH, InvalidationMode.TIMESTAMP)]

PathError = TypedDict("PathError", {"path": str, "error": str})

WheelInterpreter = TypedDict(
    "WheelInterpreter",
    {
        "release": str,
        "cache-tag": str,
        "magic-number": int,
        "path": str,
    },
)
WheelEntry = TypedDict(
    "WheelEntry",
    {
        "wheel": str,
        "output": str,
        "changed": bool,
        "renamed-from": str | None,
        "interpreters": Sequence[WheelInterpreter],
        "modules": int,
        "pycs": int,
        "kept": int,
        "dropped": Sequence[str],
        "skipped": Mapping[str, str],
        "bytes-added": int,
        "loaded-by": Sequence[str],
        "never-loaded": Mapping[str, str],
        "missing": Sequence[str],
        "changes": Mapping[str, str],
    },
)
WheelError = TypedDict("WheelError", {"wheel": str, "error": str})
WheelDocument = TypedDict("WheelDocument", {"wheels": Sequence[WheelEntry | WheelError]})

VerifyPyc = TypedDict(
    "VerifyPyc",
    {
        "pyc": str,
        "status": StatusName,
        "reasons": Sequence[str],
        "source": str | None,
        "release": str | None,
        "layer": str | None,
        "loads": bool,
        "ignored-because": str | None,
    },
)
VerifyEntry = TypedDict(
    "VerifyEntry",
    {
        "path": str,
        "holds": bool,
        "counts": Mapping[StatusName, int],
        "problems": Sequence[str],
        "problem-rules": Sequence[RuleName],
        "loaded-by": Sequence[str],
        "never-loaded": Mapping[str, str],
        "unmet": Mapping[str, Sequence[str]],
        "pycs": Sequence[VerifyPyc],
    },
)
VerifyDocument = TypedDict("VerifyDocument", {"reports": Sequence[VerifyEntry | PathError]})

CompileEntry = TypedDict(
    "CompileEntry",
    {
        "path": str,
        "sources": int,
        "written": Sequence[str],
        "current": int,
        "skipped": Mapping[str, str],
        "removed": Sequence[str],
        "records": Sequence[str],
        "failed": Mapping[str, str],
        "changed": bool,
    },
)
CompileDocument = TypedDict(
    "CompileDocument",
    {
        "reports": Sequence[CompileEntry | PathError],
        "missing": Sequence[str],
    },
)

StripEntry = TypedDict(
    "StripEntry",
    {
        "path": str,
        "changed": bool,
        "pycs": Sequence[str],
        "left": Mapping[str, str],
        "updated": Sequence[str],
        "failed": Mapping[str, str],
    },
)
StripDocument = TypedDict("StripDocument", {"reports": Sequence[StripEntry | PathError]})

NormalizeEntry = TypedDict(
    "NormalizeEntry",
    {
        "path": str,
        "pycs": int,
        "changed": Sequence[str],
        "unsupported": Mapping[str, str],
        "malformed": Mapping[str, str],
        "kept-timestamps": Mapping[str, str],
    },
)
NormalizeDocument = TypedDict("NormalizeDocument", {"reports": Sequence[NormalizeEntry | PathError]})

CanonicalizeDocument = TypedDict(
    "CanonicalizeDocument",
    {
        "size": int,
        "canonical-size": int,
        "canonical": bool,
        "payload": str,
    },
)

DifferenceObject = TypedDict(
    "DifferenceObject",
    {
        "kind": Kind,
        "aspect": str,
        "where": str,
        "what": str,
        "a": str,
        "b": str,
        "total": int,
        "diff": Sequence[str],
    },
)
Differences = TypedDict(
    "Differences",
    {
        "only-a": Sequence[str],
        "only-b": Sequence[str],
        "changed": Mapping[str, Sequence[DifferenceObject]],
    },
)


class DiffDocument(Differences):
    """The document of ``detpyc diff``."""

    same: bool


HeaderStart = TypedDict(
    "HeaderStart",
    {
        "magic-number": int,
        "version": str,
        "invalidation-mode": Mode,
    },
)
HashHeader = TypedDict(
    "HashHeader",
    {
        "magic-number": int,
        "version": str,
        "invalidation-mode": Mode,
        "source-hash": str,
    },
)
TimestampHeader = TypedDict(
    "TimestampHeader",
    {
        "magic-number": int,
        "version": str,
        "invalidation-mode": Mode,
        "mtime": int,
        "source-size": int,
    },
)
InspectCode = TypedDict(
    "InspectCode",
    {
        "name": str,
        "depth": int,
        "path": str,
        "integers": Mapping[str, int],
        "flags": str,
        "size": int,
        "names": Mapping[str, Sequence[str]],
        "constants": Sequence[str],
    },
)
InspectDocument = TypedDict(
    "InspectDocument",
    {
        "header": HashHeader | TimestampHeader,
        "size": int,
        "canonical-size": int,
        "canonical": bool,
        "differences": Sequence[DifferenceObject],
        "codes": Sequence[InspectCode],
    },
)

Rebuild = TypedDict(
    "Rebuild",
    {
        "original": str,
        "name": str,
        "same": bool,
        "built-by": str,
        "constraints": Sequence[str],
        "dated": bool,
    },
)


class ReproduceDocument(Rebuild, Differences):
    """The document of ``detpyc reproduce``."""


FoundInterpreter = TypedDict(
    "FoundInterpreter",
    {
        "release": str,
        "implementation": str,
        "cache-tag": str,
        "magic-number": int,
        "path": str,
        "supported": bool,
        "problem": str | None,
    },
)
InterpretersDocument = TypedDict("InterpretersDocument", {"interpreters": Sequence[FoundInterpreter]})

CacheDocument = TypedDict(
    "CacheDocument",
    {
        "directory": str,
        "problem": str | None,
        "files": int,
        "size": int,
        "limit": int,
        "removed": int,
        "freed": int,
    },
)

CompletionDocument = TypedDict("CompletionDocument", {"shell": str, "script": str})

# By command. Each document also has the key ``format``.
DOCUMENTS = {
    "wheel": WheelDocument,
    "verify": VerifyDocument,
    "compile": CompileDocument,
    "strip": StripDocument,
    "normalize": NormalizeDocument,
    "canonicalize": CanonicalizeDocument,
    "diff": DiffDocument,
    "inspect": InspectDocument,
    "reproduce": ReproduceDocument,
    "interpreters": InterpretersDocument,
    "cache": CacheDocument,
    "completion": CompletionDocument,
}
