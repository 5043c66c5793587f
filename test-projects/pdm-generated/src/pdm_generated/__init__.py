from pdm_generated._generated import CUBES, VERSION

ANSWER = 42


def answer():
    assert VERSION == "1.0"
    return ANSWER if CUBES[9] == 729 else 0
