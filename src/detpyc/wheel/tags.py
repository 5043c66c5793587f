"""The tag of a wheel: in its name, and in its WHEEL file.

The rules are PEP 425's and PEP 427's. `packaging` knows them; it is slow to import, and not needed for a wheel that is
for every Python 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.errors import WheelError

if TYPE_CHECKING:
    from packaging.tags import Tag

__all__ = ["is_for", "renamed", "retagged", "sourceless_tag", "tag_of"]

_PARTS = 3  # python, ABI, platform: the last of a wheel's name


def tag_of(name: str) -> str:
    """Return the tag in a wheel's name."""
    return "-".join(name.removesuffix(".whl").rsplit("-", _PARTS)[1:])


def renamed(name: str, tag: str) -> str:
    """Return the name that a wheel has with another tag."""
    return f"{name.removesuffix('.whl').rsplit('-', _PARTS)[0]}-{tag}.whl"


def is_for(tag: str, version: tuple[int, int]) -> bool:
    """Return whether a CPython, e.g. ``(3, 12)``, can install a wheel with a tag, on the platform that it is for."""
    python, abi, _ = tag.split("-")
    return ("py3" in python.split(".") and "none" in abi.split(".")) or bool(_fitting(tag, version))


def sourceless_tag(tag: str, version: tuple[int, int]) -> str:
    """Narrow a wheel's tag to the one CPython that can load it without its sources.

    The ABI stays if it is that CPython's own. If it is ``abi3``, it becomes ``none``: later releases accept ``abi3`` as
    well, and could load the extension modules, but not the bytecode.

    Args:
        tag: of the wheel with its sources, e.g. ``py3-none-any``.
        version: of the CPython, e.g. ``(3, 12)``.

    Returns:
        E.g. ``cp312-none-any``; of a wheel with extension modules, ``cp312-cp312-linux_x86_64``.

    Raises:
        WheelError: if it is not a tag, or that CPython does not accept it.

    """
    if tag.count("-") != _PARTS - 1:
        raise WheelError(f"{tag!r} is not the tag of a wheel, such as py3-none-any")
    python = "cp{}{}".format(*version)
    _, abis, platforms = tag.split("-")
    fitting = _fitting(tag, version)
    if not fitting:
        raise WheelError(f"its tag {tag} is not for CPython {version[0]}.{version[1]}, whose bytecode it would have")
    found = {fitted.abi for fitted in fitting}
    native = [abi for abi in abis.split(".") if abi.startswith(python) and abi in found]
    return f"{python}-{'.'.join(native) or 'none'}-{platforms}"


def _fitting(tag: str, version: tuple[int, int]) -> set[Tag]:
    """Return those of a wheel's tags, all three parts of them, that a CPython accepts."""
    from packaging.tags import compatible_tags, cpython_tags, parse_tag  # noqa: PLC0415 - as in the module's docstring

    python = "cp{}{}".format(*version)
    _, abis, platforms = tag.split("-")
    own = [abi for abi in abis.split(".") if abi.startswith(python)]
    platform_list = platforms.split(".")
    accepted = {*cpython_tags(version, own, platform_list), *compatible_tags(version, python, platform_list)}
    return accepted & parse_tag(tag)


def retagged(wheel_file: bytes, tag: str) -> bytes | None:
    """Return a WHEEL file with another tag; None if it has that tag already.

    Raises:
        WheelError: if it is not UTF-8.

    """
    try:
        lines = wheel_file.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise WheelError(f"WHEEL is not UTF-8: {error}") from error
    from packaging.tags import parse_tag  # noqa: PLC0415 - as in the module's docstring

    first = next((at for at, line in enumerate(lines) if _is_tag(line)), len(lines))
    tags = [f"Tag: {single}" for single in sorted(map(str, parse_tag(tag)))]
    if [line for line in lines if _is_tag(line)] == tags:
        return None
    new = [*lines[:first], *tags, *(line for line in lines[first:] if not _is_tag(line))]
    return "".join(f"{line}\n" for line in new).encode("utf-8")


def _is_tag(line: str) -> bool:
    return line.lower().startswith("tag:")
