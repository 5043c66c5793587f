"""What ``--json`` prints is valid, in every test: `conftest` and `command_line` see to it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from detpyc import schemas
from detpyc.cli import COMMANDS, common

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from jsonschema import ValidationError


def schema(name: str) -> dict[str, Any]:
    """Return a schema as it is shipped."""
    found: dict[str, Any] = json.loads(files(schemas).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return found


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name))


def decisive(error: ValidationError) -> ValidationError:
    """Return the first error of the schema that a document matches best, where it matches none of several."""
    while error.context:
        alternatives = Counter(found.schema_path[0] for found in error.context)
        best = min(alternatives, key=lambda alternative: alternatives[alternative])
        error = next(found for found in error.context if found.schema_path[0] == best)
    return error


def check(command: str, document: object) -> None:
    """Fail the test unless what a command prints is as its schema says. The command line does not catch that."""
    for error in map(decisive, validator(f"output-{command}").iter_errors(document)):
        pytest.fail(f"output-{command}.json does not describe the output: {error.json_path}: {error.message:.500}")


def running_command() -> str:
    """Return the name of the command that calls this: its module is the first on the stack that is named like one."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - `inspect.stack` reads all sources
    while frame is not None:
        package, _, name = frame.f_globals["__name__"].rpartition(".")
        if package == "detpyc.cli" and name in COMMANDS:
            return str(name)
        frame = frame.f_back
    pytest.fail("print_json was called, and not by a command")


def check_all_that_is_printed() -> None:
    """Check what every command prints in this process. Call it before any command is imported."""
    print_json = common.print_json

    def checked(document: Mapping[str, object]) -> None:
        check(running_command(), json.loads(json.dumps({"format": common.FORMAT, **document})))
        print_json(document)

    common.print_json = checked
