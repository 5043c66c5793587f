"""Explain what byte-compiling changes in a wheel, member by member, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.compare import MEMBER, compare_wheels
from detpyc.provenance import FILE_NAME

if TYPE_CHECKING:
    from detpyc.byte_compile.members import ChosenMembers
    from detpyc.explain.difference import Difference
    from detpyc.wheel.distribution import Wheel

__all__ = ["explain_changes"]


def explain_changes(old: Wheel, new: Wheel, members: ChosenMembers) -> dict[str, str]:
    """Say for each member that changes what becomes of it, and why.

    Args:
        old: the wheel.
        new: what it becomes.
        members: the changes that were chosen.

    Returns:
        By member, what becomes of it (added, removed, rewritten, moved or kept) and the reason. If only what is around
        the members changes, the key is the name of the file.

    """
    comparison = compare_wheels(old, new)
    known = {
        f"{old.dist_info}/{FILE_NAME}": "records other settings, interpreters or versions",
        f"{old.dist_info}/WHEEL": "has another tag",
        old.record_name: "lists the new wheel's members, in archive order",
    }
    changes = {name: _change(found, known.get(name)) for name, found in comparison.changed.items()}
    changes |= {name: f"removed: {members.dropped[name]}" for name in comparison.only_a}
    changes |= {name: f"added: {_added(name, old)}" for name in comparison.only_b}
    for name in members.kept:
        if not changes.get(name, "").startswith("rewritten"):
            changes[name] = "kept: an earlier run has recorded it, and it matches its source"
    if comparison.same:
        changes[old.path.name] = "rewritten: its headers have comments, extra fields or data descriptors"
    return dict(sorted(changes.items()))


def _added(name: str, old: Wheel) -> str:
    if name == f"{old.dist_info}/{FILE_NAME}":
        return "records what made the bytecode"
    return "the wheel has no such bytecode"


def _change(found: tuple[Difference, ...], reason: str | None) -> str:
    """Say what becomes of a member that is in both wheels.

    Args:
        found: the differences.
        reason: why its content differs; None if the first difference is to be named.

    """
    if [item.aspect for item in found] == ["place"]:
        return f"moved: {found[0].b} instead of {found[0].a}"
    reasons = [f"{item.aspect} {item.b} instead of {item.a}" for item in found if item.kind == MEMBER]
    content = [difference for difference in found if difference.kind != MEMBER]
    if any(difference.aspect == "source hash" for difference in content):
        reasons.append("stale, as its source has changed")
    elif content:
        reasons.append(reason or f"{content[0].kind}: {content[0]}")
    return f"rewritten: {'; '.join(reasons)}"
