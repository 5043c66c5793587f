from ._vendored import doubled

ANSWER = 42


def answer():
    return doubled(ANSWER) // 2
