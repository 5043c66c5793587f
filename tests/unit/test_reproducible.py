"""The reproducibility rules."""

from __future__ import annotations

import random
import zlib

import pytest

from detpyc.errors import DetpycError
from detpyc.reproducible import deflate, inflate, normalized_mode, source_date_epoch, zip_date


@pytest.mark.parametrize("content", [b"", b"x", b"abc" * 1000, bytes(1 << 20)])
def test_deflated_without_a_header(content: bytes) -> None:
    compressed = deflate(content)
    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(compressed) == content
    assert inflate(compressed) == content


def test_deflated_as_zlib_does_by_default() -> None:
    content = b" ".join(b"%d" % random.Random(0).randrange(1 << number) for number in range(64)) * 100  # noqa: S311
    expected = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert deflate(content) == expected.compress(content) + expected.flush()


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("0", 0), ("1600000000", 1_600_000_000)])
def test_source_date_epoch(monkeypatch: pytest.MonkeyPatch, value: str | None, expected: int | None) -> None:
    set_epoch(monkeypatch, value)
    assert source_date_epoch() == expected


@pytest.mark.parametrize("value", ["", "-1", "1.5", "now", " 1", "٣", "1_000", "9" * 5000])
def test_malformed_source_date_epoch(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    set_epoch(monkeypatch, value)
    for function in (source_date_epoch, zip_date):
        with pytest.raises(DetpycError, match=r"SOURCE_DATE_EPOCH must be a number of seconds, not '"):
            function()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (1980, 1, 1, 0, 0, 0)),
        ("0", (1980, 1, 1, 0, 0, 0)),
        ("315532799", (1980, 1, 1, 0, 0, 0)),
        ("315532803", (1980, 1, 1, 0, 0, 2)),
        ("1600000001", (2020, 9, 13, 12, 26, 40)),
        ("4354819199", (2107, 12, 31, 23, 59, 58)),
        ("4354819200", (2107, 12, 31, 23, 59, 58)),
        ("9" * 30, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_zip_date(monkeypatch: pytest.MonkeyPatch, value: str | None, expected: tuple[int, ...]) -> None:
    set_epoch(monkeypatch, value)
    assert zip_date() == expected


def set_epoch(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    else:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o100600, 0o100644), (0o664, 0o100644), (0o100711, 0o100755), (0o4755, 0o100755), (0, 0o100644)],
)
def test_modes(mode: int, expected: int) -> None:
    assert normalized_mode(mode) == expected
