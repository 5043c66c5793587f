"""Strings that are interned and that are not; short and long ones; outside ASCII; bytes."""

NAMES = ("zebra", "check", "one_character", "_", "A1")
CHARACTERS = ("-", " ", ".", "\n", "a", "Z", "å", "ä", "ö", "é", "ß", "ø", "\xff", "\u0100", "\0", "")
STRINGS = ("two words", "a-b", "na\u00efve", "naïve", "Größe", "数学", "🐍", "e\u0301", "\ud800", "\udcff", "\U0010ffff")
LONG = "Long, and longer than 255 characters. Long, and longer than 255 characters. Long, and longer than 255 characters. Long, and longer than 255 characters. Long, and longer than 255 characters. Long, and longer than 255 characters. Long, and longer than 255 characters. Long, and longer than 255 characters. "
LONG_NAME = "abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_abcdefghij_"
LONG_OUTSIDE_ASCII = "数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は数学は"
BYTES = (b"", b"a", b"zebra", b"two words", b"\xff\x00\xfe", b"0000 0001 0002 0003 0004 0005 0006 0007 0008 0009 000a 000b 000c 000d 000e 000f 0010 0011 0012 0013 0014 0015 0016 0017 0018 0019 001a 001b 001c 001d 001e 001f 0020 0021 0022 0023 0024 0025 0026 0027 0028 0029 002a 002b 002c 002d 002e 002f 0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003a 003b 003c 003d 003e 003f 0040 0041 0042 0043 0044 0045 0046 0047 0048 0049 004a 004b 004c 004d 004e 004f")
LIKE_BYTES = ("", "a", "zebra", "two words")


def documented():
    """Größe – a docstring outside ASCII, with "quotes" and \\ a backslash."""
    return LONG.split(" "), "-".join(CHARACTERS), f"{NAMES[0]!r:>10} – {len(LONG):,}"


def one_character(x="-"):
    return x.join(["a", "b"]).split("-")


def check():
    return (
        len(LONG) == 304
        and len(LONG_NAME) == 264
        and len(LONG_OUTSIDE_ASCII) == 300
        and STRINGS[2] == STRINGS[3]
        and STRINGS[8] != STRINGS[9]
        and all(isinstance(constant, bytes) for constant in BYTES)
        and documented()[2] == "   'zebra' – 304"
        and one_character() == ["a", "b"]
    )
