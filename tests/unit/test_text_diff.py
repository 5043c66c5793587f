"""The unified diffs of text files, and what limits them."""

from __future__ import annotations

import pytest

from bounds import bounded
from detpyc import text_diff
from detpyc.text_diff import TextDiffs


def test_diff() -> None:
    a, b = (f"Name: demo\n{field}\n\nWords.\n".encode() for field in ("Version: 1.0", "Version: 2.0"))
    assert TextDiffs().diff("demo-1.0.dist-info/METADATA", a, b) == (
        "--- a/demo-1.0.dist-info/METADATA",
        "+++ b/demo-1.0.dist-info/METADATA",
        "@@ -1,4 +1,4 @@",
        " Name: demo",
        "-Version: 1.0",
        "+Version: 2.0",
        " ",
        " Words.",
    )


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (b"", b"x\n", ["@@ -0,0 +1 @@", "+x"]),
        (b"x\r\n", b"x\n", ["@@ -1 +1 @@", "-x\r", "+x"]),
        (b"x\n", b"x", ["@@ -1 +1 @@", "-x", "+x", "\\ No newline at end of file"]),
        (b"x\x0cy\x1b[31m\n", b"x\x0cz\xe2\x80\xa8\n", ["@@ -1 +1 @@", "-x\x0cy\x1b[31m", "+x\x0cz\u2028"]),
    ],
    ids=["empty", "line ends", "no newline", "control characters"],
)
def test_lines(a: bytes, b: bytes, expected: list[str]) -> None:
    """They end at newlines only, and all that is in them is compared."""
    assert TextDiffs().diff("x", a, b)[2:] == tuple(expected)


@pytest.mark.parametrize("binary", [b"\x7fELF\0\n", b"\xff\n"])
def test_binary_files_have_none(binary: bytes) -> None:
    assert TextDiffs().diff("x", b"x\n", binary) == TextDiffs().diff("x", binary, b"x\n") == ()


def test_long_lines_and_diffs_are_shortened() -> None:
    lines = TextDiffs().diff("x", b"x" * 10_000 + b"\n", b"")
    assert lines[3] == f"-{'x' * 499}... (10001 characters)"
    lines = TextDiffs().diff("x", b"", b"".join(b"%d\n" % number for number in range(1000)))
    assert (len(lines), lines[499:]) == (501, ("+496", "... 503 more lines"))


def alternating(end: str) -> bytes:
    """Return a text of which difflib finds every other line one by one, so that its work is quadratic."""
    return "".join(f"{number}\n{number}{end}\n" for number in range(20_000)).encode()


def test_work_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that takes long leaves something for the others."""
    monkeypatch.setattr(text_diff, "MAX_DIFF_STEPS", 1 << 20)
    texts = TextDiffs()
    with bounded():
        assert texts.diff("x", alternating("a"), alternating("b")) == ()
        assert texts.diff("x", b"\n" * (4 << 20), b"x" + b"\n" * (4 << 20)) == ()
    assert texts.diff("x", b"a\n", b"b\n") != ()


def test_work_is_limited_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also that of many files, each of which is cheap."""
    monkeypatch.setattr(text_diff, "MAX_DIFF_STEPS", 100)
    texts = TextDiffs()
    found = [bool(texts.diff("x", b"a\n" * 8, b"b\n" * 8)) for _ in range(9)]
    assert found[0]
    assert not found[-1]
    assert found == sorted(found, reverse=True)
