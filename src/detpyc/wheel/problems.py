"""Bound what is reported of an untrusted wheel."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from detpyc.limits import MAX_MESSAGE, MAX_PROBLEMS
from detpyc.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["limited"]


def limited(problems: Iterable[str]) -> tuple[str, ...]:
    """Return the first problems, without those that occur again, each of a bounded length."""
    distinct = iter(dict.fromkeys(islice(problems, 10 * MAX_PROBLEMS)))
    found = tuple(shortened(problem, MAX_MESSAGE) for problem in islice(distinct, MAX_PROBLEMS))
    return found if next(distinct, None) is None else (*found, "and more problems")
