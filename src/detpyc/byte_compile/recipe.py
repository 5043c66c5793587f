"""The recipe of a wheel: from what it records of itself, the settings with which it can be made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from detpyc.errors import DetpycError
from detpyc.limits import MAX_FILE
from detpyc.provenance import FILE_NAME, Provenance
from detpyc.settings import Settings
from detpyc.wheel.distribution import open_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.reproducible import Date
    from detpyc.wheel.distribution import Wheel


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a wheel was made, from what it records of itself.

    Attributes:
        settings: with the interpreters pinned to their releases.
        normalized: whether the archive was normalized.
        date: of every member, if they all have the same one.
        detpyc: the version that made it.
        generator: what the backend calls itself in the WHEEL file, e.g. ``hatchling 1.27.0``; empty if it does not.

    """

    settings: Settings
    normalized: bool
    date: Date | None
    detpyc: str
    generator: str

    @classmethod
    def of(cls, path: Path) -> Recipe:
        """Read it from a wheel.

        Raises:
            DetpycError: if the wheel cannot be read, has no provenance, or was made by runs with different settings.

        """
        with open_wheel(path) as wheel:
            name = f"{wheel.dist_info}/{FILE_NAME}"
            if name not in wheel.archive.members:
                raise DetpycError(
                    f"{path}: has no {FILE_NAME}, and so does not say how it was made; give `detpyc wheel` the settings"
                    " as options, and compare with `detpyc diff`"
                )
            data = wheel.read_member(name, MAX_FILE)
            try:
                recorded = Provenance.from_json(data)
                settings = _settings(recorded)
            except DetpycError as error:
                raise DetpycError(f"{path}: {error}") from error
            dates = {member.date_time for member in wheel.archive.members.values()}
            date = next(iter(dates)) if len(dates) == 1 else None
            return cls(settings, recorded.normalized, date, recorded.detpyc, _generator(wheel))


def _settings(recorded: Provenance) -> Settings:
    """Return the settings of the one run that could have made all that is recorded."""
    bytecode = recorded.bytecode
    if not bytecode:
        raise DetpycError(f"{FILE_NAME} tells of no bytecode")
    shapes = {(each.invalidation_mode, each.include, each.exclude, each.layout) for each in bytecode}
    levels: dict[str, set[int]] = {}
    for each in bytecode:
        levels.setdefault(each.release, set()).add(each.optimize)
    if len(shapes) != 1 or len(set(map(frozenset, levels.values()))) != 1:
        raise DetpycError("was made by several runs with different settings, which one run cannot repeat")
    ((mode, include, exclude, layout),) = shapes
    table = {
        "interpreters": list(levels),
        "optimize": sorted(next(iter(levels.values()))),
        "invalidation-mode": mode,
        "include": include,
        "exclude": exclude,
        "on-syntax-error": "skip" if any(each.skipped for each in bytecode) else "fail",
        "layout": layout,
        "compression": recorded.compression,
    }
    return Settings.from_table(table, FILE_NAME)


def _generator(wheel: Wheel) -> str:
    name = f"{wheel.dist_info}/WHEEL"
    if name not in wheel.archive.members:
        return ""
    lines = wheel.read_member(name, MAX_FILE).decode("utf-8", "replace").splitlines()
    fields = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in fields if key.lower() == "generator"), "")
