"""The JSON Schemas: they are what the code and the documentation say, and validate-pyproject uses them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from validate_pyproject.api import Validator
from validate_pyproject.errors import ValidationError

import printed
import schema_files
from detpyc.cli import COMMANDS
from detpyc.cli.documents import DOCUMENTS
from detpyc.errors import SettingsError
from detpyc.pyproject import HATCH, HATCH_FOR_ALL_TARGETS, PDM, RESERVED, WRAPPED
from detpyc.schemas import hook_schemas, tool_schema
from detpyc.setting_values import CHECKS
from detpyc.settings import Settings
from schema_files import DOCS, FOR_SCHEMASTORE, ROOT, SHIPPED, schemas

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_files_are_current() -> None:
    """If this fails: nox -s schemas."""
    assert {path: path.read_text(encoding="utf-8") for path in schema_files.expected()} == schema_files.expected()
    assert {path.stem for path in SHIPPED.glob("*.json")} == schemas().keys()


def test_page_links_to_every_file() -> None:
    text = (DOCS / "schemas.md").read_text(encoding="utf-8")
    assert [name for name in schemas() if f"| [{name}.json](../src/detpyc/schemas/{name}.json) |" not in text] == []


@pytest.mark.parametrize("name", schemas())
def test_schemas_are_valid(name: str) -> None:
    Draft202012Validator.check_schema(printed.schema(name))


def test_every_command_has_a_schema() -> None:
    assert DOCUMENTS.keys() == set(COMMANDS)


def test_identifiers() -> None:
    """They never change within a format."""
    assert {name: schema["$id"] for name, schema in schemas().items()} == {
        "settings": "urn:detpyc:schema:settings",
        "settings-hatch": "urn:detpyc:schema:settings-hatch",
        "settings-pdm": "urn:detpyc:schema:settings-pdm",
        "provenance": "urn:detpyc:schema:provenance:1",
        **{f"output-{command}": f"urn:detpyc:schema:output-{command}:1" for command in COMMANDS},
    }


def test_keys_without_a_row_of_the_documentation_are_named() -> None:
    with pytest.raises(LookupError, match=r"docs/json.md, section 'strip': no table describes the keys colour$"):
        schema_files.described("strip", {"path": {"type": "string"}, "colour": {"type": "string"}})


def test_types_are_those_of_the_documentation() -> None:
    with pytest.raises(LookupError, match=r"docs/json.md, section 'strip': pycs is a number, not a list of strings$"):
        schema_files.described("strip", {"path": {"type": "string"}, "pycs": {"type": "integer"}})


def test_every_row_of_the_documentation_is_used() -> None:
    """A key of docs/json.md that no schema has is misspelt, or a leftover."""
    names = {"": "output-verify", "detpyc.json": "provenance"}
    unused = [
        f"{section}: {key}"
        for section, tables in schema_files.tables("json.md").items()
        for table in tables
        for key in table.keys() - keys_of(schemas()[names.get(section, f"output-{section}")])
    ]
    assert unused == []


def keys_of(schema: Any) -> set[str]:
    """Return the names of all properties in a schema and below."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", ())).union(*map(keys_of, schema.values()))


strings = st.text(st.characters(codec="utf-8"), max_size=3)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    strings,
    st.sampled_from([choice for check in CHECKS.values() for choice in getattr(check, "choices", ())]),
    st.lists(st.one_of(strings, st.integers(-1, 3), st.booleans()), max_size=3),
    st.lists(st.integers(0, 2), min_size=1, max_size=3),
    st.lists(st.sampled_from(["3.12", "3.12.1", "demo/", "*.py"]), max_size=3),
    st.dictionaries(strings, strings, max_size=1),
    st.builds(lambda text, count: [text] * count, st.just("x"), st.sampled_from([1000, 1001])),
    st.builds(lambda count: ["x" * count], st.sampled_from([1000, 1001])),
)


def accepts(table: dict[str, Any]) -> bool:
    try:
        Settings.from_table(table, "tool.detpyc")
    except SettingsError as error:
        # Whether a string is a pattern of gitignore's is more than a schema can say.
        return all("gitignore patterns" in problem for problem in error.problems)
    return True


@given(st.dictionaries(st.sampled_from([*CHECKS, "colour"]), values, max_size=4))
def test_settings_are_accepted_as_the_code_accepts_them(table: dict[str, Any]) -> None:
    assert printed.validator("settings").is_valid(table) == accepts(table)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"layout": "sourceless", "interpreters": ["3.12"], "optimize": [2, 2]},
        {"interpreters": ["3.11", "3.12"], "optimize": [0, 1, 2], "provenance": False, "include": []},
    ],
)
def test_good_settings(table: dict[str, Any]) -> None:
    assert accepts(table)
    assert printed.validator("settings").is_valid(table)


@pytest.mark.parametrize(
    "table",
    [
        {"interpreter": 3},
        {"interpreters": []},
        {"interpreters": "3.12"},
        {"optimize": [3]},
        {"optimize": [True]},
        {"invalidation-mode": "timestamp"},
        {"provenance": "yes"},
        {"layout": "sourceless", "interpreters": ["3.11", "3.12"]},
        {"layout": "sourceless", "optimize": [0, 2]},
        {"include": ["x" * 1001]},
    ],
)
def test_bad_settings(table: dict[str, Any]) -> None:
    assert not accepts(table)
    assert not printed.validator("settings").is_valid(table)


def test_defaults() -> None:
    properties = schemas()["settings"]["properties"]
    defaults = {key: properties[key]["default"] for key in CHECKS if "default" in properties[key]}
    assert Settings.from_table(defaults, "tool.detpyc") == Settings()
    assert CHECKS.keys() - defaults.keys() == {"interpreters", "include", "exclude"}


def test_keys_that_are_not_settings() -> None:
    hooks = schemas()["settings-hatch"]["properties"]["build"]["properties"]["hooks"]
    assert hooks["properties"]["detpyc"]["properties"].keys() - CHECKS.keys() == RESERVED[HATCH]
    assert schemas()["settings"]["properties"].keys() - CHECKS.keys() == RESERVED[WRAPPED]


@pytest.fixture(scope="module")
def validator() -> Validator:
    """Make what validate-pyproject runs, which finds our schemas by their entry points."""
    return Validator()


@pytest.mark.parametrize(
    ("table", "others"),
    [
        ("tool.detpyc", 'build-backend = "setuptools.build_meta"\n'),
        (HATCH, 'dependencies = ["rich"]\nenable-by-default = true\n'),
        (HATCH_FOR_ALL_TARGETS, "require-runtime-features = []\n"),
        (PDM, ""),
    ],
)
def test_validate_pyproject(table: str, others: str, validator: Validator) -> None:
    right = f'[{table}]\n{others}interpreters = ["3.12.1"]\n[tool.hatch.envs.test]\n[tool.pdm.scripts]\nx = "y"\n'
    validator(tomllib.loads(right))
    with pytest.raises(ValidationError, match=rf"`{table}` must not contain {{'interpreter'}} properties"):
        validator(tomllib.loads(f"[{table}]\ninterpreter = 3\n"))
    with pytest.raises(ValidationError, match=rf"`{table}.interpreters` must be array"):
        validator(tomllib.loads(f'[{table}]\ninterpreters = "3.12"\n'))


def test_own_projects_and_pages_are_valid(validator: Validator) -> None:
    projects = [path.read_text(encoding="utf-8") for path in ROOT.glob("test-projects/*/pyproject.toml")]
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *DOCS.glob("*.md"))]
    examples = [text for page in pages for text in TOML.findall(page)]
    assert projects
    assert examples
    for text in (*projects, *examples):
        validator({"tool": tomllib.loads(text).get("tool", {})})


def test_command_of_validate_pyproject(tmp_path: Path) -> None:
    (tmp_path / "right.toml").write_text('[tool.detpyc]\ninterpreters = ["3.12.1"]\n', encoding="utf-8")
    (tmp_path / "wrong.toml").write_text("[tool.detpyc]\ninterpreter = 3\n", encoding="utf-8")
    command = [sys.executable, "-m", "validate_pyproject", "right.toml", "wrong.toml"]
    completed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    assert "Valid file: right.toml\n" in completed.stdout
    assert "Invalid file: wrong.toml\n" in completed.stdout
    assert "`tool.detpyc` must not contain {'interpreter'} properties" in completed.stdout + completed.stderr


def test_entry_points() -> None:
    assert tool_schema("detpyc")["$id"] == "urn:detpyc:schema:settings"
    found = hook_schemas()
    assert found["tools"].keys() == {"hatch", "pdm"}
    assert (
        found["priority"] < 0
    )  # the default of validate-pyproject-schema-store, which checks the rest of these tables
    for schema in (tool_schema("detpyc"), *found["tools"].values()):
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        Draft7Validator.check_schema(schema)


def test_files_for_schemastore() -> None:
    """Its tests are whole files; the one schema is for the table."""
    validator = Draft7Validator(json.loads(FOR_SCHEMASTORE.read_text(encoding="utf-8")))
    Draft7Validator.check_schema(validator.schema)
    valid = {
        folder: {
            path.stem: validator.is_valid(tomllib.loads(path.read_text(encoding="utf-8"))["tool"]["detpyc"])
            for path in FOR_SCHEMASTORE.parent.glob(f"{folder}/*.toml")
        }
        for folder in ("test", "negative_test")
    }
    assert valid == {
        "test": {"detpyc": True},
        "negative_test": {"detpyc-unknown-setting": False, "detpyc-sourceless": False},
    }


def test_positive_file_for_schemastore_has_every_setting() -> None:
    text = (FOR_SCHEMASTORE.parent / "test" / "detpyc.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["tool"]["detpyc"]
    assert table.keys() == {*CHECKS, *RESERVED[WRAPPED]}
    Settings.from_table(table, "tool.detpyc", RESERVED[WRAPPED])
