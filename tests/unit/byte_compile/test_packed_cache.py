"""The compile cache for wheels: a hit is what compiling and compressing would give, and anything else is a miss."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from detpyc import reproducible
from detpyc.byte_compile.packed_cache import PackedCache
from detpyc.bytecode.header import PycHeader
from detpyc.compilation import interpreters
from detpyc.compilation.cache import CompileCache
from detpyc.compilation.outcomes import Compiled, Source
from detpyc.compilation.store import Store
from detpyc.settings import Settings
from detpyc.wheel import writing
from detpyc.wheel.zip_format import DEFLATED, STORED

if TYPE_CHECKING:
    from pathlib import Path

    from detpyc.wheel.writing import Packed

HERE = interpreters.current()
SOURCE = Source("pkg/module.py", b"x = 1\n")
HASH = bytes(range(8))
PAYLOADS = (b"payload 0 " * 20, b"payload 2 " * 20)
LEVELS = Settings(optimize=(0, 2))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def opened(store: Store | None, settings: Settings = LEVELS) -> PackedCache:
    return PackedCache(CompileCache(store, HERE), HERE, settings)


def filled(store: Store | None, *, reusable: bool = True) -> list[Packed]:
    """Write what a worker has compiled at two levels to a cache; return its pycs."""
    cache = opened(store)
    pycs = [cache.pack(HASH, payload) for payload in PAYLOADS]
    cache.write(cache.keys(SOURCE), Compiled(HASH, PAYLOADS, reusable=reusable), pycs)
    return pycs


def read(store: Store | None, settings: Settings = LEVELS, source: Source = SOURCE) -> list[Packed] | None:
    cache = opened(store, settings)
    return cache.read(cache.keys(source))


def pyc_of(payload: bytes, settings: Settings = LEVELS) -> bytes:
    return PycHeader(HERE.magic_number, settings.invalidation_mode, source_hash=HASH).to_bytes() + payload


def contents(pycs: list[Packed] | None) -> list[bytes]:
    assert pycs is not None
    return [zlib.decompress(pyc.compressed, -15) if pyc.method == DEFLATED else pyc.compressed for pyc in pycs]


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that gains what is compressed."""
    found: list[bytes] = []
    genuine = reproducible.deflate

    def deflate(content: bytes) -> bytes:
        found.append(content)
        return genuine(content)

    monkeypatch.setattr(writing, "deflate", deflate)
    return found


def test_hit(store: Store, compressed: list[bytes]) -> None:
    pycs = filled(store)
    assert contents(pycs) == compressed == [pyc_of(payload) for payload in PAYLOADS]
    compressed.clear()
    assert read(store) == read(Store(store.directory)) == pycs
    assert compressed == []


def test_miss(store: Store) -> None:
    assert read(store) is None
    filled(store)
    assert read(store, source=Source("pkg/other.py", SOURCE.content)) is None
    assert read(store, source=Source(SOURCE.path, b"x = 2\n")) is None


def test_levels(store: Store) -> None:
    pycs = filled(store)
    assert read(store, Settings(optimize=(2, 0))) == pycs[::-1]
    assert read(store, Settings(optimize=(2,))) == pycs[1:]
    assert read(store, Settings(optimize=(0, 1))) is None


def test_invalidation_mode(store: Store, compressed: list[bytes]) -> None:
    """What a tree or another wheel compiled is compressed once for each mode."""
    pycs = filled(store)
    unchecked = Settings(optimize=(0, 2), invalidation_mode="unchecked-hash")
    compressed.clear()
    assert contents(read(store, unchecked)) == compressed == [pyc_of(payload, unchecked) for payload in PAYLOADS]
    compressed.clear()
    assert contents(read(store, unchecked)) != contents(pycs)
    assert compressed == []


@pytest.mark.parametrize("name", ["ZLIB_RUNTIME_VERSION", "ZLIBNG_VERSION"])
def test_other_implementation_of_deflate(
    store: Store, name: str, compressed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compresses the payloads itself, and afterwards both have what is theirs."""
    pycs = filled(store)
    with monkeypatch.context() as patch:
        patch.setattr(zlib, name, "another", raising=False)
        patch.setattr(writing, "deflate", lambda content: b"in its own way: " + content)
        others = read(store)
        assert others is not None
        assert [pyc.compressed for pyc in others] == [b"in its own way: " + pyc_of(payload) for payload in PAYLOADS]
        patch.setattr(writing, "deflate", None)
        assert read(store) == others
    compressed.clear()
    assert read(store) == pycs
    assert compressed == []


def files(store: Store) -> tuple[list[Path], list[Path]]:
    """Return the files of the payloads, and those of the pycs."""
    payloads = [store.directory / key.hex()[0] / key.hex()[1:] for key in opened(store).keys(SOURCE)]
    packed = [path for path in store.directory.glob("?/*") if path.stat().st_size > 100 and path not in payloads]
    assert len(payloads) == len(packed) == 2
    return payloads, packed


def damage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_corrupted(store: Store, compressed: list[bytes]) -> None:
    """A damaged pyc is made of the payload again; without both, the source is compiled."""
    pycs = filled(store)
    payloads, packed = files(store)
    compressed.clear()
    for number, path in enumerate(packed, 1):
        damage(path)
        assert read(store) == pycs
        assert len(compressed) == number
    for path in payloads:
        damage(path)
    assert read(store) == pycs
    assert len(compressed) == 2
    damage(packed[0])
    assert read(store) is None


@pytest.mark.parametrize("length", [0, 1, 45])
def test_entry_that_is_too_short(store: Store, length: int) -> None:
    """Its digest is right, as if another version of detpyc had written it."""
    pycs = filled(store)
    for path in files(store)[1]:
        store.put(bytes.fromhex(path.parent.name + path.name), bytes(length))
    assert read(store) == pycs


def test_stored_members_are_not_kept_twice(store: Store) -> None:
    filled(store)
    before = store.files()
    stored = Settings(optimize=(0, 2), compression="stored")
    pycs = read(store, stored)
    assert contents(pycs) == [pyc_of(payload) for payload in PAYLOADS]
    assert {pyc.method for pyc in pycs or ()} == {STORED}
    assert store.files() == before


def test_result_of_another_build_is_not_kept(store: Store) -> None:
    filled(store, reusable=False)
    assert read(store) is None


def test_without_a_cache() -> None:
    assert len(filled(None)) == 2
    assert opened(None).keys(SOURCE) == []
    assert read(None) is None
