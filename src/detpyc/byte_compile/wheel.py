"""Byte-compile one wheel: the use case behind the hooks, the wrapping backend and the command line."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detpyc.byte_compile.members import make_plan
from detpyc.compilation import interpreters
from detpyc.errors import DetpycError, SettingsError, WheelError
from detpyc.files import open_locked
from detpyc.replacement import Replacement, temporary_directory
from detpyc.reproducible import ZIP_EPOCH, Date, zip_date
from detpyc.settings import SOURCELESS, STORED
from detpyc.wheel import tags
from detpyc.wheel.distribution import Wheel
from detpyc.wheel.rewrite import ArchiveForm, rewrite
from detpyc.wording import counted

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.settings import Settings


@dataclass(frozen=True, slots=True)
class WheelReport:
    """What was done to a wheel.

    Attributes:
        path: of the wheel that was written, or would be.
        changed: whether it differs from what was there.
        interpreters: those that compiled.
        modules: how many sources were byte-compiled.
        pycs: how many pycs that made.
        kept: how many pycs of earlier runs stay.
        dropped: the names of pycs that were there and are not: put in by accident, or stale.
        skipped: the sources that do not compile, each with the reason.
        bytes_added: to the size of the wheel.
        renamed_from: the wheel's name before, if that is another.

    """

    path: Path
    changed: bool
    interpreters: tuple[Interpreter, ...]
    modules: int
    pycs: int
    kept: int
    dropped: tuple[str, ...]
    skipped: dict[str, str]
    bytes_added: int
    renamed_from: str | None = None

    def summary(self) -> str:
        """Say in one line what was done, without regard to ``check``."""
        by = ", ".join(each.release for each in self.interpreters)
        parts = [f"{counted(self.modules, 'module')} byte-compiled by CPython {by}", f"{self.bytes_added:+,} bytes"]
        if self.kept:
            parts.append(f"{counted(self.kept, 'pyc')} of earlier runs kept")
        if self.dropped:
            parts.append(f"{counted(len(self.dropped), 'foreign or stale pyc')} dropped")
        if self.skipped:
            parts.append(f"{counted(len(self.skipped), 'source')} skipped because of compile errors")
        tag = tags.tag_of(self.path.name)
        strangers = ", ".join(each.release for each in self.interpreters if not tags.is_for(tag, each.version))
        if strangers:
            parts.append(f"the pycs of CPython {strangers} will never be loaded from a wheel with this tag")
        return f"{self.path.name}: {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class WheelOptions:
    """How to go about it, beyond the settings that shape the bytes.

    Attributes:
        output_dir: where to put the result; by default it takes the wheel's place.
        jobs: how many workers; by default as many as there are usable processors. The result does not depend on it.
        check: change nothing on disk.
        normalize_archive: give every member the fixed order, date and mode, whatever the backend gave it.
        date: of every member in a normalized archive, if SOURCE_DATE_EPOCH does not say.
        rename: let the result have another name, if its tag changes.

    """

    output_dir: Path | None = None
    jobs: int | None = None
    check: bool = False
    normalize_archive: bool = False
    date: Date = ZIP_EPOCH
    rename: bool = False


def byte_compile_wheel(path: Path, settings: Settings, options: WheelOptions = WheelOptions()) -> WheelReport:
    """Put canonical bytecode into a wheel.

    Args:
        path: of the wheel.
        settings: what to byte-compile, and how.
        options: how to go about it.

    Returns:
        What was done, or with ``check`` would be.

    Raises:
        DetpycError: if it cannot be done; the wheel is then as it was.

    """
    chosen = interpreters.choose(settings.interpreters).interpreters
    target = (options.output_dir or path.parent) / _name(path, settings, chosen, options)
    with open_locked(path) as stream:
        status = os.fstat(stream.fileno())
        wheel = Wheel.open(path, stream)
        wheel.require_rewritable(content=False)  # which is read while the sources are compiled
        try:
            plan = make_plan(wheel, settings, chosen, options.jobs, normalized=options.normalize_archive)
        except DetpycError:
            wheel.require_rewritable()  # if it is not, that is what to tell first
            raise
        wheel.require_rewritable()
        form = ArchiveForm(
            settings.compression == STORED, zip_date(options.date) if options.normalize_archive else None
        )
        directory = temporary_directory() if options.check else None
        with Replacement(target, stat.S_IMODE(status.st_mode), directory) as replacement:
            with replacement.writing() as output:
                rewrite(
                    wheel,
                    output,
                    new=plan.new,
                    replaced=plan.replaced,
                    dropped=plan.dropped,
                    among_new=plan.kept,
                    form=form,
                )
                size = output.tell()
            moves = options.output_dir is None and target != path  # even to where the very same stands already
            changed = moves or not replacement.equals(target)
            if changed and not options.check:
                replacement.commit(replaced=stream)
                if moves:
                    path.unlink()
    return WheelReport(
        path=target,
        changed=changed,
        interpreters=chosen,
        modules=plan.modules,
        pycs=plan.pycs,
        kept=len(plan.kept),
        dropped=tuple(sorted(plan.foreign)),
        skipped=plan.skipped,
        bytes_added=size - status.st_size,
        renamed_from=path.name if path.name != target.name else None,
    )


def _name(path: Path, settings: Settings, chosen: tuple[Interpreter, ...], options: WheelOptions) -> str:
    """Return the name of the result."""
    if settings.layout != SOURCELESS:
        return path.name
    if len(chosen) != 1:
        releases = " and ".join(each.release for each in chosen)
        raise SettingsError(f'layout "sourceless" takes one interpreter, and there are {releases}')
    try:
        fitting = tags.renamed(path.name, tags.sourceless_tag(tags.tag_of(path.name), chosen[0].version))
    except WheelError as error:
        raise WheelError(f"{path}: cannot be made sourceless: {error}") from error
    if fitting != path.name and not options.rename:
        raise WheelError(
            f"{path}: without its sources, it is for CPython {chosen[0].release} alone and must be named {fitting}, but"
            " something else has set its tag. Let the backend give it that tag, or build it with layout"
            ' "pycache" and run: detpyc wheel --layout sourceless'
        )
    return fitting
