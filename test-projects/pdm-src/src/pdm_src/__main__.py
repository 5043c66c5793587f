"""``python -m pdm_src``."""

from pdm_src import answer


def main() -> None:
    """Print the answer."""
    print(answer())


if __name__ == "__main__":
    main()
