"""Each rule of the specification has a vector that fails an implementation which breaks this rule alone.

The broken implementations are the reference implementation with one change to its source.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

import reference
from conformance import VECTORS, Vector, read

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(reference.__file__).read_text("utf-8")
CONFORMANCE = VECTORS.with_name("conformance.py")
# The fields of code objects, and what they are if one is not an identifier.
BEFORE, SINCE = '"s(nnnnuiLs"', '"s(nnsuiuLss"'
NOT_IDENTIFIERS_BEFORE = {
    "names": '"s((nnnuiLs"',
    "varnames": '"s(n(nnuiLs"',
    "freevars": '"s(nn(nuiLs"',
    "cellvars": '"s(nnn(uiLs"',
    "name": '"s(nnnnuuLs"',
}
NOT_IDENTIFIERS_SINCE = {"names": '"s((nsuiuLss"', "localsplusnames": '"s(n(suiuLss"', "name": '"s(nnsuuuLss"'}
TEXT_FLOATS = {
    "1.": (r"(\.[0-9]*)?", r"(\.[0-9]+)?"),
    ".5": (r"[0-9]+(\.", r"[0-9]*(\."),
    "nan": ("inf|nan|", "inf|"),
    "inf": ("inf|nan|", "nan|"),
    "1E5": ("(e[+-]?", "([eE][+-]?"),
    "1e-5": ("(e[+-]?", "(e"),
    "+1": ('rb"-?(', 'rb"[-+]?('),
}

# What is broken, the source, and what replaces it.
MUTANTS: list[tuple[str, str, str]] = [
    # Values
    ("floats by value", "(kind, head, same)", '(kind, head.replace(b"\\x80", b"") if kind in "gy" else head, same)'),
    ("NaN by value", 'kind in "gy" and any', "False and any"),
    ("a complex's imaginary NaN by value", '<d", head[1:])', '<d", head[1:9])'),
    ("a complex's real NaN by value", '<d", head[1:])', '<d", head[-8:])'),
    ("lists by value", '"[{<"', '"{<"'),
    ("dicts by value", '"[{<"', '"[<"'),
    ("sets by value", '"[{<"', '"[{"'),
    ("frozensets by the order of their elements", 'frozenset(map(id, items)) if kind == ">" else', ""),
    ("tuples in any order", 'if kind == ">" else', 'if kind in "(>" else'),
    ("frozendicts in any order", 'if kind == ">" else', 'if kind in "}>" else'),
    ("slices in any order", 'if kind == ">" else', 'if kind in ":>" else'),
    ("code objects without their integers", "(kind, head, same)", '(kind, head if kind != "c" else b"", same)'),
    # Rules 1 to 3
    ("no sharing", "return self.values.setdefault(", "return new or self.values.setdefault("),
    *(
        (f"no sharing of {kind}", "if kind in MUTABLE or (", f'if kind == "{kind}" or kind in MUTABLE or (')
        for kind in "igysu(>c}:"
    ),
    ("a flag on everything", "elif times[node] == 1 or", "elif"),
    ("no flags for containers", "elif times[node] == 1 or", "elif times[node] == 1 or node.items or"),
    ("numbers from 1", "= len(numbers)", "= len(numbers) + 1"),
    *((f"{kind} is shared", 'SINGLETONS + "L0"', f'SINGLETONS.replace("{kind}", "") + "L0"') for kind in "NFT.S"),
    ("the end of a dict is shared", 'SINGLETONS + "L0"', 'SINGLETONS + "L"'),
    ("the first line number is shared", 'SINGLETONS + "L0"', 'SINGLETONS + "0"'),
    ("the empty tuple is shared", '"L0" or node.head == EMPTY_TUPLE', '"L0"'),
    ("singletons take slots", "            return self.node(kind, kind.encode(), [], start)", "            pass"),
    (
        "a container takes its slot when it ends",
        "self.flagged[slot] = found",
        "self.flagged[slot:slot+1] = []; self.flagged.append(found)",
    ),
    # Rule 4
    ("sets in the order of the input", "node.items.sort(key=standalone)", "pass"),
    ("sets in reverse", "key=standalone)", "key=standalone, reverse=True)"),
    ("sets by size first", "key=standalone)", "key=lambda item: (item.size, standalone(item)))"),
    ("sets by their outermost type and value", "key=standalone)", "key=lambda item: item.head)"),
    ("only frozensets are sorted", 'and kind in "<>")', 'and kind == ">")'),
    ("only sets are sorted", 'and kind in "<>")', 'and kind == "<")'),
    ("outer sets first", "for node in self.sets:", "for node in reversed(self.sets):"),
    ("equal encodings in reverse", "key=standalone)", "key=lambda item: (standalone(item), -item.start))"),
    (
        "sets are sorted before interning",
        "reader.intern()\n    reader.order_sets()",
        "reader.order_sets()\n    reader.intern()",
    ),
    # Rule 5
    *((f"{name} before 3.11 is not an identifier", BEFORE, fields) for name, fields in NOT_IDENTIFIERS_BEFORE.items()),
    *((f"{name} since 3.11 is not an identifier", SINCE, fields) for name, fields in NOT_IDENTIFIERS_SINCE.items()),
    ("constants are identifiers", SINCE, '"snnsuiuLss"'),
    ("a path is an identifier before 3.11", BEFORE, '"s(nnnniiLs"'),
    ("a path is an identifier since 3.11", SINCE, '"s(nnsiiuLss"'),
    ("a qualname is an identifier", SINCE, '"s(nnsuiiLss"'),
    ("identifiers are not interned", "node in identifiers or", ""),
    ("only identifiers are interned", "(node in identifiers or re.", "(node in identifiers and re."),
    ("everything is interned", "(node in identifiers or re.", "(True or re."),
    ("the empty string is not interned", "[A-Za-z0-9_]*", "[A-Za-z0-9_]+"),
    ("a digit first is not interned", "[A-Za-z0-9_]*", "([A-Za-z_][A-Za-z0-9_]*)?"),
    ("no digits", "[A-Za-z0-9_]*", "[A-Za-z_]*"),
    ("no underscore", "[A-Za-z0-9_]*", "[A-Za-z0-9]*"),
    ("no capitals", "[A-Za-z0-9_]*", "[a-z0-9_]*"),
    ("dots as well", "[A-Za-z0-9_]*", "[A-Za-z0-9_.]*"),
    ("a line end as well", "[A-Za-z0-9_]*", "[A-Za-z0-9_]*\\n?"),
    ("everything between A and z", "[A-Za-z0-9_]*", "[A-z0-9]*"),
    ("long strings are not interned", "z.|a....", "z."),
    ("what is not ASCII is not interned", 'b"u": b"t"', 'b"u": b"u"'),
    ("letters that are not ASCII", "z.|a....)[A-Za-z0-9_]*", "z.|[au]....)[A-Za-z0-9_\\x80-\\xff]*"),
    # Rule 6
    ("a short string has 254 characters", "isascii() and len(content) < 256", "isascii() and len(content) < 255"),
    ("a short tuple has 254 items", "and size < 256", "and size < 255"),
    ("the smallest integer in digits", "and -(1 << 31) <= value", "and -(1 << 31) < value"),
    ("the largest integer in digits", "value < 1 << 31:", "value < (1 << 31) - 1:"),
    ("digits are kept", "if len(digits) <= 3 and", "if len(digits) == 0 and"),
    ("digits without a sign", "* (-1 if size < 0 else 1)", ""),
    (
        "big-endian digits",
        "digit << 15 * place for place, digit in enumerate(digits[:3])",
        "digit << 15 * (len(digits) - 1 - place) for place, digit in enumerate(digits)",
    ),
    ("a float as text is not rounded", 'struct.pack("<d", float(text))', 'struct.pack("<d", float(text[:5]))'),
    ("NaN as text has no sign", 'struct.pack("<d", float(text))', 'struct.pack("<d", abs(float(text)))'),
    # Releases and code objects
    ("slices before 3.14", '":": (3, 14), ', ""),
    ("slices in 3.15 only", '":": (3, 14)', '":": (3, 15)'),
    ("frozendicts before 3.15", ', "}": (3, 15)', ""),
    ("3.10 as 3.11", "version >= (3, 11)", "version >= (3, 10)"),
    ("3.11 as 3.10", "version >= (3, 11)", "version >= (3, 12)"),
    ("3.7", "(3, 8) <= version", "(3, 7) <= version"),
    ("3.16", "version <= (3, 15)", "version <= (3, 16)"),
    # Reading
    ("surrogates", '"utf-8", "surrogatepass"', '"utf-8", "strict"'),
    ("ASCII is not checked", '("ascii",) if kind in "aAzZ"', '("latin-1",) if kind in "aAzZ"'),
    ("a flagged reference", 'if code == ord("r"):', 'if kind == "r":'),
    ("a flagged end of a dict", '& 0x7F == ord("0")', '== ord("0")'),
    *((f"float as text {text}", old, new) for text, (old, new) in TEXT_FLOATS.items()),
    # Limits
    *((f"levels: {new}", "2000, 1 <<", f"{new}, 1 <<") for new in (1999, 2001)),
    *((f"objects: {new}", "1 << 20", new) for new in ("(1 << 20) - 1", "(1 << 20) + 1")),
    *((f"sets: {new}", "1 << 24", new) for new in ("(1 << 24) - 1", "(1 << 24) + 1")),
    ("a container counts three", "self.count += size + 3", "self.count += size + 2"),
    ("items do not count", "self.count += size + 3", "self.count += 3"),
    ("slices count no items", '":": 3, "{": 0', '":": 3, "{": 0}.get(kind, -1) if kind != ":" else 3, {"{": 0'),
    ("items of dicts do not count", "self.count += len(items)", "self.count += 0"),
    ("the end of a dict does not count", "self.count += len(items)", "self.count += len(items) - 1"),
    ("items of closed dicts count as open", "self.in_open_dicts -= len(items)", "pass"),
    ("each occurrence of a set counts", "found.start == start and kind in", "kind in"),
    ("levels as read only", "level == MAX_LEVELS:\n                raise", "False:\n                raise"),
    ("every empty tuple is a scalar", 'if code == ord(")") and', 'if kind == ")" and'),
    ("no empty tuple is a scalar", 'if code == ord(")") and self.number("<B") == 0:', "if False:"),
]


def refusals() -> Iterator[tuple[str, str, str]]:
    """Yield, for each refusal in the source, a mutant without it, and one that names another offset."""
    for match in re.finditer(r"^ +if .*:\n +raise Refusal\((.*), (.*)\)$", SOURCE, re.MULTILINE):
        kind, offset = match.groups()
        line = SOURCE.count("\n", 0, match.start()) + 1
        head, _, _ = match[0].partition("raise")
        yield f"line {line}: no {kind}", match[0], f"{head}pass"
        yield f"line {line}: another offset of {kind}", match[0], f"{head}raise Refusal({kind}, {offset} + 1)"


ALL = [*MUTANTS, *refusals()]


def mutated(old: str, new: str) -> str:
    assert old in SOURCE
    return SOURCE.replace(old, new, 1)


def load(source: str) -> ModuleType:
    module = ModuleType("mutant")
    exec(compile(source, "mutant.py", "exec"), module.__dict__)  # noqa: S102 - the reference implementation
    return module


@pytest.fixture(autouse=True)
def recursion_limit() -> Iterator[None]:
    """Keep the limit, which the reference implementation raises."""
    limit = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(limit)


def passes(module: ModuleType, vector: Vector) -> bool:
    major, minor = map(int, vector.version.split("."))
    try:
        return bool(module.canonicalize(vector.payload, (major, minor)) == vector.expected)
    except module.Refusal as refusal:
        return bool(refusal.args == vector.expected)
    except Exception:  # noqa: BLE001 - an implementation that crashes fails as well
        return False


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """Return the vectors, those that take long last."""
    found = [vector for path in VECTORS.glob("*.jsonl") for vector in read(path)]
    return sorted(
        found,
        key=lambda vector: (
            "beyond" in vector.name,
            vector.rule == "limits",
            len(vector.payload) > 100_000,
            "unfold" in vector.name,
            len(vector.payload),
        ),
    )


@pytest.mark.parametrize(("old", "new"), [mutant[1:] for mutant in ALL], ids=[mutant[0] for mutant in ALL])
def test_mutant_is_caught(old: str, new: str, vectors: list[Vector]) -> None:
    module = load(mutated(old, new))
    # Those that are likely to catch it come first.
    likely = [vector for vector in vectors if f'raise Refusal("{vector.expected[0]}"' in old]
    likely += [vector for vector in vectors if "len(items)" in old and " dict" in f" {vector.name}"]
    assert any(not passes(module, vector) for vector in [*likely, *vectors])


def test_conformance_fails_for_a_mutant(tmp_path: Path) -> None:
    """The program that others run finds it too, and passes the original."""
    (tmp_path / "mutant.py").write_text(mutated("node.items.sort(key=standalone)", "pass"), encoding="utf-8")
    outputs = []
    for program, status in ((Path(reference.__file__), 0), (tmp_path / "mutant.py", 1)):
        command = [sys.executable, str(CONFORMANCE), "--only", "3.12", sys.executable, "-I", "-S", str(program)]
        completed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (completed.returncode, completed.stderr) == (status, "")
        outputs.append(completed.stdout)
    number = sum(1 for _ in read(VECTORS / "3.12.jsonl"))
    assert outputs[0] == f"{number} of {number} vectors passed\n"
    assert "3.12, sets, " in outputs[1]
