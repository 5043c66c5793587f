"""A module that compiles to different code at each optimization level."""

from pdm_src.nested.asserting import has_asserts

ANSWER = 42


def answer() -> int:
    """Return what a test expects."""
    return ANSWER


def level() -> int:
    """Return the optimization level at which this was compiled."""
    if has_asserts():
        return 0
    return 1 if __doc__ else 2
