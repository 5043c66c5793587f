"""Marshal code objects and constants as CPython itself does, with the process in a state that is known to matter.

Run under the interpreter in question as ``INTERPRETER -s -S -B states.py COMMAND [STATE]``: standard library only,
Python 3.8 syntax. A request is JSON on standard input, the answer JSON on standard output, bytes in base64:

    abiflags             ``sys.abiflags``: "d" for a debug build, "t" for a free-threaded one
    library              where the standard library is
    compile STATE        [name, source] pairs -> what ``marshal.dumps`` makes of each
    compare              [name, source, payload] triples -> names of those whose payload loads as something else
    values               for each of ``values()``, what each version of the marshal format makes of it
    compare-values       a payload for each -> the reprs of those whose payload loads as something else
"""

from __future__ import annotations

import json
import marshal
import os
import struct
import sys
import threading
from base64 import b64decode, b64encode
from types import CodeType
from typing import Any, Callable, Dict, List, Tuple  # noqa: UP035 - Python 3.8

Source = Tuple[str, bytes]  # noqa: UP006 - Python 3.8

FIELDS = (
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_nlocals",
    "co_stacksize",
    "co_flags",
    "co_code",
    "co_consts",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_filename",
    "co_name",
    "co_qualname",
    "co_firstlineno",
    "co_linetable" if sys.version_info >= (3, 10) else "co_lnotab",
    "co_exceptiontable",
)


def compiled(source: Source) -> CodeType:
    name, text = source
    return compile(text, name, "exec", dont_inherit=True)


def in_order(sources: list[Source]) -> list[bytes]:
    """Compile one source after the other, and keep the code objects, as a process does that imports them."""
    kept, payloads = [], []
    for source in sources:
        code = compiled(source)
        payloads.append(marshal.dumps(code))
        kept.append(code)
    return payloads


def held(sources: list[Source]) -> list[bytes]:
    """Hold every part of a code object while it is written: reference counts decide on reference flags."""
    payloads = []
    for source in sources:
        code = compiled(source)
        parts = parts_of(code)
        payloads.append(marshal.dumps(code))
        del parts
    return payloads


def parts_of(value: object) -> list[object]:
    if isinstance(value, CodeType):
        fields = [getattr(value, field, None) for field in FIELDS]
        return [*fields, *(part for field in fields for part in parts_of(field))]
    if isinstance(value, (tuple, frozenset)):
        return [*value, *(part for item in value for part in parts_of(item))]
    return []


def characters(sources: list[Source]) -> list[bytes]:
    """Intern all one-character strings beforehand, as whatever ran earlier may have."""
    interned = [sys.intern(chr(point)) for point in range(256)]
    payloads = in_order(sources)
    del interned
    return payloads


def repeated(sources: list[Source]) -> list[bytes]:
    """Compile while the code objects of the very same sources are alive, as in a process that has imported them."""
    alive = [compiled(source) for source in sources]
    payloads = in_order(sources)
    del alive
    return payloads


def threads(sources: list[Source]) -> list[bytes]:
    """Compile each source in a thread of its own, the last one first, then write all of them at the same time."""
    payloads = [b""] * len(sources)
    turns = [threading.Event() for _ in range(len(sources) + 1)]
    together = threading.Barrier(len(sources))
    turns[-1].set()

    def work(index: int) -> None:
        turns[index + 1].wait()
        code = compiled(sources[index])
        turns[index].set()
        together.wait()
        payloads[index] = marshal.dumps(code)

    workers = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(len(sources))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return payloads


STATES: Dict[str, Callable[[List[Source]], List[bytes]]] = {  # noqa: UP006 - Python 3.8
    "in-order": in_order,
    "held": held,
    "characters": characters,
    "repeated": repeated,
    "threads": threads,
}


def values() -> list[Any]:
    """Return values of every kind that this release can marshal."""
    pair = ("two words", 1.5)
    found: list[object] = [
        *(None, True, False, ..., StopIteration),
        *(0, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**45 - 1, 2**45, -(10**40)),
        *(0.0, -0.0, 1.5, -1e-300, 1e300, float("inf"), complex(-0.0, 2.5), complex(1e300, float("-inf"))),
        *("", "name", "two words", "x" * 255, "x" * 256, "- " * 200, "naïve", "\U0001f40d", "\ud800"),
        *(b"", b"bytes", b"\xff" * 300),
        *((), tuple(range(255)), tuple(range(256)), (1, True, 1.0, -0.0, 0.0), (pair, pair, frozenset({pair, 1.5}))),
        *([], [pair, [pair]], {}, {"key": [1], pair: {}}, set(), {"a b", b"a b", 3, pair}),
        *(frozenset(), frozenset({"a-b", "c-d", 1, None, (2, "e-f"), frozenset({"a-b"})})),
    ]
    if sys.version_info >= (3, 14):
        found += [slice(1, None, "a b"), (slice(pair), slice(pair), pair)]
    if sys.version_info >= (3, 15):
        mapping = frozendict({pair: "a b", "key": frozendict({"a b": pair})})  # noqa: F821 - a built-in of Python 3.15
        found += [frozendict(), (mapping, mapping, "a b", pair)]  # noqa: F821 - likewise
    return found


def in_every_format(value: Any) -> list[bytes]:
    payloads = []
    for version in range(marshal.version + 1):
        try:
            payloads.append(marshal.dumps(value, version))
        except ValueError:
            continue
    return payloads


def fingerprint(value: Any) -> object:
    """Turn a value into one that is equal only for values that programs can distinguish only by identity."""
    kind = type(value).__name__
    if isinstance(value, (float, complex)):
        return kind, struct.pack("<dd", value.real, value.imag)
    if isinstance(value, (set, frozenset)):
        return kind, len(value), frozenset(fingerprint(item) for item in value)
    if isinstance(value, CodeType):
        value = [getattr(value, field, None) for field in FIELDS]
    elif isinstance(value, slice):
        value = [value.start, value.stop, value.step]
    elif hasattr(value, "items"):
        value = [part for item in value.items() for part in item]
    elif not isinstance(value, (tuple, list)):
        return kind, value
    return kind, tuple(fingerprint(part) for part in value)


def differs(value: object, payload: bytes) -> bool:
    return fingerprint(marshal.loads(payload)) != fingerprint(value)  # noqa: S302 - made by the test that asks


def encoded(payloads: list[bytes]) -> list[str]:
    return [b64encode(payload).decode() for payload in payloads]


def answer(command: str, *arguments: str) -> object:
    if command == "abiflags":
        return getattr(sys, "abiflags", "")
    if command == "library":
        return os.path.dirname(os.__file__)  # noqa: PTH120 - pathlib costs more than the rest of a short run
    if command == "values":
        return [encoded(in_every_format(value)) for value in values()]
    request = json.load(sys.stdin)
    if command == "compare-values":
        pairs = zip(values(), request)  # noqa: B905 - Python 3.8
        return [repr(value) for value, payload in pairs if differs(value, b64decode(payload))]
    if command == "compare":
        return [
            name
            for name, source, payload in request
            if differs(compiled((name, b64decode(source))), b64decode(payload))
        ]
    if command == "compile":
        return encoded(STATES[arguments[0]]([(name, b64decode(source)) for name, source in request]))
    raise ValueError(command)


if __name__ == "__main__":
    json.dump(answer(*sys.argv[1:]), sys.stdout)
