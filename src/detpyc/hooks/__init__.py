"""Adapters to the build backends, and what they have in common."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def byte_compile_artifact(
    artifact: str | os.PathLike[str],
    table: Mapping[str, Any],
    location: str,
    reserved: Collection[str] = (),
    *,
    frontend: Mapping[str, Any] | None = None,
    rename: bool = False,
) -> tuple[str, Path]:
    """Byte-compile a wheel that a backend has just written.

    Args:
        artifact: the wheel.
        table: the project's settings.
        location: the table's full key.
        reserved: keys in the table that are the backend's own.
        frontend: settings that the build frontend passes, which go before the table and the environment.
        rename: let the wheel have another name, if its tag changes.

    Returns:
        A line that says what was done, and the wheel's path.

    Raises:
        DetpycError: if it cannot be done; the wheel is as the backend left it.

    """
    from detpyc.byte_compile import Options, byte_compile_wheel  # noqa: PLC0415 - backends import every hook
    from detpyc.settings import Settings, disabled, environment_of, jobs  # noqa: PLC0415

    environment = {**os.environ, **environment_of(frontend or {}, "detpyc.")}
    settings = Settings.from_table(table, location, reserved, environment=environment)
    if disabled(environment):
        return "detpyc: disabled by DETPYC_DISABLE", Path(artifact)
    report = byte_compile_wheel(Path(artifact), settings, Options(jobs=jobs(environment), rename=rename))
    return f"detpyc: {report.summary()}", report.path


def sourceless_version(
    table: Mapping[str, Any], location: str, reserved: Collection[str] = ()
) -> tuple[int, int] | None:
    """Return the CPython that a wheel without sources will be for, e.g. ``(3, 12)``; None if it will have sources.

    Args:
        table: as for `byte_compile_artifact`.
        location: likewise.
        reserved: likewise.

    Raises:
        DetpycError: if the settings are wrong, or the interpreter is missing.

    """
    from detpyc.byte_compile import choose_interpreters  # noqa: PLC0415
    from detpyc.settings import SOURCELESS, Settings, disabled  # noqa: PLC0415

    settings = Settings.from_table(table, location, reserved, environment=os.environ)
    if settings.layout != SOURCELESS or disabled(os.environ):
        return None
    return choose_interpreters(settings.interpreters)[0].version
