"""Threads that cannot be started."""

from __future__ import annotations

import threading

import pytest

from detpyc import threads
from detpyc.errors import DetpycError
from detpyc.threads import Executor, start_thread

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


def test_executor() -> None:
    with Executor(1) as executor:
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        assert [*executor.map(abs, [-1, 2])] == [1, 2]


@pytest.mark.parametrize("lack", ["no_threads_left", "no_memory_left"])
def test_executor_without_threads(lack: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(lack)
    with Executor(1) as executor, pytest.raises(DetpycError, match=MESSAGE):
        executor.submit(abs, 1)
