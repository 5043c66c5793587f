"""Rewrite a wheel: add and drop members, make RECORD match, and copy everything else unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from detpyc.errors import WheelError
from detpyc.reproducible import CREATE_SYSTEM, Date, inflate, normalized_mode
from detpyc.wheel import record
from detpyc.wheel.installed_view import installed_view
from detpyc.wheel.member_names import name_problems
from detpyc.wheel.record import RecordEntry
from detpyc.wheel.writing import ArchiveWriter, NewMember
from detpyc.wheel.zip_format import STORED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from detpyc.wheel.distribution import Wheel
    from detpyc.wheel.zip_format import Member

__all__ = ["ArchiveForm", "rewrite"]


class ArchiveForm(NamedTuple):
    """The form of the whole archive; by default, as it was.

    Attributes:
        stored: whether nothing is compressed, so that the bytes do not depend on a deflate implementation.
        date: of every member; if it is set, the members are also sorted by name and get fixed attributes.

    """

    stored: bool = False
    date: Date | None = None

    def of(self, member: Member) -> Member:
        """Return what the archive is to record of a member."""
        if self.stored:
            member = member._replace(method=STORED, compressed_size=member.size)
        if self.date is None:
            return member
        attributes = 0x10 if member.is_directory else normalized_mode(member.external_attributes >> 16) << 16
        return member._replace(
            date_time=self.date,
            external_attributes=attributes,
            internal_attributes=0,
            create_system=CREATE_SYSTEM,
        )


def rewrite(
    wheel: Wheel,
    stream: BinaryIO,
    *,
    new: Iterable[NewMember] = (),
    replaced: Mapping[str, NewMember] | None = None,
    dropped: Collection[str] = (),
    among_new: Collection[str] = (),
    form: ArchiveForm = ArchiveForm(),
) -> None:
    """Write a wheel with changes.

    What was there comes first, in its order and with its compressed bytes; then what is new, sorted by name; then the
    ``.dist-info`` directory in its order, RECORD at the very end, with its rows in archive order.

    Args:
        wheel: the wheel as it is.
        stream: where to write it.
        new: members to add; one that has the name of an old one takes its place.
        replaced: by name, what old members are replaced by, in their place.
        dropped: names of members to omit.
        among_new: names of old members that are sorted among the new ones.
        form: of the whole archive.

    Raises:
        WheelError: if what is added does not fit what is there; nothing is written then.

    """
    added = {addition.member.name: addition for addition in new}
    order = _order(wheel, added, dropped, among_new)
    _require_sound([*order, wheel.record_name], wheel.dist_info)
    if form.date is not None:
        order.sort(key=lambda name: (name.startswith(f"{wheel.dist_info}/"), name))
    added.update(replaced or {})
    writer = ArchiveWriter(stream)
    rows = []
    for name in order:
        if name in added:
            _add_new(writer, added[name], form)
            rows.append(RecordEntry.of(name, added[name].sha256, added[name].member.size))
        else:
            member = wheel.archive.members[name]
            chunks = wheel.archive.chunks if form.stored else wheel.archive.raw_chunks
            writer.add(form.of(member), chunks(name))
            if name in wheel.record:  # a directory need not be
                rows.append(wheel.record[name])
    rows.append(RecordEntry(wheel.record_name))
    old = wheel.archive.members[wheel.record_name]
    _add_new(writer, NewMember.make(wheel.record_name, record.serialize(rows), old, stored=form.stored), form)
    writer.finish()


def _require_sound(names: Sequence[str], dist_info: str) -> None:
    """Refuse to write a wheel that could not be read: what is added may not fit what is there."""
    problems = name_problems(names) or installed_view(names, dist_info).problems
    if problems:
        raise WheelError(*(f"cannot be rewritten: {problem}" for problem in problems))


def _order(wheel: Wheel, added: Collection[str], dropped: Collection[str], among_new: Collection[str]) -> list[str]:
    """Return the names of the members in their new order, without RECORD."""
    metadata = f"{wheel.dist_info}/"
    skipped = {*dropped, *added, wheel.record_name}
    old = [name for name in wheel.archive.members if name not in skipped]
    return [
        *(name for name in old if name not in among_new and not name.startswith(metadata)),
        *sorted(name for name in {*added, *among_new} if not name.startswith(metadata)),
        *(name for name in old if name.startswith(metadata)),
        *sorted(name for name in added if name.startswith(metadata)),
    ]


def _add_new(writer: ArchiveWriter, new: NewMember, form: ArchiveForm) -> None:
    content = inflate(new.compressed) if form.stored and new.member.method != STORED else new.compressed
    writer.add(form.of(new.member), [content])
