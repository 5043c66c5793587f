"""Frozensets: shared between functions, of tuples, of mixed types, of other frozensets."""

x = "zebra"

# Whether this set and the one in the function are the same object depends on whether "zebra" was interned before.
IN_MODULE = x in {"zebra", 2, 3}


def in_function(x):
    return x in {"zebra", 2, 3}


def importing():
    import zebra

    return zebra


def first(x):
    return x in {"one", "two", "three", "four", "five", "six", "seven", "eight"}


def second(x):
    return x in {"one", "two", "three", "four", "five", "six", "seven", "eight"}


def other_order(x):
    return x in {"eight", "seven", "six", "five", "four", "three", "two", "one"}


def of_tuples(x):
    return x in {("a-b", 1), ("a-b", 2), ("c-d", (3, "a-b")), (), (None, ...)}


def of_tuples_again(x):
    return x in {("a-b", 1), ("a-b", 2), ("c-d", (3, "a-b")), (), (None, ...)}


def mixed(x):
    return x in {None, ..., "text", b"text", 1.5, 1.5j, -1, 2**70, ("two words", 1.5), "é", "\U0001f40d"}


def numbers(x):
    return x in {0.0, 1, 2.5, 10**30, -(10**30), 1j}


class Holder:
    names = "zebra"

    def method(self, x):
        return [y for y in x if y in {"zebra", 2, 3}]


def check():
    return (
        IN_MODULE
        and in_function(3)
        and first("one")
        and second("eight")
        and other_order("two")
        and of_tuples(("c-d", (3, "a-b")))
        and of_tuples_again(())
        and mixed(2**70)
        and numbers(1j)
        and Holder().method([1, 2]) == [2]
    )
