"""The PDM build hook, ``[tool.pdm.build.hooks.detpyc]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.hooks.request import BuildRequest, unread
from detpyc.pyproject import PDM

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pdm.backend.hooks import Context


class DetpycBuildHook:
    """Byte-compiles the finished wheel of a project that has the table, even if empty.

    pdm-backend calls the hooks of every installed distribution, whether a project names them or not.
    """

    _request: BuildRequest | None = None

    def pdm_build_hook_enabled(self, context: Context) -> bool:
        """Return whether a wheel is being built."""
        return context.target == "wheel"

    def pdm_build_initialize(self, context: Context) -> None:
        """Refuse what cannot be done; set the tag of a sourceless wheel, which PDM uses to name it."""
        _print_warnings(unread(context.config.data, PDM))
        hooks = context.config.build_config.get("hooks", {})
        if not isinstance(hooks, dict):
            sys.exit(f"detpyc: tool.pdm.build.hooks must be a table; write [{PDM}]")
        if "detpyc" not in hooks:
            return
        try:
            self._request = BuildRequest.read(hooks["detpyc"], PDM)
            python = self._request.prepare()
        except DetpycError as error:
            sys.exit(f"detpyc: {error}")
        if python is not None:
            context.builder.config_settings.setdefault("--python-tag", "cp{}{}".format(*python))

    def pdm_build_finalize(self, context: Context, artifact: Path) -> None:  # noqa: ARG002 - the hook's signature
        """Byte-compile the wheel."""
        if self._request is None:
            return
        try:
            result = self._request.byte_compile(artifact)
        except DetpycError as error:
            sys.exit(f"detpyc: {error}")
        print(result.summary)  # noqa: T201 - as PDM's own hooks do
        _print_warnings(result.warnings)


def _print_warnings(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(warning, file=sys.stderr)  # noqa: T201 - as above
