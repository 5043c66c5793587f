"""The Hatch build hook, ``[tool.hatch.build.targets.wheel.hooks.detpyc]``."""

from __future__ import annotations

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from detpyc.errors import DetpycError
from detpyc.hooks import byte_compile_artifact, sourceless_version

# Keys that Hatch itself reads from the table of any hook.
RESERVED = frozenset({"dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features"})


class DetpycBuildHook(BuildHookInterface[BuilderConfig]):
    """Byte-compiles the finished wheel."""

    PLUGIN_NAME = "detpyc"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Set the tag of a wheel that will have no sources, while Hatch has not named the file."""
        if self.target_name != "wheel" or version == "editable":
            return
        try:
            python = sourceless_version(self.config, self._location(), RESERVED)
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")
        if python is not None and not (build_data.get("tag") or build_data.get("infer_tag")):
            build_data["tag"] = "cp{}{}-none-any".format(*python)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Byte-compile what was built, if it is a wheel to be distributed."""
        if self.target_name != "wheel" or version == "editable":
            return
        try:
            summary, _ = byte_compile_artifact(artifact_path, self.config, self._location(), RESERVED)
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")
        self.app.display_info(summary)

    def _location(self) -> str:
        """Return the key of the table: the target's own, or the one for all targets."""
        own = self.build_config.target_config.get("hooks", {})
        return f"tool.hatch.build.{'targets.wheel.' if self.PLUGIN_NAME in own else ''}hooks.{self.PLUGIN_NAME}"


@hookimpl
def hatch_register_build_hook() -> type[DetpycBuildHook]:
    """Tell Hatch of the hook."""
    return DetpycBuildHook
