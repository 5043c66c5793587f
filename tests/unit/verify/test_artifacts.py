"""What verification finds in wheels, in trees, and by single paths."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import wheels
from bounds import bounded
from detpyc.byte_compile.wheel import WheelOptions, byte_compile_wheel
from detpyc.errors import DetpycError
from detpyc.settings import Settings
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status
from detpyc.wheel import problems
from pycs import HERE, PYC, SOURCE, forged, pyc
from unit.verify.findings import the_one

WHOLE = "demo-1.0-py3-none-any.whl"

# ---- wheels


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = wheels.build(tmp_path)
    byte_compile_wheel(path, Settings(interpreters=(HERE.path,)))
    return path


def test_reports_can_be_pickled(wheel: Path) -> None:
    report = verify_artifact(wheel, [HERE])
    assert report.findings
    assert pickle.loads(pickle.dumps(report)) == report  # noqa: S301 - it was pickled here


def test_wheels_can_be_fanned_out(wheel: Path, tmp_path: Path) -> None:
    """The same wheel at the same time, too: nothing is locked."""
    paths = [str(wheel), str(wheel), shutil.copytree(wheel.parent, tmp_path / "copy") / wheel.name]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        reports = list(pool.map(verify_artifact, paths))
    assert [report.path for report in reports] == list(map(str, paths))
    assert {report.findings for report in reports} == {verify_artifact(wheel).findings}


def test_large_members_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detpyc.verify.wheels.MAX_FILE", 1000)
    wheel = wheels.build(tmp_path, {"core.py": SOURCE, "core.pyc": bytes(1001)})
    (finding,) = verify_artifact(wheel).findings
    assert finding.status is Status.UNVERIFIABLE
    assert "has 1001 bytes; the limit is 1000" in finding.reasons[0]


def test_pycs_beside_the_modules_are_not_overlooked(tmp_path: Path) -> None:
    """In a wheel, whatever is not installed as a module may be so all the same, by way of the data directory."""
    hidden = ["demo-1.0.data/data/lib/site-packages/core.pyc", "demo-1.0.dist-info/core.pyc"]
    wheel = wheels.build(tmp_path, {name: pyc() for name in hidden})
    assert [(finding.pyc, finding.status) for finding in verify_artifact(wheel).findings] == [
        (name, Status.ORPHAN) for name in hidden
    ]


def test_data_directories_of_modules(tmp_path: Path) -> None:
    root = "demo-1.0.data/purelib/"
    wheel = wheels.build(tmp_path, {f"{root}core.py": SOURCE, f"{root}{PYC}": pyc()})
    (finding,) = verify_artifact(wheel, [HERE]).findings
    assert finding.status is Status.EQUIVALENT
    assert not any(reason.startswith("recorded path") for reason in finding.reasons)


def test_sourceless_pyc_beside_its_source(tmp_path: Path) -> None:
    """Provenance may not make zipimport, which takes the pyc, run code without asserts that the source has."""
    source = b"def f(x):\n    assert x\n"
    settings = Settings(interpreters=(HERE.path,), layout="sourceless", optimize=(2,))
    (tmp_path / "without").mkdir()
    options = WheelOptions(output_dir=tmp_path / "without", rename=True)
    made = byte_compile_wheel(wheels.build(tmp_path, {"core.py": source}), settings, options).path
    files = {**wheels.read(made), "core.py": source}
    del files["demo-1.0.dist-info/RECORD"]
    record = wheels.record(files, "demo-1.0.dist-info/RECORD")
    path = wheels.write(tmp_path / made.name, {**files, "demo-1.0.dist-info/RECORD": record})

    report = verify_artifact(path, [HERE])

    assert [(finding.pyc, finding.status) for finding in report.findings] == [("core.pyc", Status.DIFFERS)]
    assert report.problems == ("provenance says that core.pyc replaces its source, but there is core.py",)
    assert verify_artifact(made, [HERE], sources=path).counts()["identical"] == 1


def test_long_and_many_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "MAX_PROBLEMS", 2)
    monkeypatch.setattr(problems, "MAX_MESSAGE", 30)
    files = wheels.complete({f"{number}{'0' * 40}.py": b"" for number in range(5)})
    del files["demo-1.0.dist-info/RECORD"]
    path = wheels.write(tmp_path / WHOLE, {**files, "demo-1.0.dist-info/RECORD": b""})
    first, second, third = verify_artifact(path).problems
    assert first == f"RECORD does not list 0{'0' * 8}... (65 characters)"
    assert second == f"RECORD does not list 1{'0' * 8}... (65 characters)"
    assert third == "and more problems"


# ---- trees


def test_pipes_are_not_waited_for(tree: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no named pipes")
    os.mkfifo(tree / "pipe.pyc")
    (tree / PYC).write_bytes(pyc())
    (tree / "core.py").unlink()
    os.mkfifo(tree / "core.py")
    with bounded():
        findings = {finding.pyc: finding for finding in verify_artifact(tree, [HERE]).findings}
    assert findings[str(tree / "pipe.pyc")].status is Status.MALFORMED
    assert "not a regular file" in findings[str(tree / "pipe.pyc")].reasons[0]
    assert findings[str(tree / PYC)].status is Status.UNVERIFIABLE


def test_dangling_links(tree: Path) -> None:
    (tree / "core.pyc").symlink_to("nowhere")
    finding = the_one(tree)
    assert finding.status is Status.MALFORMED
    assert "cannot be read" in finding.reasons[0]


def test_large_files_are_not_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tree / "core.pyc").open("wb") as stream:
        stream.truncate(1 << 40)
    with bounded():
        assert the_one(tree).status is Status.UNVERIFIABLE
    (tree / "core.pyc").write_bytes(pyc())
    monkeypatch.setattr("detpyc.verify.artifacts.MAX_FILE", (tree / "core.pyc").stat().st_size)
    assert the_one(tree).status is Status.EQUIVALENT
    (tree / "core.py").write_bytes(SOURCE + bytes(1000))
    assert "its source cannot be read" in the_one(tree).reasons[0]


@pytest.mark.parametrize("path", ["core.py", "missing"])
def test_what_is_no_tree(tree: Path, path: str) -> None:
    with pytest.raises(
        DetpycError, match=r"not a wheel, directory, archive, container image or \.pyc file|no such file"
    ):
        verify_artifact(tree / path)


def test_installed_provenance_that_is_malformed(tree: Path) -> None:
    (tree / "x.dist-info").mkdir()
    (tree / "x.dist-info/detpyc.json").write_text("[]")
    (problem,) = verify_artifact(tree).problems
    assert "detpyc.json is malformed" in problem


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tree: Path) -> None:
    (tree / "core.pyc").write_bytes(pyc())
    (tree / "core.pyc").chmod(0)
    assert "Permission denied" in the_one(tree).reasons[0]


# ---- ending

PROGRAM = """
import subprocess
from detpyc import find_interpreter, verify_artifact

class Printing(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        print(self.pid, flush=True)

here = find_interpreter({python!r})
subprocess.Popen = Printing
verify_artifact({tree!r}, [here])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_workers_end_with_the_process(tree: Path) -> None:
    """As when `multiprocessing.Pool` ends a process in which a source takes too long."""
    source = b"f(" + b",".join(b"a%d=1" % number for number in range(300_000)) + b")\n"  # takes minutes
    (tree / "core.py").write_bytes(source)
    (tree / PYC).write_bytes(forged(source))
    program = PROGRAM.format(python=sys.executable, tree=str(tree))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = Path("/proc", process.stdout.readline().strip(), "stat")
        assert is_running(worker)
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM
    deadline = time.monotonic() + 30  # it is killed, which may take the system a moment
    while is_running(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(stat: Path) -> bool:
    try:
        return ") Z " not in stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
