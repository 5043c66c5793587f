"""Bazel's side of the protocol of persistent workers."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

from detpyc.engines.json_stream import read_objects
from projects import environment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from typing_extensions import Self

COMMAND = (sys.executable, "-m", "detpyc.engines.bazel")


def arguments(source: str, pyc: str, *, level: int = 0, mode: str = "checked_hash", name: str = "") -> list[str]:
    """Return the arguments of a request, in the order in which rules_python writes them."""
    version = "{}.{}".format(*sys.version_info)
    files = ["--src", source, "--src_name", name or source, "--pyc", pyc]
    return ["--invalidation_mode", mode, *files, "--optimize", str(level), "--python_version", version]


def run_once(directory: Path, words: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run the precompiler for one request, which is in a parameter file."""
    parameters = directory / "pyc.params"
    parameters.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    return subprocess.run(
        [*COMMAND, f"@{parameters}"], cwd=directory, env=environment(), capture_output=True, text=True, check=False
    )


class Driver:
    """A persistent worker, and what Bazel does with it.

    Args:
        directory: where it runs.
        options: of the worker.

    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--persistent_worker", *options],
            cwd=directory,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.requests = cast("IO[bytes]", self.process.stdin)
        self.responses = read_objects(cast("Any", self.process.stdout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        with suppress(OSError), self.process:  # closes the pipes and waits
            pass

    def write(self, *requests: dict[str, Any], between: str = "") -> None:
        """Write requests, by default with nothing between them, as older Bazels do."""
        self.requests.write("".join(json.dumps(request) + between for request in requests).encode())
        self.requests.flush()

    def read(self, count: int) -> dict[int, dict[str, Any]]:
        """Read so many responses, by the numbers of their requests."""
        found = [next(self.responses) for _ in range(count)]
        by_number = {response.pop("requestId"): response for response in found}
        assert len(by_number) == count
        return by_number

    def ask(self, words: list[str]) -> dict[str, Any]:
        """Write one request without a number, as for a worker that is not multiplexed; return the response."""
        self.write({"arguments": words, "inputs": [{"path": words[3], "digest": "AA=="}]})
        return self.read(1)[0]

    def end(self) -> tuple[int, str]:
        """Close the stream of requests; return the exit status and what was written to standard error."""
        self.requests.close()
        errors = cast("IO[bytes]", self.process.stderr).read().decode()
        return self.process.wait(60), errors
