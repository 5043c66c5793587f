from . import bom, carriage_return, cookie, crlf, cyrillic, form_feed, latin1, no_newline

ANSWER = 42
STRINGS = {module.TEXT for module in (bom, carriage_return, cookie, crlf, cyrillic, form_feed, latin1, no_newline)}


def answer():
    assert STRINGS == {'naïve\n', 'да\n'}, STRINGS
    return ANSWER
