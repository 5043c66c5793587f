"""Adapters to the build backends, and what they have in common."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from detpyc.settings import Settings


def byte_compile_artifact(
    artifact: str | os.PathLike[str],
    table: Mapping[str, Any],
    location: str,
    reserved: Collection[str] = (),
    *,
    frontend: Mapping[str, Any] | None = None,
    output_dir: Path | None = None,
) -> tuple[str, str]:
    """Byte-compile a wheel that a backend has just written.

    Args:
        artifact: the wheel.
        table: the project's settings.
        location: the table's full key.
        reserved: keys in the table that are the backend's own.
        frontend: settings that the build frontend passes, which go before the table and the environment.
        output_dir: where to put the result, which may then have another name; by default it takes the wheel's place.

    Returns:
        A line that says what was done, and the result's name.

    Raises:
        DetpycError: if it cannot be done; the wheel is as the backend left it.

    """
    from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel  # noqa: PLC0415 - backends import every hook
    from detpyc.settings import jobs  # noqa: PLC0415

    path, frontend = Path(artifact), frontend or {}
    settings = _settings(table, location, reserved, frontend)
    if settings is None:
        if output_dir is not None:
            shutil.move(path, output_dir / path.name)
        return "detpyc: disabled; the wheel is not byte-compiled", path.name
    options = WheelOptions(jobs=jobs(os.environ, frontend), output_dir=output_dir, rename=output_dir is not None)
    report = byte_compile_wheel(path, settings, options)
    return f"detpyc: {report.summary()}", report.path.name


def prepare(
    table: Mapping[str, Any],
    location: str,
    reserved: Collection[str] = (),
    *,
    frontend: Mapping[str, Any] | None = None,
) -> tuple[int, int] | None:
    """Refuse what can be refused before the backend sets to work, which may take long and leaves a wheel.

    Args:
        table: as for `byte_compile_artifact`.
        location: likewise.
        reserved: likewise.
        frontend: likewise.

    Returns:
        The CPython that a wheel without sources will be for, e.g. ``(3, 12)``; None if it will have sources.

    Raises:
        DetpycError: if the settings are wrong, or an interpreter is missing.

    """
    from detpyc.compilation.interpreters import choose  # noqa: PLC0415
    from detpyc.settings import SOURCELESS  # noqa: PLC0415

    settings = _settings(table, location, reserved, frontend or {})
    if settings is None:
        return None
    chosen = choose(settings.interpreters).interpreters
    return chosen[0].version if settings.layout == SOURCELESS else None


def _settings(
    table: Mapping[str, Any], location: str, reserved: Collection[str], frontend: Mapping[str, Any]
) -> Settings | None:
    """Read the settings of a build; None if its wheel is not to be byte-compiled.

    Raises:
        DetpycError: if they are wrong.

    """
    from detpyc.reproducible import source_date_epoch  # noqa: PLC0415
    from detpyc.settings import Settings, disabled, jobs  # noqa: PLC0415

    settings = Settings.from_table(table, location, reserved, environment=os.environ, frontend=frontend)
    jobs(os.environ, frontend)
    if disabled(os.environ, frontend):
        return None
    source_date_epoch()  # refuses one that is malformed, which some backends pass over
    return settings
