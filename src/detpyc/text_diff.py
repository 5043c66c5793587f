"""Compare text files line by line: unified diffs, of a bounded size and made in a bounded time."""

from __future__ import annotations

from difflib import Match, SequenceMatcher, unified_diff
from itertools import accumulate

from detpyc.limits import MAX_DIFF_LINES, MAX_DIFF_STEPS, MAX_MESSAGE
from detpyc.wording import counted, shortened

__all__ = ["TextDiffs"]

_NO_NEWLINE = "\n\\ No newline at end of file"  # as diff and git say it


class TextDiffs:
    """Makes the diffs of one comparison, whose work is limited in all."""

    def __init__(self) -> None:
        self.steps = MAX_DIFF_STEPS

    def diff(self, name: str, a: bytes, b: bytes) -> tuple[str, ...]:
        """Return a unified diff of two files.

        Args:
            name: of both files.
            a: the content of the first.
            b: the content of the second.

        Returns:
            Its lines, without newlines; control characters are not escaped. Empty if the files are equal, one of them
            is not UTF-8 text, or comparing them would take too long.

        """
        allowed = self.steps // 2  # so that one large file does not take all
        try:
            lines_a, lines_b = _lines(a), _lines(b)
            matcher = _Matcher(lines_a, lines_b, allowed)
            matcher.get_opcodes()  # in `unified_diff`, it cannot be limited
        except UnicodeDecodeError:
            return ()
        except _TooLongError:
            self.steps -= allowed
            return ()
        self.steps -= allowed - matcher.steps
        hunks = unified_diff(lines_a, lines_b, f"a/{name}", f"b/{name}", lineterm="")
        lines = [shortened(line, MAX_MESSAGE) for hunk in hunks for line in hunk.split("\n")]
        if len(lines) > MAX_DIFF_LINES:
            lines[MAX_DIFF_LINES:] = [f"... {counted(len(lines) - MAX_DIFF_LINES, 'more line')}"]
        return tuple(lines)


def _lines(content: bytes) -> list[str]:
    """Split a text at newlines only: a carriage return or form feed is a part of a line.

    Raises:
        UnicodeDecodeError: if it is not UTF-8, or has a null character, as only binary files do.

    """
    null = content.find(b"\0")
    if null >= 0:
        raise UnicodeDecodeError("utf-8", content[null : null + 1], 0, 1, "null character")
    *lines, last = content.decode("utf-8").split("\n")
    return [*lines, last + _NO_NEWLINE] if last else lines


class _TooLongError(Exception):
    """Comparing two texts takes more steps than are left."""


class _Matcher(SequenceMatcher[str]):
    """Finds the lines that two texts share, in a limited number of steps."""

    b2j: dict[str, list[int]]  # which the type checker does not know: where each line of the second text is

    def __init__(self, a: list[str], b: list[str], steps: int) -> None:
        self.steps = steps - len(a) - len(b)
        if self.steps < 0:
            raise _TooLongError
        super().__init__(None, a, b)
        self.costs = [0, *accumulate(1 + len(self.b2j.get(line, ())) for line in a)]  # of a search up to a line

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        self.steps -= self.costs[-1 if ahi is None else ahi] - self.costs[alo]
        if self.steps < 0:
            raise _TooLongError
        return super().find_longest_match(alo, ahi, blo, bhi)
