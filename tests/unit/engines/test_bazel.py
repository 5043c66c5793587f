"""The persistent worker, driven as Bazel drives it; see also tests/integration/test_bazel.py."""

from __future__ import annotations

import io
import json
import marshal
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import trees
from bazel_driver import Driver, arguments, run_once
from command_line import done
from detpyc.compilation import interpreters
from detpyc.engines import bazel
from detpyc.engines.bazel import Worker
from detpyc.engines.precompiler import Precompiler
from projects import CHECKOUT, pyc_of

DONE = {"exitCode": 0, "output": ""}
# What CPython writes for the second depends on whether the first is in memory.
FIRST, SECOND = b"import foo\n", b'a = {"foo", 2, 3}\n\n\ndef f(x):\n    return x in {"foo", 2, 3}\n'
FILES = {
    "pkg/first.py": FIRST,
    "pkg/second.py": SECOND,
    "pkg/asserting.py": b"assert __doc__\n",
    "pkg/nested/__init__.py": b'"""Docstring."""\n',
    "größe.py": "MASS = 'größe'\n".encode(),
}
SMALL = 3  # times that each request is sent


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "execroot", FILES)


def pycs(directory: Path) -> dict[str, bytes]:
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*.pyc")}


@pytest.mark.parametrize("mode", ["checked_hash", "UNCHECKED_HASH"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_pycs_are_those_of_compile(root: Path, mode: str, level: int) -> None:
    with Driver(root) as worker:
        for source in FILES:
            pyc = pyc_of(source, level)
            (root / pyc).parent.mkdir(exist_ok=True)
            assert worker.ask(arguments(source, pyc, level=level, mode=mode)) == DONE
    found = pycs(root)
    assert found.keys() == {pyc_of(source, level) for source in FILES}
    options = ["--optimize", str(level), "--invalidation-mode", mode.lower().replace("_", "-")]
    done("compile", "--force", "--no-cache", *options, ".", cwd=root)
    assert pycs(root) == found


def test_name_is_recorded_and_not_where_the_source_is(root: Path) -> None:
    words = arguments("pkg/first.py", "first.pyc", name="../other~1.0/site-packages/first.py")
    assert run_once(root, words).returncode == 0
    code = marshal.loads((root / "first.pyc").read_bytes()[16:])  # noqa: S302 - made here
    assert code.co_filename == "../other~1.0/site-packages/first.py"


def test_several_sources(root: Path) -> None:
    words = ["--optimize", "0"]
    for name in ("first", "second"):
        words += ["--src", f"pkg/{name}.py", "--src_name", f"pkg/{name}.py", "--pyc", f"{name}.pyc"]
    assert run_once(root, words).returncode == 0
    together = pycs(root)
    for name in ("second", "first"):
        assert run_once(root, arguments(f"pkg/{name}.py", f"{name}.pyc")).returncode == 0
    assert pycs(root) == together
    assert len(together) == 2


def test_order_changes_what_cpython_writes_but_not_what_is_written(root: Path) -> None:
    script = (
        "import marshal, sys\n"
        "kept = []\n"
        "for name in sys.argv[1:]:\n"
        "    kept.append(compile(open(f'pkg/{name}.py', 'rb').read(), name, 'exec'))\n"
        "    open(f'{name}.pyc', 'wb').write(marshal.dumps(kept[-1]))\n"
    )
    stock = []
    for names in (["first", "second"], ["second", "first"]):
        subprocess.run([sys.executable, "-S", "-c", script, *names], cwd=root, check=True)
        stock.append((root / "second.pyc").read_bytes())
    assert stock[0] != stock[1]

    alone = {}
    for source in FILES:
        assert run_once(root, arguments(source, "alone.pyc")).returncode == 0
        alone[source] = (root / "alone.pyc").read_bytes()
    requests = [source for source in FILES for _ in range(SMALL)]
    random.Random(7).shuffle(requests)  # noqa: S311 - an order
    with Driver(root) as worker:
        for source in requests:
            assert worker.ask(arguments(source, "one.pyc")) == DONE
            assert (root / "one.pyc").read_bytes() == alone[source]


@pytest.mark.parametrize("between", ["", "\n"])
def test_hundreds_of_requests_at_once(root: Path, between: str) -> None:
    sources = [source for source in FILES for _ in range(60)]
    with Driver(root) as worker:
        worker.write(
            *({"requestId": number, "arguments": arguments(source, f"{number}.pyc")}
              for number, source in enumerate(sources, 1)),
            between=between,
        )  # fmt: skip
        responses = worker.read(len(sources))
        assert worker.end() == (0, "")
    assert responses == dict.fromkeys(range(1, len(sources) + 1), DONE)
    by_source: dict[str, set[bytes]] = {}
    for number, source in enumerate(sources, 1):
        by_source.setdefault(source, set()).add((root / f"{number}.pyc").read_bytes())
    assert [len(contents) for contents in by_source.values()] == [1] * len(FILES)


def test_sandbox(root: Path) -> None:
    with Driver(root.parent) as worker:
        worker.write({"requestId": 1, "sandboxDir": root.name, "arguments": arguments("pkg/first.py", "first.pyc")})
        assert worker.read(1) == {1: DONE}
    assert run_once(root, arguments("pkg/first.py", "other.pyc")).returncode == 0
    assert (root / "first.pyc").read_bytes() == (root / "other.pyc").read_bytes()


GOOD = arguments("pkg/first.py", "first.pyc")


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({}, 2, "the arguments of the request are not a list of strings"),
        ({"arguments": "--src"}, 2, "not a list of strings"),
        ({"arguments": ["--src", 1]}, 2, "not a list of strings"),
        ({"arguments": GOOD, "sandboxDir": ["x"]}, 2, "the sandboxDir of the request is not a string"),
        ({"arguments": []}, 2, "equally often, and at least once"),
        ({"arguments": [*GOOD, "--src", "pkg/second.py"]}, 2, "equally often"),
        ({"arguments": [*GOOD, "--unknown"]}, 2, "unrecognized arguments: --unknown"),
        ({"arguments": [*GOOD, "--invalidation_mode", "timestamp"]}, 2, "invalid choice: 'timestamp'"),
        ({"arguments": [*GOOD, "--optimize", "3"]}, 2, "invalid choice: 3"),
        ({"arguments": [*GOOD, "--help"]}, 2, "unrecognized arguments: --help"),
        ({"arguments": [*GOOD, "--python_version", "3.2"]}, 2, "no interpreter for --python_version 3.2; found: "),
        ({"arguments": arguments("missing.py", "x.pyc")}, 2, "missing.py: cannot be read"),
        ({"arguments": arguments("pkg", "x.pyc")}, 2, "pkg: is a directory; expected a file"),
        ({"arguments": arguments("null\0.py", "x.pyc")}, 2, "null"),
        ({"arguments": arguments("pkg/first.py", "missing/x.pyc")}, 2, "missing/x.pyc: cannot be written"),
        ({"arguments": arguments("wrong.py", "x.pyc")}, 1, "wrong.py: cannot be compiled by CPython"),
    ],
)
def test_bad_request_is_answered_and_the_worker_goes_on(
    root: Path, worker: Driver, request_: dict[str, Any], status: int, message: str
) -> None:
    worker.write({"requestId": 3, **request_})
    (response,) = worker.read(1).values()
    assert response["exitCode"] == status
    assert message in response["output"]
    assert response["output"].count("\n") == 1
    assert not (root / "x.pyc").exists()
    assert worker.ask(arguments("pkg/first.py", "next.pyc")) == DONE


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = trees.write(tmp_path_factory.mktemp("execroot"), {**FILES, "wrong.py": b"def f(:\n"})
    with Driver(root) as worker:
        yield root, worker


@pytest.fixture
def worker(shared: tuple[Path, Driver], monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.chdir(shared[0])
    return shared[1]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"[]\n", "detpyc: the request is not a JSON object\n"),
        (b'{"requestId": "x"}', "detpyc: the requestId is not a number: 'x'\n"),
        (b'{"requestId": 2, "argum', "detpyc: the stream of requests ends in the middle of a request\n"),
    ],
)
def test_broken_stream_ends_the_worker(root: Path, stream: bytes, message: str) -> None:
    with Driver(root) as worker:
        worker.write({"requestId": 1, "arguments": GOOD})
        worker.requests.write(stream)
        assert worker.end() == (2, message)
        assert worker.read(1) == {1: DONE}


def children(process: int) -> list[int]:
    """Return the children of a process."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
def test_compiler_that_was_killed_is_replaced(root: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs signals")
    with Driver(root) as worker:
        assert worker.ask(GOOD) == DONE
        before = pycs(root)
        (compiler,) = children(worker.process.pid)
        os.kill(compiler, signal.SIGKILL)
        (root / "first.pyc").unlink()
        assert worker.ask(GOOD) == DONE
        assert pycs(root) == before
        assert children(worker.process.pid) not in ([], [compiler])


@linux
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_killed_worker_leaves_nothing_behind(root: Path, name: str) -> None:
    number = signal.Signals[name]
    with Driver(root) as worker:
        assert worker.ask(GOOD) == DONE
        (compiler,) = children(worker.process.pid)
        worker.process.send_signal(number)
        assert worker.process.wait(60) in {2, -number}
        deadline = time.monotonic() + 60
        while Path(f"/proc/{compiler}").exists() and Path(f"/proc/{compiler}/stat").read_text().split()[2] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert worker.process.stderr is not None
        assert worker.process.stderr.read() == b""
    assert sorted(pycs(root)) == ["first.pyc"]


class Slow(Precompiler):
    """A precompiler whose first request waits until it may go on."""

    def __init__(self) -> None:
        super().__init__([interpreters.current()])
        self.started, self.may_end = threading.Event(), threading.Event()
        self.written: list[str] = []

    def run(self, options: Any, _: str = "", commit: Any = lambda: True) -> None:
        self.started.set()
        assert self.may_end.wait(60)
        if commit():
            self.written += options.pycs


class Requests(io.BytesIO):
    """A stream of requests; before one of them, something happens."""

    def __init__(self, *items: Any) -> None:
        super().__init__()
        self.items = iter(items)

    def read1(self, _: int | None = -1, /) -> bytes:
        for item in self.items:
            if not callable(item):
                return json.dumps(item).encode()
            item()
        return b""


def numbered(number: int) -> dict[str, Any]:
    return {"requestId": number, "arguments": arguments("pkg/first.py", f"{number}.pyc")}


def answers(precompiler: Slow, *items: Any) -> dict[int, dict[str, Any]]:
    output = io.BytesIO()
    Worker(precompiler, output).serve(Requests(*items))
    found = [json.loads(line) for line in output.getvalue().splitlines()]
    assert len({response["requestId"] for response in found}) == len(found)
    return {response.pop("requestId"): response for response in found}


CANCELLED = {"wasCancelled": True}


def test_cancelled_requests_are_answered_once_and_write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bazel, "usable_processors", lambda: 1)
    with Slow() as slow:
        cancel = [{"requestId": number, "cancel": True} for number in (1, 2, 7)]
        found = answers(slow, *map(numbered, (1, 2, 3)), slow.started.wait, *cancel, slow.may_end.set)
        assert found == {1: CANCELLED, 2: CANCELLED, 3: DONE}
        assert slow.written == ["3.pyc"]


def test_request_that_is_done_is_not_cancelled() -> None:
    with Slow() as slow:
        slow.may_end.set()

        def wait() -> None:
            while not slow.written:
                time.sleep(0.01)

        assert answers(slow, numbered(1), wait, {"requestId": 1, "cancel": True}) == {1: DONE}


def test_bug_is_answered() -> None:
    class Broken(Slow):
        def run(self, *_: Any) -> None:
            raise ZeroDivisionError

    with Broken() as broken:
        found = answers(broken, numbered(5))
    assert found[5]["exitCode"] == 2
    assert "ZeroDivisionError" in found[5]["output"]


def test_other_interpreter(root: Path, before_and_from_312: tuple[Any, Any]) -> None:
    older, newer = before_and_from_312
    with Driver(root, "--interpreter", older.path, "--interpreter", newer.path) as worker:
        for python in (newer, older):
            version = "{}.{}".format(*python.version)
            assert worker.ask([*GOOD, "--python_version", version]) == DONE
            assert int.from_bytes((root / "first.pyc").read_bytes()[:2], "little") == python.magic_number


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--persistent_worker", "--src", "x.py"], "sources are named by the requests on standard input"),
        (["--interpreter", "/missing"], "/missing: cannot be run"),
        (["@missing.params"], "missing.params: cannot be read"),
    ],
)
def test_bad_command_lines(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert bazel.main(words) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.startswith("detpyc: ")
    assert errors.count("\n") == 1


def test_needs_nothing_but_the_standard_library(root: Path) -> None:
    """Bazel then need only provide detpyc itself."""
    (root / "pyc.params").write_text("\n".join(GOOD))
    script = "import sys; sys.path.insert(0, sys.argv.pop(1)); from detpyc.engines.bazel import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-B", "-c", script, str(CHECKOUT / "src"), "@pyc.params"]
    assert subprocess.run(command, cwd=root, check=True, capture_output=True).stderr == b""
    assert [*pycs(root)] == ["first.pyc"]
