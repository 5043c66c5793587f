"""Rewrite a wheel: members added and dropped, its RECORD to match, everything else copied as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from detpyc.wheel import record
from detpyc.wheel.archive import ArchiveWriter, NewMember
from detpyc.wheel.record import RecordEntry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from detpyc.wheel.distribution import Wheel


def rewrite(
    wheel: Wheel,
    stream: BinaryIO,
    *,
    new: Iterable[NewMember] = (),
    replaced: Mapping[str, NewMember] | None = None,
    dropped: Collection[str] = (),
    late: Collection[str] = (),
) -> None:
    """Write a wheel anew.

    What was there comes first, in its order and with its compressed bytes; then what is new, sorted by name; then the
    ``.dist-info`` directory in its order, RECORD at the very end, with its rows in archive order.

    Args:
        wheel: the wheel as it is.
        stream: where to write it.
        new: members to add; one that has the name of an old one takes its place.
        replaced: by name, what old members are replaced by, in their place.
        dropped: names of members to leave out.
        late: names of old members that stand among the new ones.

    """
    added = {each.member.name: each for each in new}
    known = [name for name in wheel.archive.members if name not in dropped and name != wheel.record_name]
    kept = [name for name in known if name not in added]
    metadata = f"{wheel.dist_info}/"
    order = [
        *(name for name in kept if name not in late and not name.startswith(metadata)),
        *sorted(name for name in {*added, *late} if not name.startswith(metadata)),
        *(name for name in kept if name.startswith(metadata)),
        *sorted(name for name in added if name.startswith(metadata)),
    ]
    added.update(replaced or {})
    writer = ArchiveWriter(stream)
    rows = []
    for name in order:
        if name in added:
            member, compressed, sha256 = added[name].member, added[name].compressed, added[name].sha256
            rows.append(RecordEntry.of(name, sha256, member.size))
            writer.add(member, [compressed])
        else:
            writer.add(wheel.archive.members[name], wheel.archive.raw_chunks(name))
            if name in wheel.record:  # a directory is not
                rows.append(wheel.record[name])
    rows.append(RecordEntry(wheel.record_name))
    old = wheel.archive.members[wheel.record_name]
    new_record = NewMember.make(wheel.record_name, record.serialize(rows), old)
    writer.add(new_record.member, [new_record.compressed])
    writer.finish()
