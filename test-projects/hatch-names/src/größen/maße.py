class Maß:
    __größe = "ß"

    def __init__(self, *, länge):
        self.länge = länge

    def __repr__(self):
        return f"Maß({self.länge!r}, {self.__größe!r})"


ﬁeld = "ﬁeld"  # the name loses its ligature, the string keeps it
ναι = True
