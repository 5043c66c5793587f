"""Batches on the executors of the standard library; see tests/integration/test_dask.py for a cluster."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

import pytest

import wheels
from command_line import detpyc
from detpyc import Artifact, DetpycError, Status, __version__, byte_compile_wheel, verify_many
from detpyc.cli import main
from detpyc.engines import batch, fetching
from detpyc.engines import verify_many as same
from detpyc.engines.executors import local_workers
from detpyc.engines.results import FAILURES, RESULTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNT = 6


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Some wheels with bytecode, the last of which does not pass."""
    found = []
    for number in range(COUNT):
        directory = tmp_path_factory.mktemp("wheel")
        wheel = wheels.build(directory, {"demo/core.py": b"x = %d\n" % number})
        byte_compile_wheel(wheel)
        found.append(wheel)
    stale = {"demo/core.py": b"x = 1\n", f"demo/__pycache__/core.{sys.implementation.cache_tag}.pyc": b"no pyc"}
    found[-1] = wheels.build(tmp_path_factory.mktemp("stale"), stale)
    return found


def lines(directory: Path) -> list[str]:
    return sorted((directory / RESULTS).read_text().splitlines())


def run(artifacts: Any, results: Path, executor: Executor | None = None, **options: Any) -> Any:
    with executor or ThreadPoolExecutor(2) as used:
        return verify_many(artifacts, used, results=results, **options)


@pytest.fixture(scope="module")
def undisturbed(made: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("undisturbed")
    summary = run(made, directory)
    assert (summary.verified, summary.known, summary.passed) == (COUNT, 0, COUNT - 1)
    assert summary.refused == (str(made[-1]),)
    assert summary.counts == {**{status.value: 0 for status in Status}, "identical": COUNT - 1, "malformed": 1}
    assert not (directory / FAILURES).exists()
    return lines(directory)


def test_line(made: list[Path], undisturbed: list[str]) -> None:
    results = {result["artifact"]: result for result in map(json.loads, undisturbed)}
    assert [*results] == sorted(map(str, made))
    result = results[str(made[0])]
    assert (result["sha256"], result["detpyc"]) == (sha256(made[0]), __version__)
    (refused,) = results[str(made[-1])]["refused"]
    assert refused["status"] == "malformed"


def test_processes_write_the_same(made: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    with local_workers(2) as workers:
        summary = verify_many(made, workers.executor, results=tmp_path, restart=workers.restart)
    assert summary.verified == COUNT
    assert lines(tmp_path) == undisturbed


def test_nothing_is_verified_twice(
    made: list[Path], undisturbed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(made[:2], tmp_path)
    with (tmp_path / RESULTS).open("ab") as stream:
        stream.write(undisturbed[3].encode()[:50])  # as a client that was killed leaves it
    summary = run([*made, *made], tmp_path)
    assert (summary.verified, summary.known) == (COUNT - 2, 2)
    assert lines(tmp_path) == undisturbed

    hashed = [Artifact(str(wheel), sha256(wheel)) for wheel in made]
    monkeypatch.setattr(batch, "judge", None)
    assert run(hashed, tmp_path).known == COUNT
    assert lines(tmp_path) == undisturbed


def test_changed_artifact_is_verified_again(tmp_path: Path) -> None:
    wheel = wheels.build(tmp_path)
    run([wheel], tmp_path / "results")
    byte_compile_wheel(wheel)
    summary = run([wheel], tmp_path / "results")
    assert (summary.verified, summary.known, summary.passed) == (1, 0, 1)
    assert summary.empty == 0
    assert [json.loads(line)["counts"]["identical"] for line in lines(tmp_path / "results")] == [0, 2]
    assert summary.counts["identical"] == 2


def test_results_of_others_do_not_count(made: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    other = undisturbed[0].replace(f'"detpyc": "{__version__}"', '"detpyc": "0.0.1"')
    assert other != undisturbed[0]
    (tmp_path / RESULTS).write_text(f'{other}\nno JSON\n{{"counts": 1}}\n[]\n')
    summary = run(made, tmp_path)
    assert (summary.verified, summary.outdated, summary.invalid) == (COUNT, 1, (2, 3, 4))
    assert summary.passed == COUNT - 1
    assert run(made, tmp_path, require=["cpython-311"]).outdated == COUNT + 1


def test_results_are_used_by_one_run_at_a_time(made: list[Path], tmp_path: Path) -> None:
    def nested(_: int) -> Callable[[], None]:
        with pytest.raises(DetpycError, match="is used by another run"):
            run(made, tmp_path)
        return lambda: None

    assert run(made, tmp_path, progress=nested).verified == COUNT


class Faulty(Executor):
    """An executor that loses some work: the first attempts for each artifact end with an exception."""

    def __init__(self, error: BaseException, attempts: int) -> None:
        self.error = error
        self.attempts = attempts
        self.seen: dict[str, int] = {}

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        location = arguments[0].location
        self.seen[location] = self.seen.get(location, 0) + 1
        if self.seen[location] <= self.attempts:
            future.set_exception(self.error)
        else:
            future.set_result(function(*arguments[:3]))
        return future


@pytest.mark.parametrize("error", [RuntimeError("the worker died"), CancelledError()])
def test_lost_work_is_tried_twice_more(
    made: list[Path], undisturbed: list[str], tmp_path: Path, error: BaseException
) -> None:
    assert run(made, tmp_path, Faulty(error, 2)).verified == COUNT
    assert lines(tmp_path) == undisturbed
    executor = Faulty(error, 3)
    summary = run(made, tmp_path / "3", executor)
    assert (summary.verified, len(summary.failures), {*executor.seen.values()}) == (0, COUNT, {3})
    failures = [json.loads(line) for line in (tmp_path / "3" / FAILURES).read_text().splitlines()]
    assert {failure["artifact"]: failure["error"] for failure in failures} == summary.failures
    assert run(made, tmp_path / "3").verified == COUNT
    assert not (tmp_path / "3" / FAILURES).exists()


class Breaking(Executor):
    """A pool that breaks when it gets a certain artifact, with all that it has.

    The first one works on nothing before that.
    """

    def __init__(self, fatal: Path, *, first: bool = False) -> None:
        self.fatal = str(fatal)
        self.first = first
        self.broken = False
        self.waiting: list[Future[Any]] = []

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        if self.broken:
            raise BrokenProcessPool
        future: Future[Any] = Future()
        self.waiting.append(future)
        if arguments[0].location == self.fatal:
            self.broken = True
            for lost in self.waiting:
                lost.set_exception(BrokenProcessPool())
        elif not self.first:
            self.waiting.remove(future)
            future.set_result(function(*arguments[:3]))
        return future


def test_only_the_artifact_that_kills_workers_fails(made: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    fatal = made[2]
    summary = verify_many(made, Breaking(fatal, first=True), results=tmp_path, restart=lambda: Breaking(fatal))
    assert summary.failures == {str(fatal): "the worker that verified it died"}
    assert lines(tmp_path) == [line for line in undisturbed if f'"artifact": "{fatal}"' not in line]
    with pytest.raises(DetpycError, match=r"takes no more work .*; run again to continue"):
        verify_many([fatal], Breaking(fatal), results=tmp_path)


def test_killed_process(made: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs signals")
    killed: list[int] = []

    def kill(_: int) -> Callable[[], None]:
        def step() -> None:
            if not killed:
                executor: Any = workers.executor
                killed.append(next(iter(executor._processes)))  # noqa: SLF001
                os.kill(killed[0], signal.SIGKILL)

        return step

    with local_workers(2) as workers:
        summary = verify_many(made, workers.executor, results=tmp_path, restart=workers.restart, progress=kill)
    assert (summary.verified, summary.failures) == (COUNT, {})
    assert lines(tmp_path) == undisturbed


def test_downloads(server: Any, made: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    content, digest = made[0].read_bytes(), sha256(made[0])
    name = made[0].name
    elsewhere = server.url.replace("127.0.0.1", "localhost")

    def to(target: str) -> Callable[[int], tuple[int, dict[str, str], bytes]]:
        return lambda _: (302, {"Location": target}, b"")

    server.pages = {
        f"/good/{name}": lambda _: (200, {}, content),
        f"/second/{name}": lambda count: (200 if count == 2 else 503, {}, content),
        f"/never/{name}": lambda _: (503, {}, b""),
        f"/short/{name}": lambda _: (200, {"Content-Length": "999999"}, content),
        f"/gone/{name}": lambda _: (404, {}, b""),
        f"/moved/{name}": to(f"/good/{name}"),
        f"/away/{name}": to(f"{elsewhere}/good/{name}"),
        f"/loop/{name}": to(f"/loop/{name}"),
        f"/file/{name}": to(f"file://{made[0]}"),
        f"/large/{name}": lambda _: (200, {}, content + bytes(1 << 20)),
    }
    monkeypatch.setattr(fetching, "MAX_ARTIFACT", 1 << 20)
    urls = {path.split("/")[1]: server.url + path for path in server.pages}
    artifacts = [Artifact(url, digest) for url in urls.values()]
    artifacts += [Artifact(f"{server.url}/none/{name}"), Artifact(f"ftp://host/{name}", digest)]
    artifacts += [Artifact(f"file://{made[0]}", digest), Artifact(str(made[0]), "0" * 64), Artifact(str(tmp_path))]
    artifacts += [Artifact(f"{server.url}/good/..%2f..%2fetc", digest), Artifact("https://[/a.whl", digest)]
    summary = run(artifacts, tmp_path / "results")
    passed = {json.loads(line)["artifact"] for line in lines(tmp_path / "results")}
    assert passed == {urls["good"], urls["second"], urls["moved"], f"file://{made[0]}"}
    reasons = {
        urls["never"]: "the server answered with status 503",
        urls["gone"]: "the server answered with status 404",
        urls["away"]: f"is redirected to {elsewhere}, which is refused: not over HTTPS",
        urls["loop"]: "has more than 5 redirects",
        urls["file"]: "is redirected to file://, which is refused: not over HTTPS",
        urls["large"]: "has more than 1048576 bytes, and no more are read",
        f"{server.url}/none/{name}": "has no SHA-256, so what is downloaded cannot be checked",
        f"ftp://host/{name}": "is a URL of ftp; https, http and file are supported",
        str(made[0]): f"has the SHA-256 {digest}, not {'0' * 64}",
        str(tmp_path): "is a directory; expected a file",
        f"{server.url}/good/..%2f..%2fetc": "its name is not that of a wheel or pyc",
        "https://[/a.whl": "is not a valid URL: Invalid IPv6 URL",
    }
    assert {**summary.failures, urls["short"]: ""} == {**reasons, urls["short"]: ""}
    assert summary.failures[urls["short"]].startswith("the download failed: ")
    assert {path.split("/")[1]: server.requests.count(path) for path in server.requests} == {
        "good": 2,
        "second": 2,
        "never": 3,
        "short": 3,
        "gone": 1,
        "moved": 1,
        "away": 1,
        "loop": 6,
        "file": 1,
        "large": 1,
    }


def test_missing_client(made: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "urllib3", None)
    summary = run([Artifact("https://host/a.whl", sha256(made[0]))], tmp_path)
    assert summary.failures == {
        "https://host/a.whl": 'cannot be downloaded without urllib3: pip install "detpyc[batch]"'
    }


def test_command(made: list[Path], undisturbed: list[str], tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n".join(map(str, made)))
    command = ("verify", "--batch", str(tmp_path / "list"), "--results", str(tmp_path / "results"))
    first = detpyc(*command, "-j", "2")
    assert (first.returncode, first.stderr) == (1, "")
    assert [line.split("  ")[0] for line in first.stdout.splitlines()][:2] == ["verified now", "verified before"]
    assert lines(tmp_path / "results") == undisturbed
    second = detpyc(*command, "--allow", "malformed")
    assert second.stdout.split()[2] == "0"
    assert second.returncode == 0
    (tmp_path / "list").write_text(f"{made[0]}\n{tmp_path / 'missing.whl'}\n")
    third = detpyc(*command)
    assert third.returncode == 2
    assert third.stderr == f"detpyc: {tmp_path / 'missing.whl'}: cannot be read: No such file or directory\n"
    (tmp_path / "list").write_text("nul\0.whl\n")
    fourth = detpyc(*command)
    assert fourth.returncode == 2
    assert fourth.stderr == f"detpyc: {tmp_path}/nul\\x00.whl: cannot be read: embedded null byte\n"
    (tmp_path / "list").write_text(str(wheels.build(tmp_path)))
    without = detpyc(*command[:-1], str(tmp_path / "other results"))
    assert without.returncode == 0
    assert without.stderr == (
        "detpyc: warning: nothing was verified in 1 artifact without pycs; add --require if there must be some\n"
    )
    (tmp_path / "list").write_text("# nothing\n")
    fifth = detpyc(*command)
    assert fifth.stderr == f"detpyc: warning: {tmp_path / 'list'}: names no wheels, so nothing is verified\n"


def test_command_with_an_index(server: Any, made: list[Path], tmp_path: Path) -> None:
    wheel, digest = made[0], sha256(made[0])
    link = f'<a href="/{wheel.name}#sha256={digest}">{wheel.name}</a>'.encode()
    server.pages = {
        "/simple/demo/": lambda _: (200, {}, link),
        f"/{wheel.name}": lambda _: (200, {}, wheel.read_bytes()),
    }
    options = f"--hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest}"
    (tmp_path / "requirements.txt").write_text(f"absent==1.0 {options}\ndemo==1.0 {options}\n")
    command = ("verify", "--batch", tmp_path / "requirements.txt", "--results", tmp_path / "results")
    for known in ("0", "1"):
        completed = detpyc(*command, "--index-url", f"{server.url}/simple")
        assert completed.returncode == 2
        assert completed.stderr == f"detpyc: absent==1.0: {server.url}/simple/: has no project absent\n"
        rows = dict(line.rsplit(None, 1) for line in completed.stdout.splitlines())
        assert (rows["verified before"], rows["passed"], rows["failed"]) == (known, "1", "1")
        assert [json.loads(line)["artifact"] for line in lines(tmp_path / "results")] == [f"{server.url}/{wheel.name}"]
        (failure,) = map(json.loads, (tmp_path / "results" / FAILURES).read_text().splitlines())
        assert failure["artifact"] == "absent==1.0"
    assert server.requests.count(f"/{wheel.name}") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: PATH, or --batch LIST"),
        (["x.whl", "--results", "r"], "verify without --batch LIST does not take --results"),
        (
            ["--scheduler", "s", "--index-url", "i"],
            "verify without --batch LIST does not take --scheduler, --index-url",
        ),
        (["--batch", "list"], "--batch needs --results DIR, where the results are written"),
        (["--batch", "list", "--results", "r", "--json", "x.whl"], "--batch does not take PATH, --json"),
        (["--batch", "missing", "--results", "r"], "missing: cannot be read: No such file or directory"),
        (["--batch", "ftp://host/x", "--results", "r"], "ftp://host/x: is not a URL of http or https"),
    ],
)
def test_bad_command_lines(arguments: list[str], message: str, tmp_path: Path) -> None:
    completed = detpyc("verify", *arguments, cwd=tmp_path)
    assert (completed.returncode, completed.stderr) == (2, f"detpyc: {message}\n")
    assert not (tmp_path / "r").exists()


def test_scheduler_needs_dask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "list").write_text("demo.whl")
    arguments = ["--batch", str(tmp_path / "list"), "--results", str(tmp_path), "--scheduler", "tcp://127.0.0.1:1"]
    assert main(["verify", *arguments]) == 2
    assert capsys.readouterr().err == 'detpyc: a scheduler needs Dask: pip install "detpyc[dask]"\n'


def test_name_in_both_packages() -> None:
    assert same is verify_many
