"""Code objects that are equal, or that differ only in their column."""

ON_ONE_LINE = [lambda x: x + 1, lambda x: x + 1, lambda x: x + 2, lambda x: x + 1.0, lambda x: x + True]
NESTED = lambda x: lambda y: lambda z: (x, y, z); AGAIN = lambda x: lambda y: lambda z: (x, y, z)


def make():
    def same():
        return "two words"

    return same


def make_again():
    def same():
        return "two words"

    return same


class A:
    class B:
        def method(self):
            return __class__.__name__


class C:
    class B:
        def method(self):
            return __class__.__name__


def comprehensions(items):
    return [x for x in items], {x for x in items}, {x: x for x in items}, list(x for x in items)


def check():
    return (
        [type(function(1)) for function in ON_ONE_LINE] == [int, int, int, float, int]
        and NESTED(1)(2)(3) == AGAIN(1)(2)(3) == (1, 2, 3)
        and make()() == make_again()()
        and A.B().method() == C.B().method() == "B"
        and comprehensions([1]) == ([1], {1}, {1: 1}, [1])
    )
