"""The pool: outcomes of sources, and workers that die, hang or violate the protocol."""

from __future__ import annotations

import errno
import marshal
import os
import random
import subprocess
import sys
import threading
import time
from importlib.util import source_hash
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from detpyc.compilation import interpreters, pool, processes, worker, worker_process
from detpyc.compilation.pool import Compiled, Failed, Refused, Source, byte_compile
from detpyc.errors import DetpycError, InterpreterError
from detpyc.limits import MAX_FILE, MAX_MESSAGE

if sys.platform == "win32":
    pytest.skip("the interpreters that misbehave need POSIX", allow_module_level=True)

import resource

from fakes import Fakes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detpyc.compilation.pool import Outcome

GOOD = Source("pkg/good.py", b"x = 1\n")
LIMIT = 1.0  # seconds


def keep(_: int, outcome: Outcome) -> Outcome:
    return outcome


def compiled(sources: Sequence[Source], python: str = sys.executable, **options: Any) -> list[Outcome]:
    return byte_compile(interpreters.describe(python), sources, [0], keep, **options)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return Fakes(tmp_path, monkeypatch)


def by_value(payload: bytes) -> bytes:
    """Load a payload, and encode it in a format without references, which depends on the values alone."""
    return marshal.dumps(marshal.loads(payload), 2)  # noqa: S302 - it was written here


def direct(source: Source, level: int = 0) -> bytes:
    code = compile(source.content, source.path, "exec", dont_inherit=True, optimize=level)
    return marshal.dumps(code, 2)


# ---- outcomes


def test_code_matches_the_source() -> None:
    source = Source("pkg/a.py", b"assert not __debug__, 'text'\n\ndef f():\n    'doc'\n")
    (outcome,) = byte_compile(interpreters.current(), [source], [0, 1, 2], keep)
    assert isinstance(outcome, Compiled)
    assert outcome.source_hash == source_hash(source.content)
    assert [by_value(payload) for payload in outcome.payloads] == [direct(source, level) for level in (0, 1, 2)]
    assert len(set(outcome.payloads)) == 3


def test_payloads_are_in_the_order_of_the_levels() -> None:
    source = Source("a.py", b"assert x\n")
    (up,), (down,) = (byte_compile(interpreters.current(), [source], levels, keep) for levels in ([0, 2], [2, 0]))
    assert isinstance(up, Compiled)
    assert isinstance(down, Compiled)
    assert up.payloads == down.payloads[::-1]
    assert up.payloads[0] != up.payloads[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"x = 1\r\ny = '''a\r\nb'''\r\n",
        b"\xef\xbb\xbfx = 'bom'\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        "naïve = '日本'\n".encode(),
        b"x = 1",
    ],
)
def test_sources_of_all_kinds(content: bytes) -> None:
    source = Source("pkg/a.py", content)
    (outcome,) = compiled([source])
    assert isinstance(outcome, Compiled)
    assert by_value(outcome.payloads[0]) == direct(source)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"x =\n", "SyntaxError", "line 1: invalid syntax"),
        (b"x = 1\nif x:\ny\n", "IndentationError", "line 3: expected an indented block"),
        (b"\xff\n", "SyntaxError", "utf-8"),
        (b"# coding: nonsense\n", "SyntaxError", "nonsense"),
        (b"x = '\0'\n", r"SyntaxError|ValueError", "null"),
        (b"return\n", "SyntaxError", "line 1: 'return' outside function"),
    ],
)
def test_sources_that_do_not_compile(content: bytes, error: str, words: str) -> None:
    bad, good = compiled([Source("a.py", content), GOOD])
    assert isinstance(bad, Refused)
    assert bad.error in error.split("|")
    assert words in bad.message.lower()  # some releases write UTF-8
    assert bad.reason.startswith(bad.error)
    assert isinstance(good, Compiled)


def test_long_message_is_shortened() -> None:
    """It is recorded in wheels, and may repeat a name as long as the source."""
    name = "x" * 100_000
    (outcome,) = compiled([Source("a.py", f"def f():\n    {name} = 1\n    global {name}\n".encode())])
    assert isinstance(outcome, Refused)
    assert outcome.message.startswith("line 3: name 'xxx")
    assert outcome.message.endswith(" characters)")
    assert len(outcome.message) < MAX_MESSAGE + 50


def test_bytecode_that_no_command_would_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker.MAX_PYC == MAX_FILE
    monkeypatch.setattr(worker, "MAX_PYC", 1000)
    assert worker.compile_source("a.py", b"\0", b"x = 1\n")[0] == worker.COMPILED
    kind, reason = worker.compile_source("a.py", b"\0", b"x = 1\n" * 1000)
    assert kind == worker.UNFAITHFUL
    assert reason.startswith(b"its bytecode has ")
    assert reason.endswith(b" bytes; the limit is 1000")


EXHAUSTING = {
    "negations": b"x = " + b"-" * 100_000 + b"1\n",
    "attributes": b"x = a" + b".b" * 500_000 + b"\n",
    "sums": b"x = a" + b" + a" * 500_000 + b"\n",
    "lambdas": b"x = " + b"lambda: " * 100_000 + b"1\n",
    "conditions": b"x = " + b"1 if a else " * 100_000 + b"1\n",
}


@pytest.mark.parametrize("content", EXHAUSTING.values(), ids=EXHAUSTING)
def test_source_that_exhausts_memory_or_stack(content: bytes, interpreter: interpreters.Interpreter) -> None:
    """How deep a source may nest depends on the machine. 3.8 and 3.9 overflow their stack before they notice."""
    bad, good = byte_compile(interpreter, [Source("a.py", content), GOOD], [0], keep)
    assert isinstance(bad, Failed)
    assert bad.reason.startswith(("MemoryError", "RecursionError")) or bad.reason.endswith("signal SIGSEGV")
    assert isinstance(good, Compiled)


def test_source_is_not_executed(tmp_path: Path) -> None:
    path = tmp_path / "made"
    (outcome,) = compiled([Source("a.py", f"open({str(path)!r}, 'w')\nprint('x')\n".encode())])
    assert isinstance(outcome, Compiled)
    assert not path.exists()


def test_warnings_of_the_compiler_are_discarded(capfd: pytest.CaptureFixture[str]) -> None:
    (outcome,) = compiled([Source("a.py", b"'\\d'; 1 is 1\n")])
    assert isinstance(outcome, Compiled)
    assert capfd.readouterr() == ("", "")


def test_environment_does_not_reach_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = compiled([Source("a.py", b"assert 1, {'a', 'b', 'c'} | {1}\n")])
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("PYTHONSTARTUP", os.devnull)
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert compiled([Source("a.py", b"assert 1, {'a', 'b', 'c'} | {1}\n")]) == [before]
    assert not any(name.startswith("PYTHON") for name in processes.environment())


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_results_are_in_order_whatever_the_number_of_workers(jobs: int) -> None:
    sizes = [*range(1, 40)]
    random.Random(0).shuffle(sizes)  # noqa: S311 - the same each time
    sources = [Source(f"{size}.py", b"x = %d\n" % size * size) for size in sizes]
    outcomes = compiled(sources, jobs=jobs)
    compiled_sources = [outcome for outcome in outcomes if isinstance(outcome, Compiled)]
    assert [by_value(outcome.payloads[0]) for outcome in compiled_sources] == [direct(source) for source in sources]
    assert outcomes == compiled(sources, jobs=1)


def test_next_source_is_read_while_the_worker_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    receive = worker_process.WorkerProcess.receive

    def receive_and_note(process: worker_process.WorkerProcess) -> Outcome:
        events.append("receive")
        return receive(process)

    def sources() -> Iterator[Source]:
        for number in range(3):
            events.append(f"read {number}")
            yield GOOD

    monkeypatch.setattr(worker_process.WorkerProcess, "receive", receive_and_note)
    with pool.Pool(interpreters.current(), 1) as workers:
        workers.byte_compile(sources(), [0], keep)
    assert events == ["read 0", "read 1", "receive", "read 2", "receive", "receive"]


def test_no_sources_need_no_worker() -> None:
    missing = interpreters.Interpreter("/no/python", "cpython", "3.12.0", "cpython-312", 3531)
    assert byte_compile(missing, [], [0], keep) == []


def test_name_that_is_not_unicode() -> None:
    (outcome,) = compiled([Source("\udcff.py", b"")])
    assert isinstance(outcome, Compiled)


def test_error_in_finish_ends_the_compilation() -> None:
    def fail(_: int, __: Outcome) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        byte_compile(interpreters.current(), [GOOD] * 20, [0], fail, jobs=2)


# ---- workers that fail


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("killed", "ended with signal SIGKILL"),
        ("crashes", "ended with signal SIGSEGV"),
        ("dies-oddly", "ended with signal"),
        ("exits", "ended with status 3\n    out of memory"),
        ("hangs", "did not answer in time and was killed"),
        ("does-not-read", "did not answer in time and was killed"),
        ("writes-text", "ended with "),
        ("breaks-off", "ended with status 0"),
        ("answers-nothing", "sent an invalid reply: []"),
        ("answers-otherwise", "sent an invalid reply: [b'fine', b'thanks']"),
        ("answers-too-little", "sent an invalid reply: [b'compiled', b'12345678']"),
        ("answers-too-much", "sent an invalid reply: [b'compiled', b'12345678', b'N', b'N']"),
        ("refuses-in-latin-1", "sent an invalid reply"),
    ],
)
def test_worker_that_fails_costs_one_source_each(fakes: Fakes, behaviour: str, words: str) -> None:
    python = fakes.make(behaviour)
    large = Source("large.py", b"#" * (1 << 20))  # more than a pipe holds
    outcomes = compiled([GOOD, large], python, jobs=2, time_limit=LIMIT)
    for outcome in outcomes:
        assert isinstance(outcome, Failed)
        assert words in outcome.reason
        assert python in outcome.reason
    assert fakes.all_gone()


def test_unfaithful_payload_is_a_failure(fakes: Fakes) -> None:
    assert compiled([GOOD], fakes.make("is-unfaithful")) == [Failed("it is not the same")]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [("hangs-on-one", "did not answer in time and was killed"), ("killed-on-one", "signal SIGKILL")],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_other_sources_are_still_compiled(fakes: Fakes, behaviour: str, words: str, jobs: int) -> None:
    python = fakes.make(behaviour)
    *good, bad = compiled([*[GOOD] * 5, Source("bad.py", b"# large\n" * 100)], python, jobs=jobs, time_limit=LIMIT)
    assert isinstance(bad, Failed)
    assert words in bad.reason
    assert good == compiled([GOOD] * 5)
    assert fakes.all_gone()


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("changes", "was CPython {release}, is now cpython 3.12.99"),
        ("changes-oddly", "not a Python interpreter: it sent an invalid reply"),
        ("skips-handshake", "did not answer in time and was killed"),
    ],
)
def test_worker_that_does_not_start_ends_the_compilation(
    fakes: Fakes, behaviour: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "START_LIMIT", LIMIT)
    python = fakes.make(behaviour)
    interpreter = interpreters.describe(python)
    with pytest.raises(InterpreterError) as caught:
        byte_compile(interpreter, [GOOD] * 5, [0], keep, jobs=2)
    assert python in str(caught.value)
    assert words.format(release=interpreter.release) in str(caught.value)
    assert fakes.all_gone()


def test_interpreter_that_was_removed(fakes: Fakes) -> None:
    interpreter = interpreters.describe(fakes.make("genuine"))
    Path(interpreter.path).unlink()
    with pytest.raises(InterpreterError, match="cannot be run: No such file or directory"):
        byte_compile(interpreter, [GOOD], [0], keep)


def test_hanging_interpreter_behind_a_shell_script(fakes: Fakes) -> None:
    (outcome,) = compiled([GOOD], fakes.make("hangs-in-a-child"), time_limit=LIMIT)
    assert isinstance(outcome, Failed)
    assert fakes.all_gone()


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="Python 3.12 and older have no waitid on macOS")
@pytest.mark.parametrize("behaviour", ["killed", "exits", "breaks-off"])
def test_processes_that_have_ended_on_macos(fakes: Fakes, behaviour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses to signal a group all of whose processes have ended."""
    kill = os.killpg

    def kill_living(group: int, number: int) -> None:
        time.sleep(0.2)  # it closes its pipes a little before it has ended
        if os.waitid(os.P_PID, group, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        kill(group, number)

    monkeypatch.setattr(os, "killpg", kill_living)
    (outcome,) = compiled([GOOD], fakes.make(behaviour), time_limit=LIMIT)
    assert isinstance(outcome, Failed)
    assert fakes.all_gone()


# ---- threads and processes that cannot be started


def failing_at(call: Callable[..., Any], number: int, error: Exception) -> Callable[..., Any]:
    """Return a function that fails when it is called for some time, and afterwards."""
    calls = count(1)

    def fail_or_not(*arguments: object, **options: object) -> object:
        if next(calls) >= number:
            raise error
        return call(*arguments, **options)

    return fail_or_not


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208


def await_descriptors(number: int) -> None:
    """Wait until so many are open: the thread that reads from a worker closes its end when it has read the last."""
    deadline = time.monotonic() + 10 * LIMIT
    while open_descriptors() != number and time.monotonic() < deadline:
        time.sleep(0.01)
    assert open_descriptors() == number


@pytest.mark.parametrize("number", range(1, 5))
def test_no_threads_left(fakes: Fakes, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers have two threads each."""
    interpreter = interpreters.describe(fakes.make("waits"))
    before = open_descriptors()
    error = RuntimeError("can't start new thread")
    monkeypatch.setattr(threading.Thread, "start", failing_at(threading.Thread.start, number, error))
    with pytest.raises(DetpycError, match="cannot start a thread; allow more processes or memory"):
        byte_compile(interpreter, [GOOD] * 5, [0], keep, jobs=2)
    assert fakes.all_gone()
    await_descriptors(before)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOMEM])
def test_no_processes_left(fakes: Fakes, code: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = interpreters.describe(fakes.make("waits"))
    before = open_descriptors()
    error = OSError(code, os.strerror(code))
    monkeypatch.setattr(subprocess, "Popen", failing_at(subprocess.Popen, number, error))
    with pytest.raises(DetpycError, match=f"cannot start a process: {os.strerror(code)}; allow more processes"):
        byte_compile(interpreter, [GOOD] * 5, [0], keep, jobs=2)
    assert fakes.all_gone()
    await_descriptors(before)


def test_search_without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that could not be asked is not one that is missing."""
    error = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    monkeypatch.setattr(subprocess, "Popen", failing_at(subprocess.Popen, 1, error))
    with pytest.raises(DetpycError, match="cannot start a process"):
        interpreters.find_interpreters()


@pytest.mark.parametrize(("jobs", "sources"), [(999_999_999, 3), (2, 5), (999_999_999, 1)])
def test_no_more_workers_than_sources_and_some_for_each_processor(
    jobs: int, sources: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Counted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    interpreter = interpreters.current()
    monkeypatch.setattr(pool, "usable_processors", lambda: 1)
    monkeypatch.setattr(subprocess, "Popen", Counted)
    assert len(byte_compile(interpreter, [GOOD] * sources, [0], keep, jobs=jobs)) == sources
    assert 0 < len(started) <= min(jobs, sources, 4)


# ---- memory


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 4 << 30),
        (1 << 30, resource.RLIM_INFINITY, 1 << 30),
        (1 << 30, 2 << 30, 1 << 30),
        (8 << 30, 8 << 30, 4 << 30),
    ],
)
def test_memory_limit_is_never_raised(soft: int, hard: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    worker.limit_memory()
    assert limits == {resource.RLIMIT_AS: (expected, hard), resource.RLIMIT_CORE: (0, hard)}
