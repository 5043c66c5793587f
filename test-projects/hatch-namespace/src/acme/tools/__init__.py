from acme.solo import ONE

ANSWER = 42


def answer():
    return ANSWER * ONE
