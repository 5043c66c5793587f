"""Names of one letter outside ASCII.

Once a process has compiled such a name, CPython up to 3.12 writes the same letter differently wherever it is a constant,
as in strings.py. This is the largest source of the project, so it is compiled first: by the worker that also compiles
strings.py, or by another worker.
"""

å, ä, ö = 1, 2, 3
é, è, ê = 4, 5, 6
ß, ø, ü = 7, 8, 9


class Ø:
    """Three coefficients."""

    def __init__(self, å, ä, ö):
        self.å = å
        self.ä = ä
        self.ö = ö

    def __add__(self, ø):
        return Ø(self.å + ø.å, self.ä + ø.ä, self.ö + ø.ö)

    def __sub__(self, ø):
        return Ø(self.å - ø.å, self.ä - ø.ä, self.ö - ø.ö)

    def __mul__(self, ß):
        return Ø(self.å * ß, self.ä * ß, self.ö * ß)

    def __matmul__(self, ø):
        return self.å * ø.å + self.ä * ø.ä + self.ö * ø.ö

    def __eq__(self, ø):
        return isinstance(ø, Ø) and (self.å, self.ä, self.ö) == (ø.å, ø.ä, ø.ö)

    def __hash__(self):
        return hash((self.å, self.ä, self.ö))

    def __repr__(self):
        return f"Ø({self.å!r}, {self.ä!r}, {self.ö!r})"

    def __iter__(self):
        yield self.å
        yield self.ä
        yield self.ö


def cross(é, è):
    """Return the product that is at right angles to both."""
    return Ø(é.ä * è.ö - é.ö * è.ä, é.ö * è.å - é.å * è.ö, é.å * è.ä - é.ä * è.å)


def determinant(é, è, ê):
    """Return the volume that three of them span."""
    return cross(é, è) @ ê


def transposed(é, è, ê):
    """Turn rows into columns."""
    return Ø(é.å, è.å, ê.å), Ø(é.ä, è.ä, ê.ä), Ø(é.ö, è.ö, ê.ö)


def applied(é, è, ê, *, ü):
    """Apply three rows to a column."""
    return Ø(é @ ü, è @ ü, ê @ ü)


def powers(ü, *, ß=4):
    """Give the first powers of a number."""
    ø = 1
    for _ in range(ß):
        yield ø
        ø *= ü


def polynomial(é):
    """Return a function with its coefficients in a closure."""

    def ê(ü):
        return sum(ß * ø for ß, ø in zip(é, powers(ü, ß=3)))

    return ê


def swapped(ö):
    """Swap a number's halves, and its halves' halves."""
    ä, ü = divmod(ö, 256)
    å, ß = divmod(ä, 16)
    é, è = divmod(ü, 16)
    return ((è * 16 + é) * 16 + ß) * 16 + å


def counted(ß):
    """Count equal items."""
    ø = {}
    for é in ß:
        ø[é] = ø.get(é, 0) + 1
    return ø


def largest(ß):
    """Return the largest item and its index."""
    ø, é = None, None
    for è, ê in enumerate(ß):
        if ø is None or ê > ø:
            ø, é = ê, è
    return ø, é


ROWS = Ø(å, ä, ö), Ø(é, è, ê), Ø(ß, ø, ü)


def check():
    return (
        determinant(*ROWS) == 0
        and applied(*transposed(*ROWS), ü=Ø(1, 0, 0)) == Ø(1, 2, 3)
        and polynomial(Ø(1, 2, 3))(10) == 321
        and swapped(0x1234) == 0x4321
        and counted(ROWS[0]) == {1: 1, 2: 1, 3: 1}
        and largest(ROWS[1] * 2 - ROWS[0] + ROWS[0]) == (12, 2)
    )
