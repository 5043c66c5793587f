"""Which paths patterns select."""

from __future__ import annotations

import pytest

from bounds import bounded
from detpyc.gitignore import select, select_untrusted

NAMES = ["a.py", "pkg/a.py", "pkg/b.py", "pkg/tests/a.py", "tests/a.py"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], NAMES),
        (["pkg/"], [], NAMES[1:4]),
        (["/a.py"], [], NAMES[:1]),
        (["a.py"], [], ["a.py", "pkg/a.py", "pkg/tests/a.py", "tests/a.py"]),
        ([], ["tests/"], NAMES[:3]),
        (["pkg/**/*.py"], ["**/tests/**"], NAMES[1:3]),
        (["pkg/*", "!pkg/b.py"], [], ["pkg/a.py", "pkg/tests/a.py"]),
        (["none"], [], []),
        ([], ["*"], []),
    ],
)
def test_selection(include: list[str], exclude: list[str], expected: list[str]) -> None:
    assert list(select(NAMES, include, exclude)) == expected
    assert select_untrusted(NAMES, include, exclude) == expected


@bounded()
@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("!", "Invalid git pattern"),
        ("[z-a]", "bad character range"),
        ("*o" * 100, "takes too long"),
        ("**/*o" * 100, "takes too long"),
        ("x" * 10**6, "takes too long"),
    ],
)
def test_patterns_that_cannot_be_followed(pattern: str, words: str) -> None:
    for include, exclude in (([pattern], []), ([], [pattern])):
        with pytest.raises(ValueError, match=words):
            select_untrusted(["o" * 60 + ".py"], include, exclude)
