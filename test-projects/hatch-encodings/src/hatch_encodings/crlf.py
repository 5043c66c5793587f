"""Lines that end
in CRLF."""

TEXT = """naïve
"""

if True:
    LINES = [
        1,
        2,
    ]
