"""The results of a batch: one JSON object per line, in a file that is only ever appended to.

A line is written as a whole. If the client is killed in the middle of one, the next run removes that part.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from detpyc import __version__
from detpyc.errors import DetpycError
from detpyc.files import try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Self

__all__ = ["FAILURES", "RESULTS", "TABLE", "Results", "write_table"]

RESULTS, FAILURES, TABLE = "results.jsonl", "failures.jsonl", "results.parquet"
_ROWS = 10_000  # in memory at once
_COUNTED = "counts"


class Results:
    """The results in a directory. A context manager; the directory is locked against other runs.

    Attributes:
        known: the SHA-256 of each artifact that this version has verified, by its location.
        outdated: how many results are from another version, or with other requirements.
        invalid: the numbers of the lines that are not results.

    """

    def __init__(self, directory: Path, require: tuple[str, ...]) -> None:
        """Open the results, and read what an earlier run has written.

        Raises:
            DetpycError: if they cannot be read or written, or another run uses them.

        """
        self.directory = directory
        self.require = require
        self.known: dict[str, str] = {}
        self.outdated = 0
        self.invalid: list[int] = []
        self.failures: dict[str, str] = {}
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self.stream: BinaryIO = (directory / RESULTS).open("a+b")
        except OSError as error:
            raise DetpycError(f"cannot be written: {error.strerror}", path=directory) from error
        if try_lock(self.stream.fileno()) is False:
            self.stream.close()
            raise DetpycError("is used by another run", path=directory)
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def _read(self) -> None:
        self.stream.seek(0)
        end = 0
        for number, line in enumerate(self.stream, 1):
            if not line.endswith(b"\n"):
                break
            end += len(line)
            result = _parse(line)
            if result is None:
                self.invalid.append(number)
            elif result["detpyc"] != __version__ or tuple(result["require"]) != self.require:
                self.outdated += 1
            else:
                self.known[result["artifact"]] = result["sha256"]
        self.stream.truncate(end)

    def add(self, result: dict[str, Any]) -> None:
        """Append a result.

        Raises:
            DetpycError: if it cannot be written.

        """
        try:
            self.stream.write(json.dumps(result, sort_keys=True).encode() + b"\n")
            self.stream.flush()
        except OSError as error:
            raise DetpycError(f"cannot be written: {error.strerror}", path=self.directory / RESULTS) from error
        self.known[result["artifact"]] = result["sha256"]

    def write_failures(self) -> None:
        """Write what this run could not verify; the file is as if no run had been before."""
        path = self.directory / FAILURES
        lines = [json.dumps({"artifact": name, "error": reason}) + "\n" for name, reason in self.failures.items()]
        with suppress(FileNotFoundError):
            path.unlink()
        if lines:
            path.write_text("".join(lines), encoding="utf-8")

    def current(self) -> Iterator[dict[str, Any]]:
        """Yield the latest result for each artifact, by this version and with these requirements."""
        self.stream.seek(0)
        for line in self.stream:
            result = _parse(line)
            if (
                result is not None
                and (result["detpyc"], tuple(result["require"])) == (__version__, self.require)
                and self.known.get(result["artifact"]) == result["sha256"]
            ):
                yield result
        self.stream.seek(0, os.SEEK_END)


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return the result in a line; None if it is not one."""
    try:
        result = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(result, dict) or not isinstance(result.get(_COUNTED), dict):
        return None
    names = ("artifact", "sha256", "detpyc")
    valid = all(isinstance(result.get(name), str) for name in names) and isinstance(result.get("require"), list)
    return result if valid else None


def write_table(results: Results) -> None:
    """Write the results as a table for Parquet, some at a time, if pyarrow is there to do it."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow.parquet import ParquetWriter  # noqa: PLC0415
    except ImportError:
        return
    from detpyc.verify.reports import Status  # noqa: PLC0415 - not needed by the workers

    strings = ("artifact", "sha256", "detpyc")
    columns = [*((name, pa.string()) for name in strings), *((status.value, pa.int64()) for status in Status)]
    schema = pa.schema([*columns, ("problems", pa.list_(pa.string()))])
    rows: list[dict[str, Any]] = []
    with ParquetWriter(results.directory / TABLE, schema) as writer:
        for result in results.current():
            rows.append({**result, **result[_COUNTED]})
            if len(rows) == _ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        writer.write_table(pa.Table.from_pylist(rows, schema))
