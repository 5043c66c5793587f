"""The compile cache: what its keys depend on, and what it may reply."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detpyc.bytecode.header import PycHeader
from detpyc.compilation import cache, interpreters, worker
from detpyc.compilation.cache import CompileCache
from detpyc.compilation.outcomes import Compiled, Source
from detpyc.compilation.pool import Pool
from detpyc.compilation.store import Store
from detpyc.errors import InterpreterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc.compilation.interpreters import Interpreter

HERE = interpreters.current()
SOURCE = Source("pkg/module.py", b"x = 1\n")
HASH = bytes(range(8))
OTHER_HASH = bytes(8)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "libpython3.so"
    path.write_bytes(b"a compiler")
    return path


def built_with(library: Path, system: bytes = b"linux") -> Interpreter:
    return HERE._replace(build=(system, worker.describe_file(str(library))))


def key(store: Store, interpreter: Interpreter = HERE, source: Source = SOURCE, level: int = 0) -> bytes:
    return CompileCache(store, interpreter).key(source, level)


def test_key_depends_on_the_source(store: Store) -> None:
    sources = [SOURCE, Source("pkg/module.py", b"x = 2\n"), Source("pkg/modul", b"e.pyx = 1\n"), Source("", b"")]
    keys = {key(store, source=source, level=level) for source in sources for level in (0, 1, 2)}
    assert len(keys) == 12
    assert key(store, source=SOURCE) == key(Store(store.directory), source=Source(*SOURCE_FIELDS))


SOURCE_FIELDS = (SOURCE.path, SOURCE.content)


def test_key_depends_on_the_interpreter(store: Store, library: Path) -> None:
    described = built_with(library)
    others = [
        described._replace(release="3.99.0"),
        described._replace(cache_tag="cpython-399"),
        described._replace(magic_number=3399),
        built_with(library, b"linux of another machine"),
    ]
    assert len({key(store, interpreter) for interpreter in [described, *others]}) == 5
    assert key(store, described._replace(path="/elsewhere")) == key(store, described)


def test_rebuilt_interpreter_has_other_keys(store: Store, library: Path) -> None:
    """The path, the release and all else that it says of itself stay the same."""
    before = key(store, built_with(library))
    library.write_bytes(b"A compiler")
    assert key(store, built_with(library)) != before
    library.unlink()
    library.write_bytes(b"a compiler")
    assert key(store, built_with(library)) == before


def test_file_is_read_once(store: Store, library: Path) -> None:
    described = built_with(library)
    before = key(store, described)
    library.unlink()
    assert key(store, described) == before
    assert CompileCache(Store(store.directory.with_name("another")), described).store is None


def test_file_that_changed_since(store: Store, library: Path) -> None:
    described = built_with(library)
    library.write_bytes(b"another compiler")
    assert CompileCache(store, described).store is None


def test_key_depends_on_what_runs_in_the_worker(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {path.name: path for path in cache._worker_files()}  # noqa: SLF001
    assert {"worker.py", "errors.py", "canonical.py", "writer.py", "reader.py"} <= files.keys()
    before = key(store)
    changed = tmp_path / "canonical.py"
    shutil.copy(files["canonical.py"], changed)
    files["canonical.py"] = changed
    monkeypatch.setattr(cache, "_worker_files", files.values)
    assert key(store) == before
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert key(store) != before
    changed.unlink()
    assert CompileCache(store, HERE).store is None


def test_interpreter_without_a_description_of_its_build(store: Store) -> None:
    for build in ((), (b"linux",)):
        undescribed = CompileCache(store, HERE._replace(build=build))
        undescribed.keep(SOURCE, (0,), Compiled(HASH, (b"payload",), reusable=True))
        assert undescribed.lookup(SOURCE, (0,)) is None
    assert store.files().number == 0


def test_every_interpreter_describes_its_build(interpreter: Interpreter) -> None:
    described = interpreters.describe(interpreter.path)
    system, *files = described.build
    assert f"{interpreter.release.split('a')[0].split('b')[0].split('rc')[0]}".encode() in system
    paths = [file.split(b" ", 4)[-1].decode() for file in files]
    assert any("python" in Path(path).name.lower() for path in paths)
    assert interpreters.describe(interpreter.path) == described


def test_levels_of_one_source(store: Store) -> None:
    known = CompileCache(store, HERE)
    known.keep(SOURCE, (0, 2), Compiled(HASH, (b"payload 0", b"payload 2"), reusable=True))
    assert known.lookup(SOURCE, (0, 2)) == Compiled(HASH, (b"payload 0", b"payload 2"))
    assert known.lookup(SOURCE, (2,)) == Compiled(HASH, (b"payload 2",))
    assert known.lookup(SOURCE, (0, 1)) is None


def pyc(source_hash: bytes | None, payload: bytes) -> bytes:
    if source_hash is None:
        return PycHeader(HERE.magic_number, "timestamp", mtime=1, source_size=2).to_bytes() + payload
    return PycHeader(HERE.magic_number, "unchecked-hash", source_hash=source_hash).to_bytes() + payload


@pytest.mark.parametrize(
    ("existing", "reply"),
    [
        (b"", b"payload"),
        (pyc(HASH, b"payload"), b""),
        (pyc(None, b"payload"), b""),
        (pyc(OTHER_HASH, b"payload"), b"payload"),
        # Perhaps canonical, of another patch release: with and without the cache, a worker decides.
        (pyc(HASH, b"other"), None),
        (pyc(None, b"other"), None),
    ],
)
def test_existing_pyc(store: Store, existing: bytes, reply: bytes | None) -> None:
    known = CompileCache(store, HERE)
    known.keep(SOURCE, (0,), Compiled(HASH, (b"payload",), reusable=True))
    found = known.lookup(Source(*SOURCE_FIELDS, (existing,)), (0,))
    assert found == (None if reply is None else Compiled(HASH, (reply,)))


def test_pyc_that_was_found_is_not_kept(store: Store) -> None:
    """It may have been made from another source: only what a worker compiled is kept."""
    known = CompileCache(store, HERE)
    before = store.files()
    known.keep(SOURCE, (0,), Compiled(HASH, (b"",), reusable=True))
    known.keep(SOURCE, (0,), Compiled(HASH, (b"payload",), reusable=False))
    assert store.files() == before


def test_worker_of_another_build() -> None:
    """If the interpreter was rebuilt since it was described, the result is used and not kept."""

    def compiled_by(described: Interpreter) -> object:
        with Pool(described, 1) as pool:
            return pool.byte_compile([SOURCE], [0], lambda _, outcome: outcome)[0]

    outcome, other = compiled_by(HERE), compiled_by(HERE._replace(build=(b"another build",)))
    assert isinstance(outcome, Compiled)
    assert isinstance(other, Compiled)
    assert (outcome.payloads, outcome.reusable, other.reusable) == (other.payloads, True, False)
    with pytest.raises(InterpreterError, match=r"was CPython 3\.99"):
        compiled_by(HERE._replace(release="3.99.0"))


@pytest.fixture
def use_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[str]], None]:
    return lambda paths: monkeypatch.setattr(worker, "build_files", lambda: paths)


def test_build_whose_files_are_gone(use_files: Callable[[set[str]], None], tmp_path: Path) -> None:
    """As after an upgrade of the system while the process runs."""
    use_files({str(tmp_path / "libpython3.so (deleted)")})
    assert worker.describe_build() == []
    assert interpreters.current().build == ()


def test_processor_and_flags_are_part_of_the_build(
    use_files: Callable[[set[str]], None], library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_files({str(library)})
    before = worker.describe_build()
    assert worker.describe_build() == before
    monkeypatch.setattr(sys, "abiflags", "d")
    assert worker.describe_build() != before
    monkeypatch.setattr(sys, "version", sys.version + "+patched")
    assert worker.describe_build()[0].splitlines()[1] != before[0].splitlines()[1]
