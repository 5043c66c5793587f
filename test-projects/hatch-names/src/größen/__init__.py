"""Größen – ein Paket, dessen Namen nicht in ASCII passen."""

from importlib import import_module

from größen.数 import 三
from größen.maße import Maß, ﬁeld, ναι

SPACED = import_module("größen.with space").SPACED
COMMA = import_module("größen.comma, semicolon; it's").COMMA

ANSWER = 42


def answer():
    # An identifier is what NFKC makes of it: the ligature is two letters, the bold letter a plain one.
    𝐥ength = Maß(länge=三).länge
    assert (length, field, ναι, SPACED, COMMA) == (3, "ﬁeld", True, " ", ",")
    return ANSWER
