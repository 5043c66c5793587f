ANSWER = 42


def answer():
    return ANSWER
