"""Byte-compile one wheel: the use case behind the hooks, the wrapping backend and the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from detpyc.audience import Audience, required_python
from detpyc.byte_compile.contents import read_contents
from detpyc.byte_compile.members import ChosenMembers, choose_members
from detpyc.byte_compile.modules import compile_sources
from detpyc.bytecode.header import MAGIC_NUMBERS
from detpyc.compilation import interpreters
from detpyc.errors import CompilationError, SettingsError, WheelError
from detpyc.loading import Loader, name_loaders
from detpyc.reproducible import ZIP_EPOCH, Date, zip_date
from detpyc.settings import SOURCELESS, STORED, Settings
from detpyc.wheel import tags
from detpyc.wheel.distribution import Wheel
from detpyc.wheel.output import Output, locked_wheel
from detpyc.wheel.rewrite import ArchiveForm, rewrite
from detpyc.wording import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from detpyc.compilation.interpreters import Chosen, Interpreter
    from detpyc.compilation.store import Store
    from detpyc.provenance import Bytecode

__all__ = ["WheelOptions", "WheelReport", "byte_compile_wheel"]


class WheelReport(NamedTuple):
    """What was done to a wheel.

    Attributes:
        path: of the wheel that was written, or would be.
        changed: whether it differs from what was there.
        interpreters: those that compiled.
        modules: the number of sources that were byte-compiled.
        pycs: the number of pycs that were added.
        kept: the number of pycs of earlier runs that stay.
        dropped: the names of pycs that were removed: added by accident, or stale.
        skipped: the sources that do not compile, with the reasons.
        bytes_added: to the size of the wheel.
        renamed_from: the wheel's name before, if it has another now.
        loaded_by: the versions of CPython that load the pycs, with the options for optimized ones, e.g. ``3.12 -OO``.
        never_loaded: the releases of CPython whose pycs are never loaded, with the reasons.
        missing: the releases of CPython that were requested, and skipped because they are missing.
        changes: with ``explain``, what becomes of each member that changes, and why.

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
    renamed_from: str | None
    loaded_by: tuple[str, ...]
    never_loaded: dict[str, str]
    missing: tuple[str, ...]
    changes: dict[str, str]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user probably does not want, one sentence each."""
        reasons: dict[str, list[str]] = {}
        for release, reason in self.never_loaded.items():
            reasons.setdefault(reason, []).append(release)
        found = [
            f"{self.path.name}: the pycs of CPython {', '.join(releases)} will never be loaded: {reason}"
            for reason, releases in reasons.items()
        ]
        if self.missing:
            effect = "their pycs are omitted" if self.interpreters else "the wheel is not byte-compiled"
            found.append(f"{self.path.name}: interpreters are missing ({', '.join(self.missing)}), so {effect}")
        return tuple(found)

    def summary(self) -> str:
        """Say in one line what was done; with ``check``, what would be."""
        if not self.interpreters:
            return f"{self.path.name}: not byte-compiled"
        by = ", ".join(interpreter.release for interpreter in self.interpreters)
        parts = [f"{counted(self.modules, 'module')} byte-compiled by CPython {by}", f"{self.bytes_added:+,} bytes"]
        if self.kept:
            parts.append(f"{counted(self.kept, 'pyc')} of earlier runs kept")
        if self.dropped:
            parts.append(f"{counted(len(self.dropped), 'foreign or stale pyc')} dropped")
        if self.skipped:
            parts.append(f"{counted(len(self.skipped), 'source')} skipped because of compile errors")
        if self.loaded_by:
            parts.append(f"loaded by CPython {', '.join(self.loaded_by)}")
        return f"{self.path.name}: {'; '.join(parts)}"


class WheelOptions(NamedTuple):
    """How to byte-compile a wheel, apart from the settings that shape the bytecode.

    Attributes:
        output_dir: where to write the result; by default it takes the wheel's place.
        jobs: how many workers at most, which does not change the result; by default one for each usable processor, and
            fewer for a small wheel.
        check: change nothing on disk.
        normalize_archive: give every member a fixed order, date and mode.
        date: of every member in a normalized archive, if SOURCE_DATE_EPOCH is not set.
        rename: allow the result to have another name, if its tag changes.
        missing: releases of CPython to record as missing, in addition to those that are.
        explain: say what becomes of each member, which takes longer.

    """

    output_dir: Path | None = None
    jobs: int | None = None
    check: bool = False
    normalize_archive: bool = False
    date: Date = ZIP_EPOCH
    rename: bool = False
    missing: tuple[str, ...] = ()
    explain: bool = False


def byte_compile_wheel(
    path: str | os.PathLike[str], settings: Settings = Settings(), options: WheelOptions = WheelOptions()
) -> WheelReport:
    """Put canonical bytecode into a wheel.

    Args:
        path: of the wheel.
        settings: what to byte-compile, and how.
        options: how to write the result.

    Returns:
        What was done; with ``check``, what would be.

    Raises:
        DetpycError: if it cannot be done; the wheel is then unchanged.

    """
    path = Path(path)
    chosen = interpreters.choose(settings.interpreters, settings.on_missing_interpreter)
    try:
        with locked_wheel(path) as wheel:
            name = _name(wheel.path.name, settings, chosen.interpreters, options)
            output = Output(wheel, name, options.output_dir, options.check)
            if not chosen.interpreters:
                return _not_byte_compiled(output, chosen.missing)
            members, audience = _byte_compile(wheel, tags.tag_of(name), chosen, settings, options)
            with output.writing(partial(_rewrite, wheel, members, settings, options)) as written:
                explained = options.explain and not written.same
                changes = _explain(wheel, Wheel.open(output.target, written.stream), members) if explained else {}
    except (CompilationError, WheelError) as error:
        error.path = str(path)
        raise
    loaders, never_loaded = _loading(members.bytecode, audience)
    return WheelReport(
        path=output.target,
        changed=written.changed,
        interpreters=chosen.interpreters,
        modules=members.modules,
        pycs=members.pycs,
        kept=len(members.kept),
        dropped=tuple(sorted(members.foreign)),
        skipped=members.skipped,
        bytes_added=written.bytes_added,
        renamed_from=wheel.path.name if wheel.path.name != name else None,
        loaded_by=name_loaders(loaders),
        never_loaded=never_loaded,
        missing=chosen.missing,
        changes=changes,
    )


def _byte_compile(
    wheel: Wheel, tag: str, chosen: Chosen, settings: Settings, options: WheelOptions
) -> tuple[ChosenMembers, Audience]:
    """Byte-compile the sources of a wheel; return the changes to it, and who can install it with its new tag."""
    with wheel.rewriting(wheel.importable_sources()):
        contents = read_contents(wheel, settings, chosen.interpreters)
        audience = Audience(tag, required_python(contents.metadata))
        store = _find_store(options) if settings.cache else None
        compiled = compile_sources(contents.modules, chosen.interpreters, settings, options.jobs, store)
        if store is not None:
            store.finish()
        missing = {*chosen.missing, *options.missing}
        normalized = options.normalize_archive
        members = choose_members(contents, compiled, settings, tag, missing=missing, normalized=normalized)
    return members, audience


def _find_store(options: WheelOptions) -> Store | None:
    from detpyc.compilation.cache_location import find_store  # noqa: PLC0415 - most wheels use no cache

    return find_store(writable=not options.check)


def _rewrite(wheel: Wheel, members: ChosenMembers, settings: Settings, options: WheelOptions, stream: BinaryIO) -> None:
    """Write a wheel with its new members."""
    rewrite(
        wheel,
        stream,
        new=members.new,
        replaced=members.replaced,
        dropped=members.dropped,
        among_new=members.kept,
        form=ArchiveForm(settings.compression == STORED, zip_date(options.date) if options.normalize_archive else None),
    )


def _explain(old: Wheel, new: Wheel, members: ChosenMembers) -> dict[str, str]:
    from detpyc.byte_compile.changes import explain_changes  # noqa: PLC0415 - rarely needed, and it imports much

    return explain_changes(old, new, members)


def _not_byte_compiled(output: Output, missing: tuple[str, ...]) -> WheelReport:
    """Leave a wheel that no interpreter is there to compile; only copy it to the output directory, if there is one."""
    return WheelReport(
        path=output.target,
        changed=output.copy(),
        interpreters=(),
        modules=0,
        pycs=0,
        kept=0,
        dropped=(),
        skipped={},
        bytes_added=0,
        renamed_from=None,
        loaded_by=(),
        never_loaded={},
        missing=missing,
        changes={},
    )


def _loading(bytecode: Iterable[Bytecode], audience: Audience) -> tuple[list[Loader], dict[str, str]]:
    """Return what loads the bytecode of a wheel; and the releases whose bytecode nothing loads, with the reasons."""
    loaders: list[Loader] = []
    never: dict[str, str] = {}
    for entry in bytecode:
        version = MAGIC_NUMBERS[entry.magic_number]
        excluded = audience.exclusion(version)
        if excluded is None:
            loaders.append(Loader(version, None if entry.layout == SOURCELESS else entry.optimize))
        else:
            never[entry.release] = excluded
    return loaders, never


def _name(name: str, settings: Settings, chosen: Sequence[Interpreter], options: WheelOptions) -> str:
    """Return the name of the result."""
    if settings.layout != SOURCELESS or not chosen:
        return name
    if len(chosen) != 1:
        releases = " and ".join(interpreter.release for interpreter in chosen)
        raise SettingsError(f'layout "sourceless" takes one interpreter, and there are {releases}')
    try:
        fitting = tags.renamed(name, tags.sourceless_tag(tags.tag_of(name), chosen[0].version))
    except WheelError as error:
        raise WheelError(f"cannot be made sourceless: {error.reason}") from error
    if fitting != name and not options.rename:
        raise WheelError(
            f"without its sources, it is for CPython {chosen[0].release} alone and must be named {fitting}, but"
            " something else has set its tag. Let the backend give it that tag, or build it with layout"
            ' "pycache" and run: detpyc wheel --layout sourceless'
        )
    return fitting
