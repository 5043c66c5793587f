"""The problems of an untrusted wheel, within bounds."""

from __future__ import annotations

import pickle
from itertools import count

from detpyc.limits import MAX_MESSAGE, MAX_PROBLEMS
from detpyc.wheel.problems import Problem, Rule, limited, under_rule


def test_few() -> None:
    assert limited(["b", "a", "b"]) == ("b", "a")
    assert limited([]) == ()


def test_many() -> None:
    assert limited(map(str, range(MAX_PROBLEMS))) == tuple(map(str, range(MAX_PROBLEMS)))
    *first, last = limited(map(str, range(MAX_PROBLEMS + 1)))
    assert (first, last) == (list(map(str, range(MAX_PROBLEMS))), "and more problems")


def test_without_end() -> None:
    assert limited(map(str, count()))[-1] == "and more problems"


def test_long() -> None:
    (problem,) = limited(["x" * 10_000])
    assert problem == "x" * MAX_MESSAGE + "... (10000 characters)"


def test_rules() -> None:
    """A problem keeps its rule; others get that of where they are collected."""
    first, second, third, fourth = limited(["a", Problem("b", Rule.NAME), Problem("c" * 10_000, Rule.NAME), "d"])
    assert (first.rule, second.rule, third.rule, fourth.rule) == (Rule.CONTENT, Rule.NAME, Rule.NAME, Rule.CONTENT)
    assert [problem.rule for problem in limited(["a", second], Rule.RECORD)] == [Rule.RECORD, Rule.NAME]
    assert [problem.rule for problem in under_rule(Rule.RECORD, ["a", second])] == [Rule.RECORD, Rule.NAME]


def test_problems_can_be_pickled() -> None:
    problem = Problem("a", Rule.NAME)
    again = pickle.loads(pickle.dumps(problem))  # noqa: S301 - it was pickled here
    assert (again, again.rule) == ("a", Rule.NAME)
