"""What patch releases change in code, and what they do not."""

from __future__ import annotations

import marshal
from types import CodeType
from typing import Any

import pytest

from detpyc.bytecode.canonical import canonicalize
from detpyc.explain.difference import CODE
from detpyc.explain.patch_releases import changes_of_patch_releases, differ_beyond_patch_releases
from detpyc.explain.payloads import compare_payloads
from payloads import FIRST, LAST, byte_string, code, fields_of, text
from pycs import HERE

SOURCE = "import math\n\n\ndef outer(x, y=1):\n    def inner(z):\n        return math.pi + 1000\n    return inner\n"


def of(source: str = SOURCE, **changes: Any) -> bytes:
    """Compile a source, and change the innermost code object, of the same name and place."""
    whole = compile(source, "core.py", "exec", dont_inherit=True)
    return marshal.dumps(changed(whole, **changes))


def changed(whole: CodeType, **changes: Any) -> CodeType:
    if whole.co_name == "inner":
        return whole.replace(**changes)
    consts = (changed(item, **changes) if isinstance(item, CodeType) else item for item in whole.co_consts)
    return whole.replace(co_consts=tuple(consts))


def differ(a: bytes, b: bytes) -> bool:
    return differ_beyond_patch_releases(a, b, HERE.version)


@pytest.mark.parametrize(
    "change",
    [
        {"co_consts": (None, 1001)},
        {"co_names": ("math", "e")},
        {"co_varnames": ("y",)},
        {"co_argcount": 0},
        {"co_flags": 0x33},
        {"co_stacksize": 20},
        {"co_firstlineno": 6},
        {"co_name": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_no_patch_release_changes(change: dict[str, Any]) -> None:
    assert differ(of(), of(**change))
    differences = compare_payloads(of(), of(**change), HERE.version)
    assert [found for found in differences if found.kind == CODE and not changes_of_patch_releases(found)]


def test_tree_of_functions() -> None:
    assert differ(of(), of(SOURCE + "\n\ndef another():\n    pass\n"))
    assert differ(of(), of(SOURCE.replace("    return inner", "    return lambda: inner")))


@pytest.mark.parametrize(
    "field", ["co_code", "co_linetable", *(["co_exceptiontable"] if HERE.version >= (3, 11) else [])]
)
def test_what_patch_releases_change(field: str) -> None:
    whole = compile(SOURCE, "core.py", "exec", dont_inherit=True)
    inner = next(item for item in whole.co_consts if isinstance(item, CodeType)).co_consts
    table = next(getattr(item, field) for item in inner if isinstance(item, CodeType))
    changes: dict[str, Any] = {field: table + table[-2:] if table else b"\x80\x01\x02\x00"}
    other = of(**changes)
    assert other != of()
    assert not differ(of(), other)
    differences = compare_payloads(of(), other, HERE.version)
    assert [found.where for found in differences if found.kind == CODE] == ["outer.<locals>.inner"]
    assert all(map(changes_of_patch_releases, differences))


def test_path_and_encoding_do_not_count() -> None:
    elsewhere = marshal.dumps(compile(SOURCE, "/elsewhere/core.py", "exec", dont_inherit=True))
    assert not differ(of(), elsewhere)
    assert not differ(of(), canonicalize(of(), HERE.version))


@pytest.mark.parametrize("version", [FIRST, LAST])
def test_every_layout(version: tuple[int, int]) -> None:
    fields = fields_of(version)
    for name in ("code", "linetable", "exceptiontable", "localspluskinds"):
        if name in fields:
            other = code(version, {name: byte_string(b"\x01\x00")})
            assert differ_beyond_patch_releases(code(version), other, version) is (name == "localspluskinds")
    for name in {"name", "qualname"}.intersection(fields):
        assert differ_beyond_patch_releases(code(version), code(version, {name: text("other")}), version)
