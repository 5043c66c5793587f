"""Structural pattern matching: Python 3.10."""


def match(value):
    match value:
        case {"kind": "pair", "items": [first, second], **rest}:
            return first, second, rest
        case [1 | 2 | 3 as small, *others]:
            return small, others
        case complex(real=0.0, imag=imag) | (-1.5 + 2j as imag):
            return imag
        case "zebra" | b"zebra" | None | -1:
            return "constant"
        case str(text) if text:
            return text
        case _:
            return "anything"


def check():
    return (
        match({"kind": "pair", "items": [1, 2], "x": 3}) == (1, 2, {"x": 3})
        and match([2, 5]) == (2, [5])
        and match(3j) == 3
        and match(b"zebra") == "constant"
        and match("") == "anything"
    )
