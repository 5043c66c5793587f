"""The tag of a wheel: in its name, and in its WHEEL file.

The rules are PEP 425's and PEP 427's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.errors import WheelError
from detpyc.wheel.archive import NewMember

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.wheel.distribution import Wheel

_PARTS = 3  # python, ABI, platform: the last of a wheel's name


def sourceless_tag(name: str, version: tuple[int, int]) -> str:
    """Return the tag of a wheel without sources: what its name says, narrowed to the one CPython that can load it.

    Args:
        name: of the wheel.
        version: of the CPython, e.g. ``(3, 12)``.

    Returns:
        E.g. ``cp312-none-any``; of a wheel with extension modules for it, ``cp312-cp312-linux_x86_64``.

    """
    python = "cp{}{}".format(*version)
    _, abi, platform = name.removesuffix(".whl").rsplit("-", _PARTS)[1:]
    return f"{python}-{abi if abi == python else 'none'}-{platform}"


def renamed(name: str, tag: str) -> str:
    """Return the name that a wheel has with another tag."""
    return f"{name.removesuffix('.whl').rsplit('-', _PARTS)[0]}-{tag}.whl"


def retagged(wheel: Wheel, tag: str) -> Iterator[NewMember]:
    """Give the WHEEL file with another tag; nothing if it has that tag already.

    Raises:
        WheelError: if there is no WHEEL file.

    """
    name = f"{wheel.dist_info}/WHEEL"
    if name not in wheel.archive.members:
        raise WheelError(f"{wheel.path}: has no {name}")
    old = wheel.read_member(name)
    lines = old.decode("utf-8").splitlines()
    first = next((at for at, line in enumerate(lines) if _is_tag(line)), len(lines))
    python, abi, platforms = tag.split("-")
    new_tags = [f"Tag: {python}-{abi}-{platform}" for platform in sorted(platforms.split("."))]
    new = [*lines[:first], *new_tags, *(line for line in lines[first:] if not _is_tag(line))]
    if new != lines:
        yield NewMember.replacing(wheel.archive.members[name], "".join(f"{line}\n" for line in new).encode("utf-8"))


def _is_tag(line: str) -> bool:
    return line.lower().startswith("tag:")
