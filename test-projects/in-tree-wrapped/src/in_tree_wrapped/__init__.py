"""The whole distribution: a package, a package in it, and data."""

from importlib.resources import files

from .nested import counting

ANSWER = 42


def answer():
    assert counting.count("banana") == {"a": 3, "b": 1, "n": 2}
    assert files(__name__).joinpath("data.txt").read_text(encoding="utf-8") == "data\n"
    return ANSWER
