"""What is checked before a cluster gets work; see tests/integration/test_dask.py for a real one."""

from __future__ import annotations

import socket
import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from detpyc import DetpycError, __version__
from detpyc.engines import executors
from detpyc.engines.executors import dask_workers, local_workers

ADDRESS = "tls://host:8786"


class Client:
    """Dask's client, as far as it is used."""

    versions: Any = None
    closed = 0

    def __init__(self, address: str, *, timeout: float, set_as_default: bool) -> None:
        assert (address, set_as_default) == (ADDRESS, False)
        assert timeout > 1

    def run(self, function: Any) -> Any:
        assert function() == __version__
        if isinstance(self.versions, Exception):
            raise self.versions
        return self.versions

    def nthreads(self) -> dict[str, int]:
        return {"tcp://a": 1, "tcp://b": 2}

    def get_executor(self, *, pure: bool) -> object:
        assert not pure
        return object()

    def close(self) -> None:
        Client.closed += 1

    def __del__(self) -> None:
        raise AssertionError("Dask's client cannot be closed if it was never connected")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    module: Any = ModuleType("distributed")
    module.Client = Client
    monkeypatch.setitem(sys.modules, "distributed", module)
    monkeypatch.setattr(Client, "closed", 0)
    monkeypatch.setattr(Client, "versions", {"tcp://a": __version__, "tcp://b": __version__})
    return Client


def test_cluster(client: type[Client]) -> None:
    with dask_workers(ADDRESS) as workers:
        assert workers.window == 12
        assert workers.restart() is not workers.executor
    assert client.closed == 2


@pytest.mark.parametrize(
    ("versions", "message"),
    [
        ({"tcp://a": __version__, "tcp://b": "0.0.1"}, f"the worker tcp://b has detpyc 0.0.1, not {__version__}"),
        (ModuleNotFoundError("No module named 'detpyc'"), f"the workers cannot run detpyc {__version__}: No module"),
    ],
)
def test_workers_with_another_detpyc(
    client: type[Client], monkeypatch: pytest.MonkeyPatch, versions: Any, message: str
) -> None:
    monkeypatch.setattr(client, "versions", versions)
    with pytest.raises(DetpycError) as caught, dask_workers(ADDRESS):
        pass
    assert caught.value.path == ADDRESS
    assert caught.value.reason.startswith(message)
    assert client.closed == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("Timed out"), "Timed out"),
        (ValueError("mismatched protocol"), "mismatched protocol"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_no_scheduler(client: type[Client], monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(client, "__init__", fail)
    with pytest.raises(DetpycError, match=f"no Dask scheduler answers, or it speaks another version: {reason}$"):
        dask_workers(ADDRESS).__enter__()


@pytest.mark.parametrize("address", ["tcp://[", "tcp://host:port", "tcp://"])
def test_invalid_address(client: type[Client], address: str) -> None:
    with pytest.raises(DetpycError, match="no Dask scheduler answers") as caught, dask_workers(address):
        pass
    assert caught.value.path == address
    assert client.closed == 0


def accept(server: socket.socket, answer: bytes | None) -> None:
    connection, _ = server.accept()
    with connection:
        if answer is None:
            connection.recv(1)  # as a server that waits for a request
        else:
            connection.sendall(answer)


@pytest.mark.parametrize(("answer", "message"), [(None, "timed out"), (b"", "the connection was closed")])
def test_something_else_answers(
    client: type[Client], monkeypatch: pytest.MonkeyPatch, answer: bytes | None, message: str
) -> None:
    monkeypatch.setattr(executors, "_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server, answer))
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(DetpycError, match=message) as caught, dask_workers(address):
            pass
        thread.join()
    assert caught.value.path == address
    assert client.closed == 0


def test_local_processes() -> None:
    with local_workers(3) as workers:
        assert workers.window == 12
        again = workers.restart()
        assert again is not workers.executor
        assert [*again.map(abs, [-1, -2])] == [1, 2]
    with pytest.raises(RuntimeError):
        again.submit(abs, 1)
