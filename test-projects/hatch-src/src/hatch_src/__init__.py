"""An ordinary package."""

from hatch_src.nested.counting import count

ANSWER = 42


def answer() -> int:
    """Return what a test expects."""
    return max(count(ANSWER))
