"""Numbers that compare equal but are not the same, that do not compare equal to themselves, or that are large."""

INFINITY = 1e400
NAN = 1e400 - 1e400
ZEROS = (0, 0.0, -0.0, 0j, -0j, 0.0 - 0j, -0.0 + 0j, False)
ONES = (1, 1.0, 1 + 0j, True)
COMPLEX = (1.5j, -1.5j, 2 + 1.5j, -2.5 - 1.5j, 1e400j)
BOUNDARIES = (
    2**15 - 1, 2**15, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 2**32, 2**45, 2**63 - 1, 2**63, 2**64,
    -(2**15) + 1, -(2**15), -(2**30), -(2**31), -(2**31) - 1, -(2**32), -(2**63), -(2**63) - 1, -(2**64),
)
HUGE = 123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890
HUGE_AGAIN = 0x3FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF
NEGATIVE = -123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890
FLOATS = (0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1e-300)


def nan():
    return 1e400 - 1e400, 1e400 * 0


def negative_zero():
    return -0.0


def zero():
    return 0.0


def check():
    return (
        NAN != NAN
        and INFINITY > 1.7976931348623157e308
        and [str(number) for number in ZEROS[:3]] == ["0", "0.0", "-0.0"]
        and [type(number) for number in ONES] == [int, float, complex, bool]
        and (str(negative_zero()), str(zero())) == ("-0.0", "0.0")
        and HUGE == -NEGATIVE
        and all(number != number for number in nan())
        and BOUNDARIES[4] + 1 == BOUNDARIES[5]
        and BOUNDARIES[13] == BOUNDARIES[12] * 32768
        and HUGE_AGAIN % 16 == 15
        and FLOATS[2] > 0
        and COMPLEX[4].imag == INFINITY
    )
