"""Batches on a Dask cluster, of real wheels; the nox session ``dask`` runs these.

DETPYC_TEST_WHEELS names the directory of the wheels.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command_line import COMMAND, detpyc
from projects import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEELS = os.environ.get("DETPYC_TEST_WHEELS")
pytestmark = pytest.mark.skipif(not WHEELS, reason="needs Dask and wheels of an index: run the nox session dask")


class Cluster:
    """A scheduler and workers with one thread each, on this machine."""

    def __init__(self, workers: int) -> None:
        with closing(socket.socket()) as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = self.start_scheduler()
        self.workers = [self.start_worker() for _ in range(workers)]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        started = self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        while started.poll() is None:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                break
            time.sleep(0.05)
        return started

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("worker", self.address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0")

    def restart_scheduler(self) -> None:
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = self.start_scheduler()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster(2)
    yield found
    found.close()


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("list") / "list"
    path.write_text("\n".join(sorted(map(str, Path(str(WHEELS)).glob("*.whl")))))
    return path


def results(directory: Path) -> list[str]:
    path = directory / "results.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def start(listed: Path, directory: Path, cluster: Cluster) -> subprocess.Popen[str]:
    command = [*COMMAND, "verify", "--batch", str(listed), "--results", str(directory), "--scheduler", cluster.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(count: int, directory: Path, client: subprocess.Popen[str]) -> None:
    while len(results(directory)) < count:
        assert client.poll() is None, client.communicate()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(listed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("undisturbed")
    completed = detpyc("verify", "--batch", str(listed), "--results", str(directory))
    assert completed.returncode in {0, 1}, completed.stderr
    print(completed.stdout)  # noqa: T201 - the nox session shows it
    return sorted(results(directory))


def test_killed_worker_and_stopped_client(
    listed: Path, cluster: Cluster, undisturbed: list[str], tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("needs signals")
    total = len(listed.read_text().splitlines())
    assert len(undisturbed) == total
    client = start(listed, tmp_path, cluster)
    wait_for(total // 4, tmp_path, client)
    cluster.workers[0].send_signal(signal.SIGKILL)
    wait_for(total // 2, tmp_path, client)
    client.send_signal(signal.SIGINT)
    assert "interrupted" in client.communicate(timeout=60)[1]
    assert client.returncode == 2
    stopped = results(tmp_path)
    assert total // 2 <= len(stopped) < total
    cluster.workers.append(cluster.start_worker())
    client = start(listed, tmp_path, cluster)
    output, errors = client.communicate()
    print(output, errors)  # noqa: T201
    assert client.returncode in {0, 1}, errors
    assert sorted(results(tmp_path)) == undisturbed
    assert results(tmp_path)[: len(stopped)] == stopped
    rows = dict(line.rsplit(None, 1) for line in output.splitlines())
    assert (int(rows["verified before"]), int(rows["failed"])) == (len(stopped), 0)

    import pyarrow.parquet  # noqa: PLC0415 - of the session

    table = pyarrow.parquet.read_table(tmp_path / "results.parquet")
    assert sorted(table["artifact"].to_pylist()) == sorted(json.loads(line)["artifact"] for line in undisturbed)


def test_restarted_scheduler(listed: Path, cluster: Cluster, undisturbed: list[str], tmp_path: Path) -> None:
    client = start(listed, tmp_path, cluster)
    wait_for(3, tmp_path, client)
    cluster.restart_scheduler()
    cluster.workers += [cluster.start_worker() for _ in range(2)]
    output, errors = client.communicate()
    print(output, errors)  # noqa: T201
    assert client.returncode in {0, 1}, errors
    assert sorted(results(tmp_path)) == undisturbed


def test_no_scheduler(listed: Path, tmp_path: Path) -> None:
    completed = detpyc("verify", "--batch", str(listed), "--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1")
    assert completed.returncode == 2
    assert "tcp://127.0.0.1:1: no Dask scheduler answers, or it speaks another version: " in completed.stderr
    assert "Traceback" not in completed.stderr
    assert results(tmp_path) == []


def test_something_else_answers(listed: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        completed = detpyc("verify", "--batch", str(listed), "--results", str(tmp_path), "--scheduler", address)
    assert completed.returncode == 2
    assert f"{address}: no Dask scheduler answers, or it speaks another version: " in completed.stderr
    assert "Traceback" not in completed.stderr
