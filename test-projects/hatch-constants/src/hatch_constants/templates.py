"""Template strings, and except without parentheses: Python 3.14."""


def greeting(name):
    try:
        return t"Hello, {name!r:>{len(name) + 4}}!" t" And {name}."
    except TypeError, ValueError:
        return None


def check():
    template = greeting("zebra")
    return template.strings == ("Hello, ", "! And ", ".") and template.values == ("zebra", "zebra")
