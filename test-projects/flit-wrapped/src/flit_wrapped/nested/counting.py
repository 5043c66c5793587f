"""Constants that marshal writes differently from run to run."""

VOWELS = "aeiou"


def count(word):
    return {letter: word.count(letter) for letter in sorted(word) if letter in {"a", "b", "n", *VOWELS}}
