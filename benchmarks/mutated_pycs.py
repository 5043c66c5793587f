"""Write pycs with one hidden change; run by the CPython that compiled them, which executes nothing of them.

Standard input has a JSON list of requests: the path of a pyc, that of the result, the kind of the change and a seed.
Standard output gets the list of results; pycs that have nothing to change are left out.
"""

from __future__ import annotations

import json
import marshal
import random
import sys
from pathlib import Path
from types import CodeType
from typing import Any

HEADER = 16  # bytes
HIDDEN = "def hidden(*args, **options):\n    import os\n    return os.system(args[0])\n"


def codes(code: CodeType) -> list[CodeType]:
    """Return a code object and those in it."""
    inner = [item for item in code.co_consts if isinstance(item, CodeType)]
    return [code, *(found for item in inner for found in codes(item))]


def with_changed(code: CodeType, old: CodeType, new: CodeType) -> CodeType:
    """Replace a code object, wherever it is in another."""
    if code is old:
        return new
    consts = tuple(with_changed(item, old, new) if isinstance(item, CodeType) else item for item in code.co_consts)
    return code.replace(co_consts=consts) if any(map(is_other, consts, code.co_consts)) else code


def is_other(first: object, second: object) -> bool:
    """Return whether two objects are not one."""
    return first is not second


def change_name(code: CodeType, chosen: random.Random) -> CodeType | None:
    """Rename a global name, an attribute or a local variable."""
    fields = [field for field in ("co_names", "co_varnames") if getattr(code, field)]
    if not fields:
        return None
    field = chosen.choice(fields)
    names = [*getattr(code, field)]
    at = chosen.randrange(len(names))
    names[at] += "x"
    changes: dict[str, Any] = {field: tuple(names)}
    return code.replace(**changes) if len(names) == len(set(names)) else None


def change_constant(code: CodeType, chosen: random.Random) -> CodeType | None:
    """Change a constant."""
    places = [at for at, item in enumerate(code.co_consts) if changed(item) is not None]
    if not places:
        return None
    at = chosen.choice(places)
    return code.replace(co_consts=(*code.co_consts[:at], changed(code.co_consts[at]), *code.co_consts[at + 1 :]))


def changed(constant: Any) -> object:  # noqa: ANN401 - any constant
    """Return another constant of the same type; None if there is none."""
    if isinstance(constant, bool):
        return not constant
    if isinstance(constant, (int, float, complex)):
        return constant + 1
    additions: dict[type, Any] = {str: "x", bytes: b"x", tuple: ("x",)}
    if isinstance(constant, frozenset):
        return constant | {"x"}
    return constant + additions[type(constant)] if type(constant) in additions else None


def change_function(code: CodeType, chosen: random.Random) -> CodeType | None:
    """Replace a function in a code object by another one of the same name and place."""
    places = [at for at, item in enumerate(code.co_consts) if isinstance(item, CodeType)]
    (hidden,) = (item for item in compile(HIDDEN, code.co_filename, "exec").co_consts if isinstance(item, CodeType))
    if not places:
        return code.replace(co_consts=(*code.co_consts, hidden))
    at = chosen.choice(places)
    old = code.co_consts[at]
    kept: dict[str, Any] = {name: getattr(old, name) for name in ("co_name", "co_qualname", "co_firstlineno")}
    new = hidden.replace(**kept)
    return code.replace(co_consts=(*code.co_consts[:at], new, *code.co_consts[at + 1 :]))


CHANGES = {"name": change_name, "constant": change_constant, "function": change_function}


def change_instruction(payload: bytes, code: CodeType, chosen: random.Random) -> bytes | None:
    """Change one byte of the instructions."""
    instructions = len(code.co_code).to_bytes(4, "little") + code.co_code
    at = payload.find(instructions)
    if at < 0:
        return None
    result = bytearray(payload)
    result[at + 4 + chosen.randrange(len(code.co_code))] ^= 1 << chosen.randrange(7)
    return bytes(result)


def mutate(payload: bytes, kind: str, chosen: random.Random) -> bytes | None:
    """Return a payload with one change; None if there is nothing to change."""
    whole: CodeType = marshal.loads(payload)  # noqa: S302 - made by this very interpreter
    code = chosen.choice(codes(whole))
    if kind == "instruction":
        return change_instruction(payload, code, chosen)
    new = CHANGES[kind](code, chosen)
    return None if new is None else marshal.dumps(with_changed(whole, code, new))


def main() -> None:
    """Answer the requests."""
    done = []
    for pyc, target, kind, seed in json.load(sys.stdin):
        data = Path(pyc).read_bytes()
        payload = mutate(data[HEADER:], kind, random.Random(seed))  # noqa: S311 - a measurement
        if payload is not None:
            Path(target).write_bytes(data[:HEADER] + payload)
            done.append(target)
    json.dump(done, sys.stdout)


main()
