"""Adapters to the build backends, and what they have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping


def byte_compile_artifact(
    artifact: str | os.PathLike[str], table: Mapping[str, Any], location: str, reserved: Collection[str] = ()
) -> str:
    """Byte-compile a wheel that a backend has just written.

    Args:
        artifact: the wheel.
        table: the project's settings.
        location: the table's full key.
        reserved: keys in the table that are the backend's own.

    Returns:
        A line that says what was done.

    Raises:
        DetpycError: if it cannot be done; the wheel is as the backend left it.

    """
    from detpyc.byte_compile import byte_compile_wheel  # noqa: PLC0415 - backends import every hook, used or not
    from detpyc.settings import Settings  # noqa: PLC0415

    settings = Settings.from_table(table, location, reserved)
    return f"detpyc: {byte_compile_wheel(Path(artifact), settings).summary()}"
