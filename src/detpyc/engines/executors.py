"""Executors for a batch: processes of this machine, or a Dask cluster."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import detpyc
from detpyc.compilation.pool import usable_processors
from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

__all__ = ["Workers", "dask_workers", "local_workers"]

_TIMEOUT = 10  # seconds for a scheduler to answer
_RESTART_TIMEOUT = 120  # seconds for one that restarts
_PORT = 8786  # of a scheduler, unless its address has another one
_NO_SCHEDULER = "no Dask scheduler answers, or it speaks another version"
_TASKS_PER_WORKER = 4  # so that a worker need not wait for the client


class Workers(NamedTuple):
    """An executor, and what `verify_many` needs to know about it.

    Attributes:
        executor: that works.
        restart: returns another one when this one takes no more work.
        window: how many artifacts it should have at the same time.

    """

    executor: Executor
    restart: Callable[[], Executor]
    window: int


@contextmanager
def local_workers(jobs: int | None = None) -> Iterator[Workers]:
    """Provide processes of this machine, which a fault in one artifact cannot take the client with.

    Args:
        jobs: how many; by default one per usable processor.

    """
    number = jobs or usable_processors()
    started: list[ProcessPoolExecutor] = []

    def start() -> ProcessPoolExecutor:
        # Processes that are forked from one with threads may deadlock.
        started.append(ProcessPoolExecutor(number, get_context("spawn"), _ignore_interrupts))
        return started[-1]

    try:
        yield Workers(start(), start, number * _TASKS_PER_WORKER)
    finally:
        for executor in started:
            executor.shutdown(wait=False, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Ignore Ctrl-C, which a terminal sends to all processes: the client decides what ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def dask_workers(address: str) -> Iterator[Workers]:
    """Provide the workers of a Dask cluster that is running.

    Args:
        address: of its scheduler, e.g. ``tcp://host:8786``.

    Raises:
        DetpycError: if Dask is not installed, no scheduler answers, or the workers do not have this detpyc.

    """
    clients: list[Any] = []
    client_class = _client_class()
    _probe(address)

    def start() -> Executor:
        clients.append(_client(client_class, address, _RESTART_TIMEOUT if clients else _TIMEOUT))
        executor: Executor = clients[-1].get_executor(pure=False)
        return executor

    try:
        executor = start()
        threads = sum(_checked(clients[0], address).values())
        yield Workers(executor, start, max(threads, 1) * _TASKS_PER_WORKER)
    finally:
        for client in clients:
            with suppress(Exception):  # the scheduler may be gone
                client.close()


def _probe(address: str) -> None:
    """Check that a scheduler answers: Dask's client waits for ever if something else accepts the connection.

    A scheduler sends its handshake before it has received one.

    Raises:
        DetpycError: if none does.

    """
    try:
        url = urlsplit(address)
        if url.scheme != "tcp":  # a connection of TLS fails on its own
            return
        with socket.create_connection((url.hostname or "", url.port or _PORT), _TIMEOUT) as connection:
            if not connection.recv(1):
                raise OSError("the connection was closed")
    except (OSError, ValueError) as error:
        raise DetpycError(f"{_NO_SCHEDULER}: {error}", path=address) from error


def _client_class() -> Any:  # noqa: ANN401 - distributed need not be installed
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise DetpycError('a scheduler needs Dask: pip install "detpyc[dask]"') from error

    class ClosedClient(Client):  # type: ignore[misc]
        """A client that is closed by its user, not when it is deleted: that fails for one that was never connected."""

        def __del__(self) -> None:
            """Do nothing."""

    return ClosedClient


def _client(client_class: Any, address: str, timeout: float) -> Any:  # noqa: ANN401 - as above
    try:
        return client_class(address, timeout=timeout, set_as_default=False)
    except Exception as error:  # of many kinds: of the network, of TLS, of the protocol
        raise DetpycError(f"{_NO_SCHEDULER}: {str(error) or type(error).__name__}", path=address) from error


def _checked(client: Any, address: str) -> dict[str, int]:  # noqa: ANN401 - as above
    """Return the threads of each worker.

    Raises:
        DetpycError: if there are no workers, or one has another detpyc.

    """
    try:
        versions = client.run(_version)
        threads: dict[str, int] = client.nthreads()
    except Exception as error:  # one that a worker raised, or that the transfer did
        raise DetpycError(f"the workers cannot run detpyc {detpyc.__version__}: {error}", path=address) from error
    for worker, version in versions.items():
        if version != detpyc.__version__:
            raise DetpycError(f"the worker {worker} has detpyc {version}, not {detpyc.__version__}", path=address)
    return threads


def _version() -> str:
    return detpyc.__version__
