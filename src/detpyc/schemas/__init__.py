"""JSON Schemas of the settings, ``detpyc.json`` and the output of ``--json``; the plugins of validate-pyproject.

The files beside this module are made from the code and the documentation: see docs/development.md.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

__all__ = ["hook_schemas", "tool_schema"]

_DIALECT = "http://json-schema.org/draft-07/schema#"  # the only one that validate-pyproject takes


# The plugins are described in https://validate-pyproject.readthedocs.io/en/latest/dev-guide.html#distributing-plugins.
# The help of validate-pyproject shows the docstring of the first, and the descriptions in the schemas of the second.


def tool_schema(tool_name: str) -> dict[str, Any]:  # noqa: ARG001 - it is always "detpyc"
    """Check the settings of detpyc in ``[tool.detpyc]``."""
    return _read("settings")


def hook_schemas() -> dict[str, Any]:
    """Return the schemas of ``[tool.hatch]`` and ``[tool.pdm]``, which check the settings of our hooks only.

    Any other plugin's schemas of these tables take precedence, since they check the rest.
    """
    return {"tools": {tool: _read(f"settings-{tool}") for tool in ("hatch", "pdm")}, "priority": -1}


def _read(name: str) -> dict[str, Any]:
    """Read a schema of settings, whose keywords mean the same in the dialect of validate-pyproject."""
    schema: dict[str, Any] = json.loads(files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return {**schema, "$schema": _DIALECT}
