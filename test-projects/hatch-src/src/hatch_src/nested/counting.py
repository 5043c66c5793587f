"""A module in a subpackage, with closures, a generator and a class: several code objects."""

from typing import Callable, Iterator


class Counter:
    """Counts calls and items."""

    limit = 10**20

    def __init__(self) -> None:
        self.seen = {"calls": 0, "items": 0}

    def __call__(self, items: int) -> int:
        self.seen["calls"] += 1
        self.seen["items"] += items
        return min(self.seen["items"], self.limit)


def counter() -> Callable[[], int]:
    """Return a function that counts its calls."""
    calls = 0

    def call() -> int:
        nonlocal calls
        calls += 1
        return calls

    return call


def count(limit: int) -> Iterator[int]:
    """Count up to a limit."""
    call = counter()
    for _ in range(limit):
        yield call()
