"""The documents of ``--json``: every object that a schema describes is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import printed
import wheels
from detpyc import reproduce
from detpyc.cli import COMMANDS, main, strip
from detpyc.cli.documents import DOCUMENTS
from detpyc.compare import CONTENT, Comparison
from detpyc.explain.difference import Difference
from pycs import pyc

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Arguments for each command, with which it prints all that it can print."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "core.py").write_bytes(b"x = 1\n")
    wheel, missing, tree = str(wheels.build(tmp_path)), str(tmp_path / "missing"), str(tmp_path / "tree")
    pycs = [str(tmp_path / name) for name in ("a.pyc", "b.pyc")]
    Path(pycs[0]).write_bytes(pyc())
    Path(pycs[1]).write_bytes(pyc(b"def f():\n    return 1001\n", mtime=0))
    payload = str(tmp_path / "payload")
    Path(payload).write_bytes(b"N")
    differences = (Difference(CONTENT, "content", "", "from byte 0 on", "a", "b"),)
    comparison = Comparison(("a",), ("b",), {"c": differences})
    rebuilt = reproduce.Reproduction(Path(wheel), "3.12.1", ("hatchling==1.27",), "demo.whl", False, True, comparison)  # noqa: FBT003
    monkeypatch.setattr(reproduce, "reproduce_wheel", lambda *_, **__: rebuilt)
    return {
        "wheel": [[wheel, missing]],
        "verify": [[*pycs, missing]],
        "compile": [[tree, missing]],
        "strip": [[tree, missing]],
        "normalize": [[tree, missing]],
        "canonicalize": [["--version", "3.11", payload]],
        "diff": [pycs],
        "inspect": [[path] for path in pycs],
        "reproduce": [[wheel, "--from", tree]],
        "interpreters": [[]],
        "cache": [["info"], ["prune"], ["clear"]],
        "completion": [["bash"]],
    }


def visited(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the definitions that describe a document and what is in it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield name
        schema = root["$defs"][name]
    for choice in schema.get("anyOf", ()):
        if Draft202012Validator({**choice, "$defs": root.get("$defs", {})}).is_valid(value):
            yield from visited(value, choice, root)
    if isinstance(value, list):
        for item in value:
            yield from visited(item, schema.get("items", {}), root)
    if isinstance(value, dict):
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
            yield from visited(item, inner or {}, root)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_object_is_printed(
    command: str, runs: dict[str, list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    schema, found = printed.schema(f"output-{command}"), set()
    for arguments in runs[command]:
        main([command, "--json", *arguments])
        found |= {*visited(json.loads(capsys.readouterr().out), schema, schema)}
    assert found == schema.get("$defs", {}).keys()


def test_every_key_of_an_object_is_required() -> None:
    """So whatever prints the object prints the key."""
    for command in DOCUMENTS:
        schema = printed.schema(f"output-{command}")
        for described in (schema, *schema.get("$defs", {}).values()):
            assert described["required"] == [*described["properties"]]
            assert described["additionalProperties"] is False


@pytest.mark.parametrize("change", [{"colour": "red"}, {"shell": None}, {"format": 2}])
def test_other_documents_fail_the_tests(change: dict[str, object]) -> None:
    document = {"format": 1, "shell": "bash", "script": ""}
    printed.check("completion", document)
    with pytest.raises(pytest.fail.Exception):
        printed.check("completion", {**document, **change})


def test_another_key_fails_every_test_that_prints_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the message names it, though the object could be one of two."""
    document = strip._document  # noqa: SLF001 - what the test replaces
    monkeypatch.setattr(strip, "_document", lambda report: {**document(report), "colour": "red"})
    with pytest.raises(pytest.fail.Exception, match=r"^output-strip\.json .*: \$\.reports\[0\]: .*'colour'"):
        main(["strip", "--json", str(tmp_path)])
