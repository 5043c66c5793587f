#!/usr/bin/env python3
"""Stand in for an interpreter that misbehaves. How, says the name under which it is called (`fakes.py`).

Called as ``NAME -I -S -B worker.py``; what it borrows from the genuine worker is how to speak.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

sys.path.insert(0, os.path.dirname(sys.argv[-1]))  # noqa: PTH120 - as short as it can be

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc.compilation import worker
else:
    import worker

REAL_TIME_SIGNAL = 40  # which Python has no name for
requests, answers = sys.stdin.buffer, sys.stdout.buffer


def say(*fields: bytes) -> None:
    worker.write_frame(answers, list(fields))


def greet_as(implementation: str, release: str, cache_tag: str, magic_number: int) -> None:
    say(implementation.encode(), release.encode(), cache_tag.encode(), magic_number.to_bytes(2, "little"))


def greet_and_listen() -> None:
    """Greet as the genuine worker, and wait for a request; end here if there is none."""
    say(*worker.describe())
    if worker.read_frame(requests) is None:
        sys.exit()


def is_only_described() -> bool:
    """Tell whether nothing is to be compiled: standard input is the null device then."""
    return stat.S_ISCHR(os.fstat(0).st_mode)


def end(status: int, message: str = "") -> NoReturn:
    sys.stderr.write(message)
    sys.exit(status)


def run_out_of_memory() -> None:
    greet_and_listen()
    end(3, "out of memory\n")


def die(number: int) -> None:
    greet_and_listen()
    os.kill(os.getpid(), number)


def answer(*fields: bytes) -> None:
    greet_and_listen()
    say(*fields)
    wait()


def write(data: bytes) -> None:
    answers.write(data)
    answers.flush()


def babble() -> None:
    greet_and_listen()
    write(b"Hello, world! " * 10)


def break_off() -> None:
    greet_and_listen()
    write(b"\2\0\0\0\10\0\0\0compiled\10\0\0\0abc")


def wait() -> None:
    """Live on, and hold the lock that shows it."""
    hold_lock()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # like the genuine worker
    while True:
        time.sleep(60)


def hold_lock() -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    lock = os.open(os.environ["FAKE_LOCK"], os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.set_inheritable(lock, True)  # noqa: FBT003 - it has no name for its parameter
    Path(os.environ["FAKE_MARK"]).touch()


def hang() -> None:
    greet_and_listen()
    wait()


def do_not_listen() -> None:
    say(*worker.describe())
    if not is_only_described():
        wait()


def do_not_greet() -> None:
    if is_only_described():
        say(*worker.describe())
    else:
        wait()


def change(*fields: bytes) -> None:
    """Be another when started again."""
    if is_only_described():
        say(*worker.describe())
    else:
        say(*fields)
        wait()


def be_genuine() -> None:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def be_genuine_later() -> None:
    """Wait for a file before the work begins."""
    if not is_only_described():
        hold_lock()
        while not Path(os.environ["FAKE_GO"]).exists():
            time.sleep(0.01)
    be_genuine()


def stumble(trouble: Callable[[], None]) -> None:
    """Be genuine but for the sources that are called ``bad.py``."""
    compile_source = worker.compile_source

    def compile_or_not(path: str, levels: bytes, source: bytes, *pycs: bytes) -> list[bytes]:
        if path == "bad.py":
            trouble()
        return list(compile_source(path, levels, source, *pycs))

    worker.compile_source = compile_or_not
    worker.main()


def hang_in_a_child() -> None:
    """Do as a shell script does that runs the interpreter without ``exec``."""
    if not is_only_described() and os.fork():
        os.wait()
    else:
        hang()


BEHAVIOURS: dict[str, Callable[[], None]] = {
    # when asked what it is
    "pypy": lambda: greet_as("pypy", "3.10.14", "pypy310", 336),
    "3.7": lambda: greet_as("cpython", "3.7.17", "cpython-37", 3394),
    "alpha": lambda: greet_as("cpython", "3.14.0a1", "cpython-314", 3600),
    "future": lambda: greet_as("cpython", "3.99.0", "cpython-399", 3999),
    "fails": lambda: end(7, "cannot load libpython\n"),
    "silent": lambda: end(0),
    "talkative": lambda: write(b"Welcome to the shell!\n"),
    "mute": wait,
    "short": lambda: say(b"cpython"),
    "not-utf-8": lambda: say(b"\xff", b"\xff", b"\xff", b"\xff\xff"),
    # when it is to compile
    "killed": lambda: die(signal.SIGKILL),
    "crashes": lambda: die(signal.SIGSEGV),
    "dies-oddly": lambda: die(REAL_TIME_SIGNAL),
    "exits": run_out_of_memory,
    "hangs": hang,
    "does-not-listen": do_not_listen,
    "does-not-greet": do_not_greet,
    "hangs-in-a-child": hang_in_a_child,
    "babbles": babble,
    "breaks-off": break_off,
    "answers-nothing": answer,
    "answers-otherwise": lambda: answer(b"fine", b"thanks"),
    "answers-too-little": lambda: answer(b"compiled", b"12345678"),
    "answers-too-much": lambda: answer(b"compiled", b"12345678", b"N", b"N"),
    "refuses-illegibly": lambda: answer(b"refused", b"\xff", b"\xff"),
    "is-unfaithful": lambda: answer(b"unfaithful", b"it is not the same"),
    "changes": lambda: change(b"cpython", b"3.12.99", b"cpython-312", b"\xcb\r"),
    "changes-oddly": lambda: change(b"cpython"),
    # when it is to compile a certain source
    "hangs-over-one": lambda: stumble(wait),
    "killed-over-one": lambda: stumble(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    # when all is well
    "genuine": be_genuine,
    "waits": be_genuine_later,
}

if __name__ == "__main__":
    BEHAVIOURS[Path(sys.argv[0]).name]()
