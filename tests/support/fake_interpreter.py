#!/usr/bin/env python3
"""Misbehave as an interpreter, in the way that the name of this program says (`fakes.py`).

Called as ``NAME -I -S -B worker.py``; it speaks the protocol of that worker.
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

REAL_TIME_SIGNAL = 40  # Python has no name for it
requests, replies = sys.stdin.buffer, sys.stdout.buffer


def send(*fields: bytes) -> None:
    worker.write_frame(replies, list(fields))


def describe_as(implementation: str, release: str, cache_tag: str, magic_number: int) -> None:
    send(implementation.encode(), release.encode(), cache_tag.encode(), magic_number.to_bytes(2, "little"))


def shake_hands() -> None:
    """Describe itself as the genuine worker, and wait for a request; exit if there is none."""
    send(*worker.describe())
    if worker.read_frame(requests) is None:
        sys.exit()


def is_only_described() -> bool:
    """Return whether nothing has to be compiled: standard input is the null device then."""
    return stat.S_ISCHR(os.fstat(0).st_mode)


def leave(status: int, message: str = "") -> NoReturn:
    sys.stderr.write(message)
    sys.exit(status)


def run_out_of_memory() -> None:
    shake_hands()
    leave(3, "out of memory\n")


def die(number: int) -> None:
    shake_hands()
    os.kill(os.getpid(), number)


def reply(*fields: bytes) -> None:
    shake_hands()
    send(*fields)
    wait()


def write(data: bytes) -> None:
    replies.write(data)
    replies.flush()


def write_text() -> None:
    shake_hands()
    write(b"Hello, world! " * 10)


def break_off() -> None:
    shake_hands()
    write(b"\2\0\0\0\10\0\0\0compiled\10\0\0\0abc")


def wait() -> None:
    """Keep running, and keep the lock that shows it."""
    take_lock()
    while True:
        time.sleep(60)


def take_lock() -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    lock = os.open(os.environ["FAKE_LOCK"], os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.set_inheritable(lock, True)  # noqa: FBT003 - it has no name for its parameter
    Path(os.environ["FAKE_MARK"]).touch()


def hang() -> None:
    shake_hands()
    wait()


def do_not_read() -> None:
    send(*worker.describe())
    if not is_only_described():
        wait()


def skip_handshake() -> None:
    if is_only_described():
        send(*worker.describe())
    else:
        wait()


def change(*fields: bytes) -> None:
    """Be another interpreter when started again."""
    if is_only_described():
        send(*worker.describe())
    else:
        send(*fields)
        wait()


def be_genuine() -> None:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - no shell is wanted


def be_genuine_later() -> None:
    """Wait for a file before the work begins."""
    if not is_only_described():
        take_lock()
        while not Path(os.environ["FAKE_GO"]).exists():
            time.sleep(0.01)
    be_genuine()


def misbehave_on_one(action: Callable[[], None]) -> None:
    """Be genuine except for sources named ``bad.py``."""
    compile_source = worker.compile_source

    def compile_or_not(path: str, levels: bytes, source: bytes, *pycs: bytes) -> list[bytes]:
        if path == "bad.py":
            action()
        return list(compile_source(path, levels, source, *pycs))

    worker.compile_source = compile_or_not
    worker.main()


def hang_in_a_child() -> None:
    """Do what a shell script does that runs the interpreter without ``exec``."""
    if not is_only_described() and os.fork():
        os.wait()
    else:
        hang()


BEHAVIOURS: dict[str, Callable[[], None]] = {
    # when it describes itself
    "pypy": lambda: describe_as("pypy", "3.10.14", "pypy310", 336),
    "3.7": lambda: describe_as("cpython", "3.7.17", "cpython-37", 3394),
    "alpha": lambda: describe_as("cpython", "3.14.0a1", "cpython-314", 3600),
    "future": lambda: describe_as("cpython", "3.99.0", "cpython-399", 3999),
    "fails": lambda: leave(7, "cannot load libpython\n"),
    "silent": lambda: leave(0),
    "talkative": lambda: write(b"Welcome to the shell!\n"),
    "mute": wait,
    "short": lambda: send(b"cpython"),
    "not-utf-8": lambda: send(b"\xff", b"\xff", b"\xff", b"\xff\xff"),
    # when it compiles
    "killed": lambda: die(signal.SIGKILL),
    "crashes": lambda: die(signal.SIGSEGV),
    "dies-oddly": lambda: die(REAL_TIME_SIGNAL),
    "exits": run_out_of_memory,
    "hangs": hang,
    "does-not-read": do_not_read,
    "skips-handshake": skip_handshake,
    "hangs-in-a-child": hang_in_a_child,
    "writes-text": write_text,
    "breaks-off": break_off,
    "answers-nothing": reply,
    "answers-otherwise": lambda: reply(b"fine", b"thanks"),
    "answers-too-little": lambda: reply(b"compiled", b"12345678"),
    "answers-too-much": lambda: reply(b"compiled", b"12345678", b"N", b"N"),
    "refuses-in-latin-1": lambda: reply(b"refused", b"\xff", b"\xff"),
    "is-unfaithful": lambda: reply(b"unfaithful", b"it is not the same"),
    "changes": lambda: change(b"cpython", b"3.12.99", b"cpython-312", b"\xcb\r"),
    "changes-oddly": lambda: change(b"cpython"),
    # when it compiles a certain source
    "hangs-on-one": lambda: misbehave_on_one(wait),
    "killed-on-one": lambda: misbehave_on_one(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    # when it behaves
    "genuine": be_genuine,
    "waits": be_genuine_later,
}

if __name__ == "__main__":
    BEHAVIOURS[Path(sys.argv[0]).name]()
