"""The PDM build hook, ``[tool.pdm.build.hooks.detpyc]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.hooks import byte_compile_artifact, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from pdm.backend.hooks import Context

LOCATION = "tool.pdm.build.hooks.detpyc"


class DetpycBuildHook:
    """Byte-compiles the finished wheel of a project that has the table, be it empty.

    pdm-backend calls the hooks of everything that is installed, whether a project names them or not.
    """

    def pdm_build_hook_enabled(self, context: Context) -> bool:
        """Tell whether this build is a wheel's, and the project has the table."""
        if context.target != "wheel":
            return False
        hooks = context.config.build_config.get("hooks", {})
        if not isinstance(hooks, dict):
            sys.exit(f"detpyc: tool.pdm.build.hooks must be a table; write [{LOCATION}]")
        return "detpyc" in hooks

    def pdm_build_initialize(self, context: Context) -> None:
        """Refuse what cannot be done; set the tag of a wheel that will have no sources, as its name comes later."""
        try:
            python = prepare(context.config.for_hook("detpyc"), LOCATION)
        except DetpycError as error:
            sys.exit(f"detpyc: {error}")
        if python is not None:
            context.builder.config_settings.setdefault("--python-tag", "cp{}{}".format(*python))

    def pdm_build_finalize(self, context: Context, artifact: Path) -> None:
        """Byte-compile what was built."""
        try:
            summary, _ = byte_compile_artifact(artifact, context.config.for_hook("detpyc"), LOCATION)
        except DetpycError as error:
            sys.exit(f"detpyc: {error}")
        print(summary)  # noqa: T201 - PDM's manner
