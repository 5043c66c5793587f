"""Wheels written by `zipfile` and `hashlib` alone, good ones and such as no backend would write."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import warnings
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from typing_extensions import Buffer

DATE = (2021, 4, 5, 6, 7, 8)
WHEEL = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
MODULES = {"demo/__init__.py": b"", "demo/core.py": b'def f(x):\n    """Answer."""\n    return x in {1, "two"}\n'}


def sha256(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def record(contents: Mapping[str, bytes], name: str) -> bytes:
    """Write the RECORD of files, itself among them."""
    return rows([*((path, sha256(content), len(content)) for path, content in contents.items()), (name, "", "")])


def rows(table: Iterable[Iterable[object]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(table)
    return stream.getvalue().encode()


def complete(files: Mapping[str, bytes] = MODULES, *, project: str = "demo-1.0") -> dict[str, bytes]:
    """Add the ``.dist-info`` directory to a wheel's files."""
    dist_info = f"{project}.dist-info"
    name, _, version = project.partition("-")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    contents = {**files, f"{dist_info}/METADATA": metadata, f"{dist_info}/WHEEL": WHEEL}
    return {**contents, f"{dist_info}/RECORD": record(contents, f"{dist_info}/RECORD")}


def leave(_: zipfile.ZipInfo) -> None:
    """Change nothing."""


def write(
    path: Path,
    contents: Mapping[str, bytes] | Iterable[tuple[str, bytes]],
    *,
    adapt: Callable[[zipfile.ZipInfo], None] = leave,
    forge: Callable[[zipfile.ZipInfo], None] = leave,
) -> Path:
    """Write an archive.

    Args:
        path: of the file.
        contents: of the members, by name or in pairs, since a name may occur twice.
        adapt: changes what a member is written as.
        forge: changes what the directory at the end says of it.

    """
    pairs = contents.items() if hasattr(contents, "items") else contents
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        for name, content in pairs:
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100664 << 16
            adapt(info)
            archive.writestr(info, content)
            forge(info)
    return path


# Where a number is in the local and in the central header of a member, and its format (APPNOTE 4.3.7, 4.3.12).
FIELDS = {
    "flags": (6, 8, "<H"),
    "method": (8, 10, "<H"),
    "crc": (14, 16, "<L"),
    "compressed_size": (18, 20, "<L"),
    "size": (22, 24, "<L"),
}


def forge(path: Path, name: str, **fields: int) -> Path:
    """Change what an archive says of a member, in its local header and in the directory alike."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo(name).header_offset
    entry = data.index(name.encode(), archive.start_dir) - 46
    for field, value in fields.items():
        local_at, central_at, layout = FIELDS[field]
        struct.pack_into(layout, data, offset + local_at, value)
        struct.pack_into(layout, data, entry + central_at, value)
    path.write_bytes(data)
    return path


def build(
    directory: Path, files: Mapping[str, bytes] = MODULES, *, project: str = "demo-1.0", tag: str = "py3-none-any"
) -> Path:
    """Write a good wheel."""
    return write(directory / f"{project}-{tag}.whl", complete(files, project=project))


ZEROS = bytes(1 << 20)


class SparseFile(io.FileIO):
    """A file that leaves holes for blocks of zeros."""

    def write(self, data: Buffer, /) -> int:
        if data == ZEROS:
            self.seek(len(ZEROS), io.SEEK_CUR)
            return len(ZEROS)
        size = memoryview(data).nbytes
        assert super().write(data) == size
        return size


def with_zip64(contents: Mapping[str, bytes]) -> bytes:
    """Write an archive with ZIP64 sizes in the local headers, as `zipfile` does if it is told that a file may be large.

    Before 3.11.4, `zipfile` does not say in the header that the sizes are there (CPython issue 103861).
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in contents.items():
            with archive.open(zipfile.ZipInfo(name, DATE), "w", force_zip64=True) as member:
                member.write(content)
        offsets = [info.header_offset for info in archive.infolist()]
    data = bytearray(stream.getvalue())
    for offset in offsets:
        data[offset + 18 : offset + 26] = b"\xff" * 8  # both sizes
    return bytes(data)


def read(path: Path) -> dict[str, bytes]:
    """Read the members of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def dates(path: Path) -> set[tuple[int, ...]]:
    """Read the dates of the members of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {info.date_time for info in archive.infolist()}
