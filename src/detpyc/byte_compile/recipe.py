"""The recipe of a wheel: the settings that make it again, from what it records of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.limits import MAX_METADATA, MAX_PROVENANCE, MAX_RECORD
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.settings import Settings
from detpyc.wheel.distribution import open_wheel
from detpyc.wheel.record import serialize

if TYPE_CHECKING:
    from detpyc.reproducible import Date
    from detpyc.wheel.distribution import Wheel

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a wheel was made, from what it records of itself.

    Attributes:
        settings: with the interpreters pinned to their releases.
        normalized: whether the archive was normalized.
        date: of every member, if all have the same one.
        detpyc: the version that made it.
        generator: the backend's name in the WHEEL file, e.g. ``hatchling 1.27.0``; empty if there is none.
        missing: the interpreters that were requested as well, and were missing.
        rewritten: whether something else than detpyc wrote the wheel last, e.g. auditwheel.

    """

    settings: Settings
    normalized: bool
    date: Date | None
    detpyc: str
    generator: str
    missing: tuple[str, ...] = ()
    rewritten: bool = False

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read the recipe of a wheel.

        Raises:
            DetpycError: if the wheel cannot be read, has no provenance, or was made by runs with different settings.

        """
        with open_wheel(path) as wheel:
            name = f"{wheel.dist_info}/{FILE_NAME}"
            if name not in wheel.archive.members:
                raise DetpycError(
                    f"has no {FILE_NAME}, which records how a wheel was made; pass the settings to `detpyc wheel` as"
                    " options, and compare with `detpyc diff`",
                    path=path,
                )
            data = wheel.read_member(name, MAX_PROVENANCE)
            try:
                recorded = Provenance.from_json(data)
                settings = _settings(recorded)
            except DetpycError as error:
                error.path = os.fspath(path)
                raise
            dates = {member.date_time for member in wheel.archive.members.values()}
            date = next(iter(dates)) if len(dates) == 1 else None
            return cls(
                settings,
                recorded.normalized,
                date,
                recorded.detpyc,
                _generator(wheel),
                recorded.missing,
                _rewritten(wheel),
            )


def _settings(recorded: Provenance) -> Settings:
    """Return the settings of the one run that could have made all that is recorded."""
    bytecode = recorded.bytecode
    if not bytecode:
        raise DetpycError(f"{FILE_NAME} records no bytecode")
    shapes = {(run.invalidation_mode, run.include, run.exclude, run.layout) for run in bytecode}
    levels: dict[str, set[int]] = {}
    for run in bytecode:
        levels.setdefault(run.release, set()).add(run.optimize)
    if len(shapes) != 1 or len(set(map(frozenset, levels.values()))) != 1:
        raise DetpycError("was made by several runs with different settings, which one run cannot repeat")
    ((mode, include, exclude, layout),) = shapes
    table = {
        "interpreters": list(levels),
        "optimize": sorted(next(iter(levels.values()))),
        "invalidation-mode": mode,
        "include": include,
        "exclude": exclude,
        "on-syntax-error": "skip" if any(run.skipped for run in bytecode) else "fail",
        "layout": layout,
        "compression": recorded.compression,
    }
    return Settings.from_table(table, FILE_NAME)


def _rewritten(wheel: Wheel) -> bool:
    """Return whether RECORD is not what detpyc writes: its rows in archive order, with plain newlines."""
    members = wheel.archive.members
    rows = [wheel.record[name] for name in members if name in wheel.record]
    return wheel.record_name not in members or wheel.read_member(wheel.record_name, MAX_RECORD) != serialize(rows)


def _generator(wheel: Wheel) -> str:
    """Return the name of the backend, from the WHEEL file."""
    name = f"{wheel.dist_info}/WHEEL"
    if name not in wheel.archive.members:
        return ""
    lines = wheel.read_member(name, MAX_METADATA).decode("utf-8", "replace").splitlines()
    fields = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in fields if key.lower() == "generator"), "")
