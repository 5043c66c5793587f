"""Threads, and those that cannot be started."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from detpyc import threads
from detpyc.errors import DetpycError
from detpyc.threads import ThreadGroup, start_thread

MESSAGE = "cannot start a thread; allow more processes or memory \\(ulimit -u, ulimit -v\\)"


@pytest.fixture
def no_threads_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.fixture
def no_memory_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_ROOM", 1 << 62)


def test_thread() -> None:
    ran = threading.Event()
    start_thread(ran.set, "name").join()
    assert ran.is_set()


@pytest.mark.parametrize("lack", ["no_threads_left", "no_memory_left"])
def test_no_thread(lack: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(lack)
    with pytest.raises(DetpycError, match=MESSAGE):
        start_thread(lambda: None, "name")


def test_group_ends_when_all_its_threads_have() -> None:
    may_end = threading.Event()
    ended: list[int] = []

    def run() -> None:
        may_end.wait()
        ended.append(1)

    with ThreadGroup("name") as group:
        group.start(run)
        group.start(run)
        assert not group.wait(0.01)
        may_end.set()
        assert group.wait()
    assert ended == [1, 1]


def test_leaving_a_group_waits_for_its_threads() -> None:
    may_end = threading.Event()
    with ThreadGroup("name") as group:
        group.start(may_end.wait)
        threading.Timer(0.05, may_end.set).start()
    assert not any(thread.is_alive() for thread in group.threads)


def test_exception_in_a_group_does_not_wait_for_other_threads() -> None:
    may_end = threading.Event()
    with ThreadGroup("name") as group:
        group.start(may_end.wait)
        group.start(partial(divmod, 1, 0))
        with pytest.raises(ZeroDivisionError):
            group.wait()
        may_end.set()


@pytest.mark.parametrize("lack", ["no_threads_left", "no_memory_left"])
def test_group_without_threads(lack: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(lack)
    with ThreadGroup("name") as group:
        with pytest.raises(DetpycError, match=MESSAGE):
            group.start(lambda: None)
        assert group.wait()
