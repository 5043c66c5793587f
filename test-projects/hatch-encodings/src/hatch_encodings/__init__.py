from . import bom, carriage_return, cookie, crlf, cyrillic, form_feed, latin1, no_newline

ANSWER = 42
TEXTS = {each.TEXT for each in (bom, carriage_return, cookie, crlf, cyrillic, form_feed, latin1, no_newline)}


def answer():
    assert TEXTS == {'naïve\n', 'да\n'}, TEXTS
    return ANSWER
