"""Which paths patterns select."""

from __future__ import annotations

from contextlib import suppress

import pytest

from bounds import bounded
from detpyc import gitignore
from detpyc.gitignore import select, select_bounded

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
    assert select_bounded(NAMES, include, exclude) == expected


INVALID = [("!", "Invalid git pattern"), ("[z-a]", "bad character range")]
SLOW = "to match them takes too long"
# Names that make backtracking long, each with patterns that match them after many steps, or never.
HOSTILE = {
    "o" * 60 + ".py": ["*o" * 6 + "b", "*o" * 100, "**/*o" * 100, "x" * 10**6, "**o" * 4 + "b", "*?" * 6 + "b"],
    "o/" * 40 + "x.py": ["**/o/" * 8 + "b", "*/**/" * 10 + "b", "**/*o*/" * 3 + "b"],
    "o" * 2000: ["*o*o*b", "*[o]*[o]*b", "*\\o*\\o*b"],
}


@pytest.mark.parametrize(("pattern", "words"), INVALID)
def test_invalid_patterns(pattern: str, words: str) -> None:
    for include, exclude in (([pattern], []), ([], [pattern])):
        with pytest.raises(ValueError, match=words):
            select_bounded(NAMES, include, exclude)


@bounded()
@pytest.mark.parametrize(("name", "pattern"), [(name, pattern) for name in HOSTILE for pattern in HOSTILE[name]])
def test_slow_patterns(name: str, pattern: str) -> None:
    """They are refused, unless they are fast enough, for one name or many."""
    for include, exclude in (([pattern], []), ([], [pattern]), ([f"!{pattern}"], [])):
        with pytest.raises(ValueError, match=SLOW):
            select_bounded([name] * 2000, include, exclude)


@bounded()
@pytest.mark.parametrize("pattern", ["*o*o*b", "*?o?*b", "o/**/[o]*/b", "**/*o*/**/b"])
@pytest.mark.parametrize("name", ["o" * 60, "o/" * 40 + "x"])
def test_what_is_accepted_is_fast(pattern: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With almost as many names as are accepted; the limit on the time is that of `bounded`."""
    names = [name]
    with monkeypatch.context() as patched:
        patched.setattr(gitignore, "select", lambda *_: ())
        with suppress(ValueError):
            while len(names) < 1 << 20:
                select_bounded(names * 2, [pattern], [])
                names *= 2
    assert select_bounded(names, [pattern], []) == []


@bounded()
def test_many_patterns_and_names() -> None:
    """Ten times as many as in the largest real wheels, with the patterns that real projects have."""
    names = [f"package/part{number % 100}/tests/test_a_module_{number}.py" for number in range(20_000)]
    patterns = [
        "tests/",
        "**/tests/**",
        "*_pb2.py",
        "/package/part1/",
        "test_*_module_*.py",
        "!part2/**/*.py",
        "docs/*",
    ]
    assert select_bounded(names, [], [*patterns, *(f"vendored{number}/" for number in range(20))]) == []
    with pytest.raises(ValueError, match=SLOW):
        select_bounded(names * 10, patterns, ["x"] * 1000)
