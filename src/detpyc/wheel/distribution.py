"""A wheel open for reading: its name, its directories, and its RECORD."""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

from detpyc.errors import DetpycError, TooLargeError, WheelError
from detpyc.files import open_regular
from detpyc.limits import MAX_FILE, MAX_RECORD
from detpyc.threads import ThreadGroup
from detpyc.wheel import record
from detpyc.wheel.archive import Archive
from detpyc.wheel.installed_view import installed_view
from detpyc.wheel.problems import Problem, Rule, limited
from detpyc.wheel.record import RecordEntry
from detpyc.wheel.wheel_name import normalized, parse_name

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator


__all__ = ["Wheel", "is_wheel", "open_wheel"]

_CODE = (".py", ".pyc")  # the names of what verification has to read, whole
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


class Wheel:
    """A wheel whose archive is sound.

    Attributes:
        path: of the file.
        archive: its members.
        dist_info: the name of its ``.dist-info`` directory.
        importable: the path that each importable member gets in a directory of ``sys.path``, by name, in archive order;
            see `detpyc.wheel.installed_view`.
        record: its RECORD's entries, by path.

    """

    def __init__(self, path: Path, archive: Archive) -> None:
        self.path = path
        self.archive = archive
        self.dist_info = _dist_info(path.name, archive.members)
        self.importable, found = installed_view(archive.members, self.dist_info)
        self.record: dict[str, RecordEntry] = {}
        too_large = {name: m.size for name, m in archive.members.items() if name.endswith(_CODE) and m.size > MAX_FILE}
        oversized = (Problem(f"{name}: has {size} bytes; the limit is {MAX_FILE}") for name, size in too_large.items())
        self._problems = {*found, *self._read_record(), *oversized}
        # What is too large, or what RECORD should list and does not, is a problem already.
        readable = archive.members.keys() - too_large
        self._unchecked = {name for name in readable if name in self.record or self._needs_no_row(name)}

    @classmethod
    def open(cls, path: Path, stream: BinaryIO) -> Wheel:
        """Read the archive's directory and RECORD.

        Args:
            path: its path; the name must be a wheel's.
            stream: its bytes; it must stay open while the wheel is used.

        Raises:
            WheelError: if it is not a wheel or is damaged.

        """
        with _naming(path):
            return cls(path, Archive(stream))

    def check(self) -> tuple[Problem, ...]:
        """Return what is wrong with the wheel: by its RECORD, its installed view, and the sizes of sources and pycs.

        All content is read for it, except what `read_member` has read and compared already.

        Raises:
            WheelError: if a member is damaged.

        """
        self._compare(self.archive.members)
        return limited(sorted(self._problems), Rule.RECORD)

    @contextmanager
    def rewriting(self, elsewhere: Container[str] = ()) -> Iterator[None]:
        """Refuse a wheel that cannot be rewritten, or whose faults a rewritten RECORD would hide.

        Its content is checked while the body does something else. What is wrong with the wheel takes precedence over
        what the body raises, unless a member is too large.

        Args:
            elsewhere: the names of the members that the body reads, and thereby checks.

        Raises:
            WheelError: if anything does not match RECORD, or a signature would break.

        """
        if self.signature is not None or self._problems:
            self._require_rewritable()  # which is known to fail
        try:
            with self.checking(name for name in self.archive.members if name not in elsewhere):
                yield
        except TooLargeError:
            raise
        except DetpycError:
            self._require_rewritable()
            raise
        self._require_rewritable()

    def _require_rewritable(self) -> None:
        if self.signature is not None:
            raise WheelError(
                f"carries the signature {self.signature}, which any change to RECORD breaks; sign it afterwards",
                path=self.path,
            )
        problems = self.check()
        if problems:
            raise WheelError(*problems, path=self.path)

    @contextmanager
    def checking(self, names: Iterable[str]) -> Iterator[None]:
        """Compare members with RECORD in a thread, as most of that does not need the GIL.

        Args:
            names: of the members; best those that the body does not read, and thereby compares.

        Raises:
            WheelError: if a member is damaged.
            DetpycError: if no more threads can be started.

        """
        cancelled = Event()
        with ThreadGroup("detpyc-check") as group:
            group.start(partial(self._compare, takewhile(lambda _: not cancelled.is_set(), names)))
            try:
                yield
            except BaseException:
                cancelled.set()
                raise
            group.wait()

    @property
    def record_name(self) -> str:
        """The name of RECORD's member."""
        return f"{self.dist_info}/RECORD"

    @property
    def signature(self) -> str | None:
        """The file name of its signature, if it has one."""
        return next((name for name in _SIGNATURES if f"{self.dist_info}/{name}" in self.archive.members), None)

    def read_member(self, name: str, limit: int | None = None) -> bytes:
        """Return the content of a member.

        Args:
            name: of the member.
            limit: its maximum size in bytes; any, if None.

        Raises:
            TooLargeError: if it is larger than the limit.
            WheelError: if it is damaged.

        """
        size = self.archive.members[name].size
        if limit is not None and size > limit:
            raise TooLargeError(f"{name}: has {size} bytes; the limit is {limit}", path=self.path)
        with _naming(self.path):
            content = self.archive.read(name)
        if name in self._unchecked:
            self._compare_member(name, [content])
        return content

    def importable_sources(self) -> dict[str, str]:
        """Return those of the importable members that are sources."""
        return {name: path for name, path in self.importable.items() if path.endswith(".py")}

    def _read_record(self) -> Iterator[str]:
        """Read RECORD, compare the list of members with it, and yield the problems."""
        members = self.archive.members
        if self.record_name not in members:
            yield f"has no {self.record_name}"
            return
        if members[self.record_name].size > MAX_RECORD:
            yield f"RECORD has {members[self.record_name].size} bytes; the limit is {MAX_RECORD}"
            return
        try:
            entries = record.parse(self.archive.read(self.record_name))
        except WheelError as error:
            yield from error.problems
            return
        for entry in entries:
            if entry.path in self.record:
                yield f"RECORD lists {entry.path} twice"
            self.record[entry.path] = entry
        yield from (f"RECORD lists {path}, which is not in the wheel" for path in self.record if path not in members)
        unlisted = (name for name in members if name not in self.record and not self._needs_no_row(name))
        yield from (f"RECORD does not list {name}" for name in unlisted)

    def _needs_no_row(self, name: str) -> bool:
        """Return whether RECORD need not list a member: a directory, or a signature, which is made of it (PEP 427)."""
        return name.endswith("/") or name in {f"{self.dist_info}/{signature}" for signature in _SIGNATURES}

    def _compare(self, names: Iterable[str]) -> None:
        """Compare the content of members with RECORD, except those that were compared already."""
        with _naming(self.path):
            for name in names:
                if name in self._unchecked:
                    self._compare_member(name, self.archive.chunks(name))

    def _compare_member(self, name: str, content: Iterable[bytes]) -> None:
        entry = self.record.get(name)
        if entry is None or name == self.record_name or (name.endswith("/") and entry == RecordEntry(name)):
            deque(content, maxlen=0)  # reading compares it with what the archive says
        elif (problem := _mismatch(entry, content)) is not None:
            self._problems.add(f"RECORD's line for {name} {problem}")
        self._unchecked.discard(name)  # several threads may have compared it, with the same result


def is_wheel(path: Path) -> bool:
    """Return whether a path is read as a wheel: by its name, unless it is a directory's."""
    return path.suffix == ".whl" and not path.is_dir()


@contextmanager
def open_wheel(path: str | os.PathLike[str]) -> Iterator[Wheel]:
    """Open a wheel, and read all of it.

    Raises:
        DetpycError: if it is not a wheel, is damaged, or cannot be read.

    """
    path = Path(path)
    with open_regular(path) as stream:
        wheel = Wheel.open(path, stream)
        wheel.check()
        yield wheel


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the wheel's path to an error that does not have it."""
    try:
        yield
    except WheelError as error:
        error.path = os.fspath(path)
        raise


def _mismatch(entry: RecordEntry, content: Iterable[bytes]) -> str | None:
    """Return how a content does not match an entry of RECORD."""
    if not entry.hash_name or entry.size is None:
        return "has no hash or no size"
    try:
        hasher = entry.hasher()
    except ValueError as error:
        return str(error)
    size = 0
    for chunk in content:
        hasher.update(chunk)
        size += len(chunk)
    if size != entry.size:
        return f"says {entry.size} bytes, and it has {size}"
    if record.encode_digest(hasher.digest()) != entry.digest.rstrip("="):
        return f"has a wrong {entry.hash_name} hash"
    return None


def _dist_info(file_name: str, members: Iterable[str]) -> str:
    """Find the one ``.dist-info`` directory, and compare its name with the wheel's."""
    name, version = parse_name(file_name)
    tops = {member.partition("/")[0] for member in members if ".dist-info/" in member}
    found = sorted(top for top in tops if top.endswith(".dist-info"))
    if len(found) != 1:
        raise WheelError(
            f"has {len(found)} .dist-info directories ({', '.join(found)})" if found else "has no .dist-info directory"
        )
    (dist_info,) = found
    if normalized(dist_info.removesuffix(".dist-info").partition("-")[0]) != name:
        raise WheelError(f"has the directory {dist_info}, which is not {name} {version}'s")
    return dist_info
