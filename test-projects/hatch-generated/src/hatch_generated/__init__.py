from hatch_generated._generated import SQUARES, VERSION

ANSWER = 42


def answer():
    assert VERSION == "1.0"
    return ANSWER if SQUARES[9] == 81 else 0
