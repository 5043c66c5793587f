"""Phrases that several reports use."""

from __future__ import annotations

import pytest

from detpyc.wording import counted, date, shortened


def test_counted() -> None:
    assert [counted(number, "pyc") for number in (0, 1, 2)] == ["0 pycs", "1 pyc", "2 pycs"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "1970-01-01 00:00:00 UTC"),
        (1_617_602_828, "2021-04-05 06:07:08 UTC"),
        (0xFFFFFFFF, "2106-02-07 06:28:15 UTC"),
        (1 << 80, f"{1 << 80} seconds after 1970-01-01"),
    ],
)
def test_date(seconds: int, expected: str) -> None:
    assert date(seconds) == expected


def test_shortened() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "abc... (4 characters)"
