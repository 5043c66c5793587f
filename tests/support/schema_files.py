"""The JSON Schemas, made from the code that checks or writes, and from the tables of the documentation.

Run as a program, as ``nox -s schemas`` does, it writes them to where they are shipped and published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints, is_typeddict

from detpyc import limits, provenance, setting_values
from detpyc.bytecode.header import FORM, MAGIC_NUMBERS
from detpyc.cli.common import FORMAT
from detpyc.cli.documents import DOCUMENTS
from detpyc.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHIPPED = ROOT / "src" / "detpyc" / "schemas"
FOR_SCHEMASTORE = DOCS / "schemastore" / "partial-detpyc.json"

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMASTORE_DIALECT = "http://json-schema.org/draft-07/schema#"
IDENTIFIER = "urn:detpyc:schema:"

SECTION = re.compile(r"^## (?P<heading>.*?)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
MORE = re.compile(r" \(\[more\]\([^)]*\)\)")
LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")

STRING: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": STRING}
TYPES = {str: "string", int: "integer", bool: "boolean", NoneType: "null"}
NOUNS = {"integer": "number", "array": "list", "string": "string", "boolean": "boolean", "object": "object"}


# --- The tables of the documentation


def plain(cell: str) -> str:
    """Return the text of a cell without links."""
    return LINK.sub(r"\1", MORE.sub("", cell))


class Row(NamedTuple):
    """What a table says of a key, after its name."""

    values: str
    meaning: str = ""


@cache
def tables(page: str) -> dict[str, list[dict[str, Row]]]:
    """Return the tables of each section of a page, and under an empty heading those before; the rows by key."""
    text = f"## \n{(DOCS / page).read_text(encoding='utf-8')}"
    return {
        section["heading"].strip(): [rows(table) for table in TABLE.findall(section["text"])]
        for section in SECTION.finditer(text)
    }


def rows(table: str) -> dict[str, Row]:
    found = {}
    for line in table.splitlines()[2:]:
        keys, *cells = (plain(cell.strip()) for cell in line.strip("|").split(" | "))
        found.update({key: Row(*cells[:2]) for key in CODE.findall(keys)})
    return found


def described(section: str, properties: Schema) -> Schema:
    """Add to each property of an object what docs/json.md says of it, in the smallest table that has all keys."""
    pages = tables("json.md")
    for near in (pages[section], [table for found in pages.values() for table in found]):
        candidates = [table for table in near if properties.keys() <= table.keys()]
        if candidates:
            table = min(candidates, key=len)
            break
    else:
        nearest = max(pages[section], key=lambda table: len(properties.keys() & table.keys()))
        lacking = ", ".join(sorted(properties.keys() - nearest.keys()))
        raise LookupError(f"docs/json.md, section {section!r}: no table describes the keys {lacking}")
    for key, schema in properties.items():
        noun = table[key].values
        if noun != label(schema):
            raise LookupError(f"docs/json.md, section {section!r}: {key} is a {label(schema)}, not a {noun}")
    return {key: {**schema, "description": table[key].meaning} for key, schema in properties.items()}


def label(schema: Schema) -> str:
    """Return the name that docs/json.md gives to the type of a key."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(label, schema["anyOf"])))
    kind: str = schema.get("type", "object")  # a reference is to an object
    if kind == "array":
        return f"list of {label(schema['items'])}s"
    return NOUNS.get(kind, kind)


# --- What is printed


def document_schema(command: str) -> Schema:
    """Return the schema of what a command prints with ``--json``."""
    definitions: Schema = {}
    top = object_schema(command, DOCUMENTS[command], definitions)
    version = {"description": "The version of the format.", "const": FORMAT}
    return {
        "$schema": DIALECT,
        "$id": f"{IDENTIFIER}output-{command}:{FORMAT}",
        "title": f"detpyc {command} --json",
        **top,
        "properties": {"format": version, **top["properties"]},
        "required": ["format", *top["required"]],
        **({"$defs": definitions} if definitions else {}),
    }


def object_schema(command: str, cls: type, definitions: Schema) -> Schema:
    """Return the schema of an object; those of the objects in it become definitions."""
    hints = get_type_hints(cls, include_extras=True)
    properties = {key: type_schema(command, hint, definitions) for key, hint in hints.items()}
    return closed(described(command, properties))


def closed(properties: Schema) -> Schema:
    """Return the schema of an object that has some properties, all of them, and no others."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def type_schema(command: str, hint: Any, definitions: Schema) -> Schema:
    """Return the schema of a type."""
    if is_typeddict(hint):
        name = hint.__name__
        if name not in definitions:
            definitions[name] = object_schema(command, hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None:
        return {"type": TYPES[hint]}
    if origin is Annotated:
        return {**type_schema(command, arguments[0], definitions), "enum": [*arguments[1]]}
    inner = [type_schema(command, argument, definitions) for argument in arguments]
    if origin is Sequence:
        return {"type": "array", "items": inner[0]}
    if origin is Mapping:
        keys, values = inner
        return map_schema(keys, values)
    assert origin in {Union, UnionType}
    return {"anyOf": inner}


def map_schema(keys: Schema, values: Schema) -> Schema:
    """Return the schema of an object that has either all of certain keys or any keys."""
    if "enum" in keys:
        return closed(dict.fromkeys(keys["enum"], values))
    return {"type": "object", "additionalProperties": values}


# --- detpyc.json


def provenance_schema() -> Schema:
    """Return the schema of ``detpyc.json``: what `detpyc.provenance` accepts."""
    return {
        "$schema": DIALECT,
        "$id": f"{IDENTIFIER}provenance:{provenance.FORMAT}",
        "title": provenance.FILE_NAME,
        "type": "object",
        "properties": recorded(
            {
                "format": {"type": "integer", "const": provenance.FORMAT},
                "detpyc": {"type": "string", "maxLength": limits.MAX_SHOWN},
                "canonical-form": {"type": "integer", "const": FORM},
                "archive": closed(
                    recorded({"compression": choice(provenance.COMPRESSIONS), "normalized": {"type": "boolean"}})
                ),
                "bytecode": {"type": "array", "items": bytecode_schema()},
                "missing": {"type": "array", "items": {"type": "string", "pattern": r"^3\.[0-9]+(\.[0-9]+\w*)?$"}},
            }
        ),
        "required": ["format", "detpyc", "canonical-form", "archive", "bytecode"],
    }


def recorded(properties: Schema) -> Schema:
    return described(provenance.FILE_NAME, properties)


def choice(values: Sequence[object]) -> Schema:
    return {"type": TYPES[type(values[0])], "enum": [*values]}


def bytecode_schema() -> Schema:
    schema = closed(
        recorded(
            {
                "release": STRING,
                "cache-tag": STRING,
                "magic-number": choice([*MAGIC_NUMBERS]),
                "optimize": choice(setting_values.OPTIMIZATION_LEVELS),
                "invalidation-mode": choice(setting_values.WHEEL_MODES),
                "include": STRINGS,
                "exclude": STRINGS,
                "skipped": {"type": "object", "additionalProperties": STRING},
                "layout": choice(setting_values.LAYOUTS),
            }
        )
    )
    return {**schema, "oneOf": [of_version(magic, *version) for magic, version in MAGIC_NUMBERS.items()]}


def of_version(magic_number: int, major: int, minor: int) -> Schema:
    """Return what holds for the bytecode of one CPython."""
    return {
        "properties": {
            "magic-number": {"const": magic_number},
            "cache-tag": {"const": f"cpython-{major}{minor}"},
            "release": {"type": "string", "pattern": rf"^{major}\.{minor}\.[0-9]{{1,3}}\w{{0,6}}$"},
        }
    }


# --- Settings


def settings_schema() -> Schema:
    """Return the schema of ``[tool.detpyc]``."""
    own = {
        "build-backend": {
            "type": "string",
            "minLength": 1,
            "description": 'The build backend to wrap, as in `[build-system]`, e.g. `"setuptools.build_meta"`.',
        },
        "backend-path": {
            **STRINGS,
            "description": "The directories of the source tree to import the build backend from.",
        },
    }
    return {
        "$schema": DIALECT,
        "$id": f"{IDENTIFIER}settings",
        "title": "detpyc settings",
        "description": "What to byte-compile, for which interpreters, and how.",
        **table_schema(own),
    }


def hatch_schema() -> Schema:
    """Return the schema of ``[tool.hatch]``, which checks the tables of the hook and nothing else."""
    flag = {"type": "boolean", "description": "A setting of Hatch for every build hook."}
    names = {**STRINGS, "description": "A setting of Hatch for every build hook."}
    hooks = nested(
        "hooks",
        "detpyc",
        table_schema(
            {
                "dependencies": names,
                "enable-by-default": flag,
                "require-runtime-dependencies": flag,
                "require-runtime-features": names,
            }
        ),
    )
    targets = nested("targets", "wheel", hooks)
    build = {"type": "object", "properties": {**hooks["properties"], **targets["properties"]}}
    return tool_schema("hatch", {"build": build})


def pdm_schema() -> Schema:
    """Return the schema of ``[tool.pdm]``, which checks the table of the hook and nothing else."""
    return tool_schema("pdm", {"build": nested("hooks", "detpyc", table_schema({}))})


def tool_schema(tool: str, properties: Schema) -> Schema:
    return {
        "$schema": DIALECT,
        "$id": f"{IDENTIFIER}settings-{tool}",
        "title": f"the settings of detpyc in tool.{tool}",
        "description": f"The settings of detpyc in `tool.{tool}`. Nothing else is checked.",
        "type": "object",
        "properties": properties,
    }


def nested(*path: Any) -> Schema:
    """Return the schema of something that has, under some keys, what another schema describes."""
    *keys, schema = path
    for key in reversed(keys):
        schema = {"type": "object", "properties": {key: schema}}
    found: Schema = schema
    return found


def table_schema(others: Schema) -> Schema:
    """Return the schema of a table of settings: what `detpyc.settings` accepts, and the keys that are not settings."""
    (documented,) = (table for table in tables("settings.md")[""] if "interpreters" in table)
    properties = {}
    for key, check in setting_values.CHECKS.items():
        values = documented[key].values
        properties[key] = {**value_schema(check), "description": f"{values[0].upper()}{values[1:]}."}
        default = Settings._field_defaults[key.replace("-", "_")]
        if default or value_schema(check)["type"] != "array":
            properties[key]["default"] = [*default] if isinstance(default, tuple) else default
    sourceless = {"layout": {"const": setting_values.SOURCELESS}}
    levels = [{"items": {"const": level}} for level in setting_values.OPTIMIZATION_LEVELS]
    return {
        "type": "object",
        "properties": {**properties, **others},
        "additionalProperties": False,
        "if": {"properties": sourceless, "required": [*sourceless]},
        "then": {
            "properties": {
                "interpreters": {"type": "array", "maxItems": 1},
                "optimize": {"type": "array", "anyOf": levels},  # one level, even if repeated
            }
        },
    }


def value_schema(check: Any) -> Schema:
    """Return the schema of what a check accepts."""
    if isinstance(check, setting_values.OneOf):
        return choice(check.choices)
    a_list = {"type": "array", "maxItems": limits.MAX_ITEMS}
    text = {"type": "string", "minLength": 1}
    schemas: dict[object, Schema] = {
        setting_values.flag: {"type": "boolean"},
        setting_values.interpreters: {**a_list, "minItems": 1, "items": text},
        setting_values.levels: {**a_list, "minItems": 1, "items": choice(setting_values.OPTIMIZATION_LEVELS)},
        setting_values.patterns: {**a_list, "items": {**text, "maxLength": limits.MAX_PATTERN}},
    }
    return schemas[check]


def schemastore_schema() -> Schema:
    """Return the schema of ``[tool.detpyc]`` as SchemaStore has those of other tools."""
    return {
        **settings_schema(),
        "$schema": SCHEMASTORE_DIALECT,
        "$id": f"https://json.schemastore.org/{FOR_SCHEMASTORE.name}",
    }


# --- The files


def schemas() -> dict[str, Schema]:
    """Return every schema that is shipped, by name."""
    return {
        "settings": settings_schema(),
        "settings-hatch": hatch_schema(),
        "settings-pdm": pdm_schema(),
        "provenance": provenance_schema(),
        **{f"output-{command}": document_schema(command) for command in DOCUMENTS},
    }


def expected() -> dict[Path, str]:
    """Return the content of every file."""
    made = {SHIPPED / f"{name}.json": schema for name, schema in schemas().items()}
    made[FOR_SCHEMASTORE] = schemastore_schema()
    return {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in made.items()}


def write() -> None:
    """Write every file; remove those of schemas that are gone."""
    made = expected()
    for path in {*SHIPPED.glob("*.json")} - made.keys():
        path.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
