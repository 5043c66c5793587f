"""The Hatch build hook, ``[tool.hatch.build.targets.wheel.hooks.detpyc]``."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from detpyc.errors import DetpycError
from detpyc.hooks.request import BuildRequest, unread

if TYPE_CHECKING:
    from collections.abc import Iterable


class DetpycBuildHook(BuildHookInterface[BuilderConfig]):
    """Byte-compiles the finished wheel."""

    PLUGIN_NAME = "detpyc"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Refuse what cannot be done; set the tag of a sourceless wheel, which Hatch uses to name it."""
        if version == "editable":
            return
        if self.target_name != "wheel":
            if self._has_own_table:
                self._warn(unread(self.metadata.config))
            return
        self._warn(unread(self.metadata.config, self._location))
        from detpyc.wheel.tags import sourceless_tag  # noqa: PLC0415 - Hatch imports every hook

        try:
            python = self._request.prepare()
            if python is not None and (build_data.get("tag") or not build_data.get("infer_tag")):
                build_data["tag"] = sourceless_tag(build_data.get("tag") or "py3-none-any", python)
                build_data["infer_tag"] = False
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Byte-compile the wheel, unless it is an editable one."""
        if self.target_name != "wheel" or version == "editable":
            return
        artifact = Path(artifact_path)
        try:
            if build_data.get("infer_tag") and build_data.get("tag") and self._request.sourceless:
                # A later hook asks for a platform tag, and Hatch has used our tag instead.
                artifact.unlink()
                raise DetpycError(
                    "another hook makes the wheel platform-specific after this one has set the tag of the sourceless"
                    f" wheel; move [{self._location}] after the table of that hook"
                )
            result = self._request.byte_compile(artifact)
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")
        self.app.display_info(result.summary)
        self._warn(result.warnings)

    def _warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self.app.display_warning(warning)

    @cached_property
    def _request(self) -> BuildRequest:
        from detpyc.pyproject import RESERVED  # noqa: PLC0415 - as above

        return BuildRequest.read(self.config, self._location, RESERVED[self._location])

    @property
    def _location(self) -> str:
        """The full key of the table: the target's own, or the one for all targets."""
        from detpyc.pyproject import HATCH, HATCH_FOR_ALL_TARGETS  # noqa: PLC0415 - as above

        return HATCH if self._has_own_table else HATCH_FOR_ALL_TARGETS

    @property
    def _has_own_table(self) -> bool:
        """Whether the table is of the target that is built, not of all targets."""
        return self.PLUGIN_NAME in self.build_config.target_config.get("hooks", {})


@hookimpl
def hatch_register_build_hook() -> type[DetpycBuildHook]:
    """Register the hook with Hatch."""
    return DetpycBuildHook
