"""The PDM build hook, ``[tool.pdm.build.hooks.detpyc]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.hooks.request import BuildRequest

if TYPE_CHECKING:
    from pathlib import Path

    from pdm.backend.hooks import Context

LOCATION = "tool.pdm.build.hooks.detpyc"


class DetpycBuildHook:
    """Byte-compiles the finished wheel of a project that has the table, even if empty.

    pdm-backend calls the hooks of every installed distribution, whether a project names them or not.
    """

    _request: BuildRequest

    def pdm_build_hook_enabled(self, context: Context) -> bool:
        """Return whether a wheel is being built and the project has the table."""
        if context.target != "wheel":
            return False
        hooks = context.config.build_config.get("hooks", {})
        if not isinstance(hooks, dict):
            sys.exit(f"detpyc: tool.pdm.build.hooks must be a table; write [{LOCATION}]")
        return "detpyc" in hooks

    def pdm_build_initialize(self, context: Context) -> None:
        """Refuse what cannot be done; set the tag of a sourceless wheel, which PDM uses to name it."""
        try:
            self._request = BuildRequest.read(context.config.for_hook("detpyc"), LOCATION)
            python = self._request.prepare()
        except DetpycError as error:
            sys.exit(f"detpyc: {error}")
        if python is not None:
            context.builder.config_settings.setdefault("--python-tag", "cp{}{}".format(*python))

    def pdm_build_finalize(self, context: Context, artifact: Path) -> None:  # noqa: ARG002 - the hook's signature
        """Byte-compile the wheel."""
        try:
            result = self._request.byte_compile(artifact)
        except DetpycError as error:
            sys.exit(f"detpyc: {error}")
        print(result.summary)  # noqa: T201 - as PDM's own hooks do
        for warning in result.warnings:
            print(warning, file=sys.stderr)  # noqa: T201
