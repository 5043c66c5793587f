"""``python -m hatch_src``."""

from hatch_src import answer


def main() -> None:
    """Print the answer."""
    print(answer())


if __name__ == "__main__":
    main()
