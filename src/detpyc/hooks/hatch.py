"""The Hatch build hook, ``[tool.hatch.build.targets.wheel.hooks.detpyc]``."""

from __future__ import annotations

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from detpyc.errors import DetpycError
from detpyc.hooks import byte_compile_artifact

# Keys that Hatch itself reads from the table of any hook.
RESERVED = frozenset({"dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features"})


class DetpycBuildHook(BuildHookInterface[BuilderConfig]):
    """Byte-compiles the finished wheel."""

    PLUGIN_NAME = "detpyc"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Byte-compile what was built, if it is a wheel to be distributed."""
        if self.target_name != "wheel" or version == "editable":
            return
        try:
            self.app.display_info(byte_compile_artifact(artifact_path, self.config, self._location(), RESERVED))
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")

    def _location(self) -> str:
        """Return the key of the table: the target's own, or the one for all targets."""
        own = self.build_config.target_config.get("hooks", {})
        return f"tool.hatch.build.{'targets.wheel.' if self.PLUGIN_NAME in own else ''}hooks.{self.PLUGIN_NAME}"


@hookimpl
def hatch_register_build_hook() -> type[DetpycBuildHook]:
    """Tell Hatch of the hook."""
    return DetpycBuildHook
