"""What a build asks for: its settings, read once, and what follows from them before and after the backend's work.

Backends import every hook, so this module imports what it needs when it is used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from detpyc.settings import Settings

__all__ = ["BuildRequest", "BuildResult", "unread"]


class BuildResult(NamedTuple):
    """What became of a wheel.

    Attributes:
        name: its file name.
        summary: a line that says what was done.
        warnings: what the user probably does not want, a line each.

    """

    name: str
    summary: str
    warnings: tuple[str, ...] = ()


class BuildRequest(NamedTuple):
    """What a build asks for.

    Attributes:
        settings: the project's, as overridden by the environment and the frontend.
        jobs: the number of workers; None for one for each usable processor.
        disabled: whether the wheel is not byte-compiled.

    """

    settings: Settings
    jobs: int | None
    disabled: bool

    @classmethod
    def read(
        cls,
        table: Mapping[str, Any],
        location: str,
        reserved: Collection[str] = (),
        *,
        frontend: Mapping[str, Any] | None = None,
    ) -> BuildRequest:
        """Read what a build asks for, in the project's table, the environment and the frontend's settings.

        Args:
            table: the project's settings.
            location: the table's full key.
            reserved: keys of the table that belong to the backend.
            frontend: the settings that the user passes to the build frontend; they take precedence.

        Raises:
            DetpycError: if the settings or SOURCE_DATE_EPOCH are wrong.

        """
        from detpyc.reproducible import source_date_epoch  # noqa: PLC0415 - see the module's docstring
        from detpyc.settings import Settings, disabled, jobs  # noqa: PLC0415

        frontend = frontend or {}
        settings = Settings.from_table(table, location, reserved, environment=os.environ, frontend=frontend)
        request = cls(settings, jobs(os.environ, frontend), disabled(os.environ, frontend))
        if not request.disabled:
            source_date_epoch()  # refuses a malformed one, which some backends ignore
        return request

    @property
    def sourceless(self) -> bool:
        """Whether the wheel will have pycs instead of sources."""
        from detpyc.settings import SOURCELESS  # noqa: PLC0415

        return not self.disabled and self.settings.layout == SOURCELESS

    def prepare(self) -> tuple[int, int] | None:
        """Refuse what can be refused before the backend starts, which may take long and leave a wheel.

        Returns:
            The CPython that a sourceless wheel will be for, e.g. ``(3, 12)``; None if the wheel will have sources, as
            it does if that CPython is missing and skipped.

        Raises:
            DetpycError: if an interpreter is missing.

        """
        if self.disabled:
            return None
        from detpyc.compilation.interpreters import choose  # noqa: PLC0415

        chosen = choose(self.settings.interpreters, self.settings.on_missing_interpreter).interpreters
        return chosen[0].version if self.sourceless and chosen else None

    def byte_compile(self, artifact: Path, output_dir: Path | None = None) -> BuildResult:
        """Byte-compile a wheel that a backend has just built.

        Args:
            artifact: the path of the wheel.
            output_dir: where to write the result, which may then have another name; by default it replaces the wheel.

        Raises:
            DetpycError: if it cannot be done; the wheel is then unchanged.

        """
        if self.disabled:
            if output_dir is not None:
                _move(artifact, output_dir / artifact.name)
            return BuildResult(artifact.name, "detpyc: disabled; the wheel is not byte-compiled")
        from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel  # noqa: PLC0415
        from detpyc.termination import terminable  # noqa: PLC0415

        options = WheelOptions(jobs=self.jobs, output_dir=output_dir, rename=output_dir is not None)
        with terminable(resend=True):
            report = byte_compile_wheel(artifact, self.settings, options)
        return BuildResult(report.path.name, f"detpyc: {report.summary()}", _prefixed(report.warnings))


def unread(document: Mapping[str, Any], *read: str) -> tuple[str, ...]:
    """Return a warning for each table that no build of the project reads.

    Args:
        document: the project's ``pyproject.toml``.
        read: the full keys of tables that are read in any case.

    """
    from detpyc.pyproject import unread_tables  # noqa: PLC0415 - see the module's docstring

    return _prefixed(unread_tables(document, read).values())


def _prefixed(warnings: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"detpyc: warning: {warning}" for warning in warnings)


def _move(path: Path, target: Path) -> None:
    import shutil  # noqa: PLC0415 - see the module's docstring

    try:
        shutil.move(path, target)
    except OSError as error:
        raise DetpycError(f"cannot be written: {error.strerror}", path=target) from error
