"""Type parameters and aliases: Python 3.12."""

type Pair[T] = tuple[T, T]
type Recursive[*Ts, **P] = dict[str, Recursive[*Ts, P]] | tuple[*Ts]


class Box[T: (int, str)]:
    def __init__(self, content: T) -> None:
        self.content = content

    def pair[U](self, other: U) -> tuple[T, U]:
        return self.content, other


def first[T, *Ts, **P](pair: Pair[T], *rest: *Ts) -> T:
    return pair[0]


def check():
    return Box(1).pair("a") == (1, "a") and first((1, 2)) == 1 and f"{'quote' + f"{"nested"}"}" == "quotenested"
