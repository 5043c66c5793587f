"""The problems of an untrusted artifact as a whole: what they are, and how many of them are reported."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

from detpyc.limits import MAX_MESSAGE, MAX_PROBLEMS
from detpyc.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

__all__ = ["Problem", "Rule", "limited", "under_rule"]


class Rule(str, Enum):
    """What a problem violates. The values are stable."""

    RECORD = "record"
    INSTALLED_PATH = "installed-path"
    NAME = "ambiguous-name"
    DISGUISE = "disguised-bytecode"
    PROVENANCE = "provenance"
    METADATA = "metadata"
    CONTENT = "unverified-content"


class Problem(str):
    """What is wrong with an artifact as a whole: a sentence for people, with the rule that it violates.

    Attributes:
        rule: for programs; the wording of the sentence may change.

    """

    __slots__ = ("rule",)

    rule: Rule

    def __new__(cls, text: str, rule: Rule = Rule.CONTENT) -> Self:
        """Create it; an existing problem keeps its own rule."""
        problem = super().__new__(cls, text)
        problem.rule = text.rule if isinstance(text, Problem) else rule
        return problem


def under_rule(rule: Rule, problems: Iterable[str]) -> Iterable[Problem]:
    """Return problems with a rule, unless they have one."""
    return (Problem(problem, rule) for problem in problems)


def limited(problems: Iterable[str], rule: Rule = Rule.CONTENT) -> tuple[Problem, ...]:
    """Return the first problems, without those that occur again, each of a bounded length.

    Args:
        problems: what is wrong.
        rule: that those violate which have none.

    """
    distinct = iter(dict.fromkeys(islice(problems, 10 * MAX_PROBLEMS)))
    found = []
    for problem in islice(distinct, MAX_PROBLEMS):
        ruled = Problem(problem, rule)
        found.append(Problem(shortened(ruled, MAX_MESSAGE), ruled.rule))
    return tuple(found) if next(distinct, None) is None else (*found, Problem("and more problems", rule))
