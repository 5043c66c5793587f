from hatch_constants import lambdas, letters, nested, numbers, sets, strings

ANSWER = 42


def answer():
    """Check every kind of constant, and return what a test expects."""
    assert sets.check()
    assert nested.check()
    assert numbers.check()
    assert strings.check()
    assert lambdas.check()
    assert letters.check()
    return ANSWER
