"""Explain what byte-compiling changes in a wheel, member by member, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detpyc.compare import MEMBER, compare_wheels
from detpyc.provenance import FILE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        By member, what becomes of it (added, removed, rewritten or kept) and the reason. If only what is around the
        members changes, the key is the name of the file.

    """
    comparison = compare_wheels(old, new)
    known = {
        f"{old.dist_info}/{FILE_NAME}": "records other settings, interpreters or versions",
        f"{old.dist_info}/WHEEL": "has another tag",
        old.record_name: "lists the new wheel's members, in archive order",
    }
    changes = dict.fromkeys(members.kept, "kept: an earlier run has recorded it, and it matches its source")
    changes |= {name: f"removed: {members.dropped[name]}" for name in comparison.only_a}
    changes |= {name: f"added: {_added(name, old)}" for name in comparison.only_b}
    changes |= {name: f"rewritten: {_reasons(found, known, name)}" for name, found in comparison.changed.items()}
    if comparison.same:
        changes[old.path.name] = "rewritten: its headers have comments, extra fields or data descriptors"
    return dict(sorted(changes.items()))


def _added(name: str, old: Wheel) -> str:
    if name == f"{old.dist_info}/{FILE_NAME}":
        return "records what made the bytecode"
    return "the wheel has no such bytecode"


def _reasons(found: tuple[Difference, ...], known: Mapping[str, str], name: str) -> str:
    """Return why a member is rewritten."""
    reasons = []
    for difference in found:
        if difference.aspect == "content" and name in known:
            reasons.append(known[name])
        elif difference.aspect == "source hash":
            reasons.append("stale, as its source has changed")
        elif difference.kind == MEMBER:
            reasons.append(f"{difference.aspect} {difference.b} instead of {difference.a}")
        else:
            reasons.append(f"{difference.kind}: {difference}")
    return "; ".join(reasons)
