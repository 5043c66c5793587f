"""Threads that cannot be started."""

from __future__ import annotations

import threading

import pytest

from detpyc.errors import DetpycError
from detpyc.threads import Executor, start_thread

MESSAGE = "cannot start a thread; allow more processes or memory \\(ulimit -u, ulimit -v\\)"


@pytest.fixture
def no_threads_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_thread() -> None:
    ran = threading.Event()
    start_thread(ran.set, "name").join()
    assert ran.is_set()


@pytest.mark.usefixtures("no_threads_left")
def test_no_thread() -> None:
    with pytest.raises(DetpycError, match=MESSAGE):
        start_thread(lambda: None, "name")


def test_executor() -> None:
    with Executor(1) as executor:
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        assert [*executor.map(abs, [-1, 2])] == [1, 2]


@pytest.mark.usefixtures("no_threads_left")
def test_executor_without_threads() -> None:
    with Executor(1) as executor, pytest.raises(DetpycError, match=MESSAGE):
        executor.submit(abs, 1)
