"""A precompiler for Bazel's rules_python: ``python -m detpyc.engines.bazel``.

It accepts the arguments of rules_python's own precompiler (``tools/precompiler/precompiler.py``). It runs once, or as a
persistent worker with the JSON protocol (https://bazel.build/remote/creating). Its output depends only on the request,
whatever the worker compiled before.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from detpyc.compilation.description import current, describe, supported
from detpyc.compilation.pool import usable_processors
from detpyc.engines.json_stream import read_objects
from detpyc.engines.precompiler import Parser, Precompiler, add_request, parse_request
from detpyc.errors import CompilationError, DetpycError, SettingsError
from detpyc.executor import Executor
from detpyc.files import read_file
from detpyc.termination import Terminated, terminable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Worker", "main"]

_REFUSED = 1  # a source does not compile
_FAILED = 2

_PARAMETER_FILE = "@"  # at the start of an argument


class _Task:
    """A request that is being worked on; it is either cancelled or done, never both.

    Attributes:
        cancelled: whether it is.

    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.cancelled = False
        self.committed = False

    def commit(self) -> bool:
        """Return whether the output may be written; from then on it cannot be cancelled."""
        with self.lock:
            self.committed = not self.cancelled
            return self.committed

    def cancel(self) -> None:
        """Cancel it unless its output is being written."""
        with self.lock:
            self.cancelled = not self.committed


class Worker:
    """A persistent worker: it answers requests, several at the same time, until their stream ends.

    Args:
        precompiler: that does the work.
        responses: where the answers go.

    """

    def __init__(self, precompiler: Precompiler, responses: BinaryIO) -> None:
        self.precompiler = precompiler
        self.responses = responses
        self.lock = threading.Lock()
        self.tasks: dict[int, _Task] = {}

    def serve(self, requests: BinaryIO) -> None:
        """Answer requests until the end of the stream.

        Raises:
            DetpycError: if what is in the stream is not a request; those before it are answered.

        """
        with Executor(usable_processors(), thread_name_prefix="detpyc-request") as executor:
            try:
                for request in read_objects(requests):
                    number = request.get("requestId", 0)
                    if not isinstance(number, int):
                        raise DetpycError(f"the requestId is not a number: {number!r:.100}")
                    if request.get("cancel"):
                        self._cancel(number)
                        continue
                    with self.lock:
                        task = self.tasks[number] = _Task()
                    executor.submit(self._answer, number, request, task)
            except (KeyboardInterrupt, Terminated):
                executor.shutdown(wait=False, cancel_futures=True)
                self.precompiler.end()
                raise

    def _cancel(self, number: int) -> None:
        """Cancel a request; one that is answered already is none of the running."""
        with self.lock:
            task = self.tasks.get(number)
        if task is not None:
            task.cancel()

    def _answer(self, number: int, request: dict[str, Any], task: _Task) -> None:
        status, output = (0, "") if task.cancelled else self._run(request, task)
        response = {"requestId": number, "exitCode": status, "output": output}
        if task.cancelled:
            response = {"requestId": number, "wasCancelled": True}
        with self.lock:
            if self.tasks.get(number) is task:
                del self.tasks[number]
            self.responses.write(json.dumps(response).encode() + b"\n")
            self.responses.flush()

    def _run(self, request: dict[str, Any], task: _Task) -> tuple[int, str]:
        """Do what a request asks for; return the exit status and the message."""
        arguments, directory = request.get("arguments"), request.get("sandboxDir") or ""
        try:
            if not (isinstance(arguments, list) and all(isinstance(argument, str) for argument in arguments)):
                raise SettingsError("the arguments of the request are not a list of strings")
            if not isinstance(directory, str):
                raise SettingsError("the sandboxDir of the request is not a string")
            self.precompiler.run(parse_request(arguments), directory, task.commit)
        except (DetpycError, ValueError) as error:  # the latter for a path with a null character
            return _status(error), f"detpyc: {error}\n"
        except Exception:  # noqa: BLE001 - a bug; Bazel would wait for the answer
            return _FAILED, traceback.format_exc()
        return 0, ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the precompiler.

    Args:
        arguments: of the command line; by default those of this process.

    Returns:
        The exit status: 0 if all is done, 1 if a source does not compile, 2 for any other failure.

    """
    try:
        with terminable():
            return _run([*_expanded(sys.argv[1:] if arguments is None else arguments)])
    except (DetpycError, ValueError) as error:
        sys.stderr.write(f"detpyc: {error}\n")
        return _status(error)
    except (KeyboardInterrupt, Terminated, BrokenPipeError):  # Bazel ends its workers at any time
        return _FAILED


def _run(arguments: list[str]) -> int:
    parser = Parser(
        prog="python -m detpyc.engines.bazel",
        description="Byte-compile sources for Bazel's rules_python, once or as a persistent worker (JSON protocol).",
        allow_abbrev=False,
    )
    parser.add_argument("--persistent_worker", action="store_true", help="answer requests on standard input")
    parser.add_argument(
        "--interpreter",
        action="append",
        default=[],
        metavar="PYTHON",
        help="the path of a Python that compiles; may be repeated (default: the one that runs this)",
    )
    # What rules_python's own precompiler takes, for --worker_extra_flag.
    for name in ("--worker_impl", "--log_level"):
        parser.add_argument(name, help="ignored")
    add_request(parser)
    options = parser.parse_args(arguments)
    if options.persistent_worker and (options.sources or options.names or options.pycs):
        raise SettingsError("with --persistent_worker, sources are named by the requests on standard input")
    interpreters = [supported(describe(path)) for path in options.interpreter] or [supported(current())]
    with Precompiler(interpreters) as precompiler:
        if options.persistent_worker:
            Worker(precompiler, sys.stdout.buffer).serve(cast("BinaryIO", sys.stdin.buffer))
        else:
            precompiler.run(options)
    return 0


def _expanded(arguments: Sequence[str]) -> Iterator[str]:
    """Yield arguments, and for a parameter file, its lines."""
    for argument in arguments:
        if argument.startswith(_PARAMETER_FILE):
            content = read_file(argument.removeprefix(_PARAMETER_FILE))
            yield from content.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
        else:
            yield argument


def _status(error: Exception) -> int:
    return _REFUSED if isinstance(error, CompilationError) else _FAILED


if __name__ == "__main__":
    sys.exit(main())
