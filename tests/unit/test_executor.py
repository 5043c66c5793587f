"""A pool of threads."""

from __future__ import annotations

import threading

import pytest

from detpyc import threads
from detpyc.errors import DetpycError
from detpyc.executor import Executor


def test_executor() -> None:
    with Executor(1) as executor:
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        assert [*executor.map(abs, [-1, 2])] == [1, 2]


@pytest.mark.parametrize("room", [0, 1 << 62])
def test_executor_without_threads(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(threads, "_ROOM", room)
    with Executor(1) as executor, pytest.raises(DetpycError, match="cannot start a thread"):
        executor.submit(abs, 1)
