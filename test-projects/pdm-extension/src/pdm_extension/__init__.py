from pdm_extension._native import doubled

ANSWER = 42


def answer():
    return doubled(ANSWER) // 2
