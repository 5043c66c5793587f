"""Byte-compile the modules of a wheel: from sources to pycs, compressed but not named yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from detpyc.byte_compile.packed_cache import PackedCache
from detpyc.compilation.cache import CompileCache
from detpyc.compilation.pool import Compiled, Pool, Refused, Source, usable_processors
from detpyc.errors import CompilationError
from detpyc.settings import SOURCELESS
from detpyc.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.compilation.pool import Failed, Outcome
    from detpyc.compilation.store import Store
    from detpyc.settings import Settings
    from detpyc.wheel.writing import Packed

__all__ = ["CompiledModules", "Module", "compile_sources"]

_WORTH_A_WORKER = 1 << 16  # bytes of source, which take about as long to compile as a worker to start
_LISTED = 10  # of many failures, the number that an error lists


class Module(NamedTuple):
    """A source in a wheel.

    Attributes:
        name: of its member.
        path: that it gets when installed, relative to its root; it becomes ``co_filename``.
        size: in bytes.
        read: returns its content.

    """

    name: str
    path: str
    size: int
    read: Callable[[], bytes]


class CompiledModules(NamedTuple):
    """What one interpreter made of the modules.

    Attributes:
        interpreter: that compiled them.
        pycs: by the names of the modules, a pyc for each of the settings' optimization levels.
        skipped: the modules that do not compile, with the reasons.

    """

    interpreter: Interpreter
    pycs: dict[str, list[Packed]]
    skipped: dict[str, str]


def compile_sources(
    modules: Sequence[Module],
    interpreters: Iterable[Interpreter],
    settings: Settings,
    jobs: int | None = None,
    store: Store | None = None,
) -> list[CompiledModules]:
    """Byte-compile modules by some interpreters, one after the other.

    Args:
        modules: to compile. Each is read when a worker is free, so that they need not be in memory at the same time.
        interpreters: to compile them with.
        settings: how.
        jobs: the number of workers at most; by default one for each usable processor, and fewer for little source.
        store: the compile cache, which does not change the result.

    Raises:
        CompilationError: if a module does not compile, and the settings do not allow to skip it.
        DetpycError: if a module cannot be read, or an interpreter does not work.

    """
    # Largest first, so that no worker is left alone with a large module at the end.
    largest_first = sorted(modules, key=lambda module: module.size, reverse=True)
    compiled = []
    for interpreter in interpreters:
        cache = PackedCache(CompileCache(store, interpreter), interpreter, settings)
        results = _compile(largest_first, cache, settings, jobs)
        compiled.append(_sorted_out({module.name: results[module.name] for module in modules}, interpreter, settings))
    return compiled


def _compile(
    modules: Sequence[Module], cache: PackedCache, settings: Settings, jobs: int | None
) -> dict[str, list[Packed] | Refused | Failed]:
    """Return the result for each module, by name: its pycs, or why it has none."""
    results: dict[str, list[Packed] | Refused | Failed] = {}
    missing: list[tuple[str, list[bytes]]] = []

    def sources() -> Iterator[Source]:
        for module in modules:
            source = Source(module.path, module.read())
            keys = cache.keys(source)
            known = cache.read(keys)
            if known is not None:
                results[module.name] = known
            else:
                missing.append((module.name, keys))
                yield source

    def finish(number: int, outcome: Outcome) -> None:
        name, keys = missing[number]
        if isinstance(outcome, Compiled):
            results[name] = pycs = [cache.pack(outcome.source_hash, payload) for payload in outcome.payloads]
            cache.write(keys, outcome, pycs)
        else:
            results[name] = outcome

    with Pool(cache.interpreter, jobs or _useful_workers(modules, settings)) as pool:
        pool.byte_compile(sources(), settings.optimize, finish)
    return results


def _useful_workers(modules: Iterable[Module], settings: Settings) -> int:
    """Return how many workers to start at most: starting one also takes processor time."""
    work = sum(module.size for module in modules) * len(settings.optimize)
    return min(usable_processors(), 1 + work // _WORTH_A_WORKER)


def _sorted_out(
    results: Mapping[str, list[Packed] | Refused | Failed], interpreter: Interpreter, settings: Settings
) -> CompiledModules:
    """Separate the pycs from what is skipped.

    Raises:
        CompilationError: if anything else failed; it lists the first failures.

    """
    compiled = CompiledModules(interpreter, {}, {})
    failed: dict[str, str] = {}
    advice = ""
    for name, result in results.items():
        if isinstance(result, list):
            compiled.pycs[name] = result
        elif isinstance(result, Refused) and settings.on_syntax_error == "skip" and not _needed(name, settings):
            compiled.skipped[name] = result.reason
        else:
            failed[name] = result.reason
            if isinstance(result, Refused):
                advice = _advice(name, settings)
    if failed:
        lines = [f"\n    {name}: {reason}" for name, reason in list(failed.items())[:_LISTED]]
        more = f"\n    and {len(failed) - _LISTED} more" if len(failed) > _LISTED else ""
        raise CompilationError(
            f"CPython {interpreter.release} does not byte-compile {counted(len(failed), 'source')}:"
            f"{''.join(lines)}{more}{advice}"
        )
    return compiled


def _needed(name: str, settings: Settings) -> bool:
    """Return whether a source cannot be skipped: without it, the other modules of a sourceless package are lost."""
    return settings.layout == SOURCELESS and name.rpartition("/")[2] == "__init__.py"


def _advice(name: str, settings: Settings) -> str:
    """Say what to do about a source that does not compile."""
    if _needed(name, settings):
        return (
            "\nThe __init__.py of a sourceless package is never skipped, since nothing could replace it. Fix it, or"
            ' exclude the package with "exclude".'
        )
    return '\nFix them, exclude them with "exclude", or set on-syntax-error to "skip".'
