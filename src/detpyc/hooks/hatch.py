"""The Hatch build hook, ``[tool.hatch.build.targets.wheel.hooks.detpyc]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from detpyc.errors import DetpycError
from detpyc.hooks import byte_compile_artifact, prepare

# Keys that Hatch itself reads from the table of any hook.
RESERVED = frozenset({"dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features"})


class DetpycBuildHook(BuildHookInterface[BuilderConfig]):
    """Byte-compiles the finished wheel."""

    PLUGIN_NAME = "detpyc"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Refuse what cannot be done; set the tag of a wheel that will have no sources, as its name comes later."""
        if self.target_name != "wheel" or version == "editable":
            return
        from detpyc.wheel.tags import sourceless_tag  # noqa: PLC0415 - Hatch imports every hook

        try:
            python = self._prepare()
            if python is not None and (build_data.get("tag") or not build_data.get("infer_tag")):
                build_data["tag"] = sourceless_tag(build_data.get("tag") or "py3-none-any", python)
                build_data["infer_tag"] = False
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Byte-compile what was built, if it is a wheel to be distributed."""
        if self.target_name != "wheel" or version == "editable":
            return
        try:
            if build_data.get("infer_tag") and build_data.get("tag") and self._prepare() is not None:
                # Hatch has taken our tag, and not that of the platform.
                Path(artifact_path).unlink()
                self.app.abort(
                    "detpyc: another hook makes the wheel one for this platform, and without its sources the wheel had"
                    f" been given its tag before; put [{self._location()}] after that hook's table"
                )
            summary, _ = byte_compile_artifact(artifact_path, self.config, self._location(), RESERVED)
        except DetpycError as error:
            self.app.abort(f"detpyc: {error}")
        self.app.display_info(summary)

    def _prepare(self) -> tuple[int, int] | None:
        return prepare(self.config, self._location(), RESERVED)

    def _location(self) -> str:
        """Return the key of the table: the target's own, or the one for all targets."""
        own = self.build_config.target_config.get("hooks", {})
        return f"tool.hatch.build.{'targets.wheel.' if self.PLUGIN_NAME in own else ''}hooks.{self.PLUGIN_NAME}"


@hookimpl
def hatch_register_build_hook() -> type[DetpycBuildHook]:
    """Tell Hatch of the hook."""
    return DetpycBuildHook
