"""A wheel open for reading: its name, its directories, and a RECORD that holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from detpyc.errors import TooLargeError, WheelError
from detpyc.files import open_regular
from detpyc.wheel import record
from detpyc.wheel.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from detpyc.wheel.archive import Member
    from detpyc.wheel.record import RecordEntry

_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_IMPORTABLE = ("purelib", "platlib")


class Wheel:
    """A wheel whose archive is sound.

    Attributes:
        path: of the file.
        archive: its members.
        dist_info: the name of its ``.dist-info`` directory.
        record: its RECORD's entries, by path.

    """

    def __init__(self, path: Path, archive: Archive) -> None:
        self.path = path
        self.archive = archive
        self.dist_info = _dist_info(path.name, archive.members)
        self.record: dict[str, RecordEntry] = {}
        self._problems = set(self._read_record())
        self._unchecked = {name for name in self.record if name in archive.members and not name.endswith("/")}

    @classmethod
    def open(cls, path: Path, stream: BinaryIO) -> Wheel:
        """Read what a wheel says of itself; its content is held against that as it is read.

        Args:
            path: its path; the name must be a wheel's.
            stream: its bytes; it stays open for as long as the wheel is used.

        Raises:
            WheelError: if it is no wheel or is damaged; the message names the file.

        """
        try:
            return cls(path, Archive.open(stream))
        except WheelError as error:
            raise WheelError(f"{path}: {error}") from error

    @classmethod
    def read(cls, path: Path, stream: BinaryIO) -> Wheel:
        """Read a wheel as it is, with all its content.

        Args:
            path: its path; the name must be a wheel's.
            stream: its bytes; it stays open for as long as the wheel is used.

        Raises:
            WheelError: if it is no wheel or is damaged; the message names the file.

        """
        wheel = cls.open(path, stream)
        wheel.check(wheel.archive.members)
        return wheel

    @property
    def problems(self) -> list[str]:
        """What RECORD says and is not so, a line each. All content that has not been read yet is read for it.

        Raises:
            WheelError: if it is damaged; the message names the file.

        """
        self.check(self.archive.members)
        return sorted(self._problems)

    def check(self, names: Iterable[str]) -> None:
        """Hold the content of members against RECORD, those left out that have been read already.

        Raises:
            WheelError: if one is damaged; the message names the file.

        """
        try:
            for name in names:
                if name in self._unchecked:
                    self._check(name, self.archive.chunks(name))
        except WheelError as error:
            raise WheelError(f"{self.path}: {error}") from error

    @contextmanager
    def checking(self, names: Iterable[str]) -> Iterator[None]:
        """Check members while something else is done: in a thread, as most of it does not need the GIL.

        Args:
            names: of the members, those left out that the something else reads.

        Raises:
            WheelError: in the end, as `check`.

        """
        over = Event()
        with ThreadPoolExecutor(1, thread_name_prefix="detpyc-check") as executor:
            checked = executor.submit(self.check, takewhile(lambda _: not over.is_set(), names))
            try:
                yield
            except BaseException:
                over.set()
                raise
            checked.result()

    def require_rewritable(self, *, content: bool = True) -> None:
        """Refuse a wheel that cannot be rewritten, or whose faults a rewritten RECORD would hide.

        Args:
            content: whether to hold all content against RECORD, or only what has been read, if nothing is wrong so far.

        Raises:
            WheelError: if RECORD does not hold, or a signature would break; the message names the file.

        """
        if content or self._problems:
            problems = self.problems
            if problems:
                raise WheelError(*problems, path=self.path)
        for signature in _SIGNATURES:
            if f"{self.dist_info}/{signature}" in self.archive.members:
                raise WheelError(
                    f"{self.path}: carries the signature {signature}, which any change to RECORD breaks;"
                    " sign it afterwards"
                )

    @property
    def record_name(self) -> str:
        """The name of RECORD's member."""
        return f"{self.dist_info}/RECORD"

    def read_member(self, name: str, limit: int | None = None) -> bytes:
        """Return the content of a member.

        Args:
            name: of the member.
            limit: its size in bytes above which it is not read.

        Raises:
            TooLargeError: if it is larger than the limit.
            WheelError: if it is damaged; the message names the file.

        """
        size = self.archive.members[name].size
        if limit is not None and size > limit:
            raise TooLargeError(f"{self.path}: {name}: has {size} bytes, and no more than {limit} are read")
        try:
            content = self.archive.read(name)
        except WheelError as error:
            raise WheelError(f"{self.path}: {error}") from error
        if name in self._unchecked:
            self._check(name, [content])
        return content

    def importable_path(self, name: str) -> str | None:
        """Return a member's path as it is when installed in a directory of ``sys.path``; None if it is not to be.

        The importable roots are the archive's own, without its ``.dist-info`` and ``.data`` directories, and in the
        latter ``purelib`` and ``platlib``.
        """
        top, _, rest = name.partition("/")
        if top == self.dist_info:
            return None
        if not top.endswith(".data"):
            return name
        root, _, path = rest.partition("/")
        return path if root in _IMPORTABLE and path else None

    def importable_sources(self) -> dict[str, str]:
        """Return the names of the members that are importable sources, each with its path as `importable_path` has it.

        They are in the order of the archive.
        """
        paths = {name: self.importable_path(name) for name in self.archive.members}
        return {name: path for name, path in paths.items() if path is not None and path.endswith(".py")}

    def _read_record(self) -> Iterator[str]:
        """Read RECORD and hold the list of members against it: say what is not so."""
        members = self.archive.members
        if self.record_name not in members:
            yield f"has no {self.record_name}"
            return
        try:
            entries = record.parse(self.archive.read(self.record_name))
        except WheelError as error:
            yield str(error)
            return
        for entry in entries:
            if entry.path in self.record:
                yield f"RECORD lists {entry.path} twice"
            self.record[entry.path] = entry
        # PEP 427 has it that RECORD does not list the signatures, which are made of it.
        signatures = {f"{self.dist_info}/{name}" for name in _SIGNATURES} - self.record.keys()
        files = {name for name, member in members.items() if not member.is_directory} - signatures
        yield from (f"RECORD lists {path}, which is not in the wheel" for path in self.record if path not in files)
        yield from (f"RECORD does not list {name}" for name in files if name not in self.record)

    def _check(self, name: str, content: Iterable[bytes]) -> None:
        """Hold a member's content against RECORD."""
        problem = self._mismatch(self.record[name], content)
        if problem is not None:
            self._problems.add(f"RECORD's line for {name} {problem}")
        self._unchecked.discard(name)  # several threads may have been at it, with the same result

    def _mismatch(self, entry: RecordEntry, content: Iterable[bytes]) -> str | None:
        """Say what of an entry is not so."""
        if entry.path == self.record_name:
            return None  # the only file that need not have a hash, and cannot have a right one
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


def is_wheel(path: Path) -> bool:
    """Tell whether a path is to be read as a wheel: by its name, unless it is a directory's."""
    return path.suffix == ".whl" and not path.is_dir()


@contextmanager
def open_wheel(path: Path) -> Iterator[Wheel]:
    """Open a wheel for reading.

    Raises:
        DetpycError: if it is no wheel, is damaged, or cannot be read.

    """
    with open_regular(path) as stream:
        yield Wheel.read(path, stream)


def _dist_info(file_name: str, members: dict[str, Member]) -> str:
    """Find the one ``.dist-info`` directory and hold its name against the wheel's."""
    try:
        name, version, _, _ = parse_wheel_filename(file_name)
        if not name:  # which older versions of packaging let pass
            raise InvalidWheelFilename(f"there is no project's name in {file_name}")
    except InvalidWheelFilename as error:
        raise WheelError(f"its name is not a wheel's: {error}") from error
    found = sorted({member.partition("/")[0] for member in members if ".dist-info/" in member})
    found = [each for each in found if each.endswith(".dist-info")]
    if len(found) != 1:
        raise WheelError(
            f"has {len(found)} .dist-info directories ({', '.join(found)})" if found else "has no .dist-info directory"
        )
    (dist_info,) = found
    if canonicalize_name(dist_info.removesuffix(".dist-info").partition("-")[0]) != name:
        raise WheelError(f"has the directory {dist_info}, which is not {name} {version}'s")
    return dist_info
