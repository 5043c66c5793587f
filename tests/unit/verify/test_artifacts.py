"""Verify: statuses and reports as programs and people get them, and what trees may hold."""

from __future__ import annotations

import io
import json
import marshal
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

import wheels
from bounds import bounded
from detpyc import files
from detpyc.byte_compile.wheel import Options, byte_compile_wheel
from detpyc.bytecode.header import InvalidationMode, PycHeader, source_hash
from detpyc.cli import main
from detpyc.compilation import interpreters
from detpyc.errors import DetpycError
from detpyc.settings import Settings
from detpyc.verify import verdicts as judge
from detpyc.verify.artifacts import Finding, Report, Status, verify_tree, verify_wheel

if TYPE_CHECKING:
    from pathlib import Path

HERE = interpreters.current()
TAG = HERE.cache_tag
PYC = f"__pycache__/core.{TAG}.pyc"
WHOLE = "demo-1.0-py3-none-any.whl"
SOURCE = b"def f():\n    return 1000\n"


def pyc(
    source: bytes = SOURCE,
    path: str = "core.py",
    *,
    optimize: int = 0,
    mtime: int | None = None,
    size: int | None = None,
) -> bytes:
    """Compile and write a pyc as CPython does: checked by its hash, or by its mtime."""
    if mtime is None:
        digest = source_hash(source, HERE.magic_number)
        header = PycHeader(HERE.magic_number, InvalidationMode.CHECKED_HASH, source_hash=digest)
    else:
        size = len(source) if size is None else size
        header = PycHeader(HERE.magic_number, InvalidationMode.TIMESTAMP, mtime=mtime, source_size=size)
    return header.to_bytes() + marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=optimize))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "core.py").write_bytes(SOURCE)
    os.utime(tmp_path / "core.py", (0, 1_600_000_000.7))
    return tmp_path


def the_one(path: Path) -> Finding:
    (finding,) = verify_tree(path, [HERE]).findings
    return finding


# ---- reports


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = wheels.build(tmp_path)
    byte_compile_wheel(path, Settings(interpreters=(HERE.path,)))
    return path


def test_reports_can_be_pickled(wheel: Path) -> None:
    report = verify_wheel(wheel, [HERE])
    assert report.findings
    assert pickle.loads(pickle.dumps(report)) == report  # noqa: S301 - it was pickled here


def test_wheels_can_be_fanned_out(wheel: Path, tmp_path: Path) -> None:
    """The same wheel at the same time, too: nothing is locked."""
    paths = [str(wheel), str(wheel), shutil.copytree(wheel.parent, tmp_path / "copy") / wheel.name]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        reports = list(pool.map(verify_wheel, paths))
    assert [report.path for report in reports] == list(map(str, paths))
    assert {report.findings for report in reports} == {verify_wheel(wheel).findings}


def test_counts_and_refusals() -> None:
    findings = (Finding("a", Status.IDENTICAL), Finding("b", Status.STALE), Finding("c", Status.STALE))
    report = Report("x.whl", findings)
    assert report.counts() == {**dict.fromkeys((each.value for each in Status), 0), "identical": 1, "stale": 2}
    assert report.refused([Status.IDENTICAL]) == findings[1:]
    assert report.refused(Status) == ()


def test_json(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly what docs/verify.md says."""
    (tree / PYC).write_bytes(pyc())
    (tree / "gone.pyc").write_bytes(pyc())
    status = main(["verify", "--json", "-i", HERE.path, str(tree), str(tree / "missing")])
    document = json.loads(capsys.readouterr().out)
    (reasons,) = (each.pop("reasons") for each in document["reports"][0]["pycs"] if each["status"] == "equivalent")
    assert status == 2
    assert all(isinstance(reason, str) for reason in reasons)
    assert document == {
        "format": 1,
        "reports": [
            {
                "path": str(tree),
                "holds": False,
                "counts": {**dict.fromkeys((each.value for each in Status), 0), "equivalent": 1, "orphan": 1},
                "problems": [],
                "pycs": [
                    {
                        "pyc": str(tree / "gone.pyc"),
                        "status": "orphan",
                        "reasons": [f"there is no {tree / 'gone.py'}"],
                        "source": None,
                        "release": None,
                    },
                    {
                        "pyc": str(tree / PYC),
                        "status": "equivalent",
                        "source": str(tree / "core.py"),
                        "release": HERE.release,
                    },
                ],
            },
            {
                "path": str(tree / "missing"),
                "error": f"{tree / 'missing'}: there is no such file or directory",
            },
        ],
    }


@pytest.mark.parametrize(
    ("options", "status"),
    [([], 1), (["--allow", "stale"], 0), (["--allow", "orphan"], 1), (["--allow", "stale", "--strict"], 1)],
    ids=str,
)
def test_exit_status(tree: Path, options: list[str], status: int) -> None:
    (tree / PYC).write_bytes(pyc())
    (tree / f"__pycache__/core.{TAG}.opt-1.pyc").write_bytes(pyc(b"", optimize=1))
    assert main(["verify", "-q", "-i", HERE.path, *options, str(tree)]) == status


# ---- sources that lie elsewhere


@pytest.fixture
def sourceless(tmp_path: Path) -> Path:
    """A wheel without sources, beside the one that has them."""
    (tmp_path / "without").mkdir()
    whole = wheels.build(tmp_path)
    options = Options(output_dir=tmp_path / "without", rename=True)
    return byte_compile_wheel(whole, Settings(layout="sourceless"), options).path


def sdist(directory: Path, files: dict[str, bytes]) -> Path:
    path = directory / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"demo-1.0/src/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_wheel_without_sources(sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to do better."""
    assert main(["verify", str(sourceless)]) == 1
    first, *others, last = capsys.readouterr().out.splitlines()
    assert first == f"{sourceless}: 2 orphan"
    assert "    orphan: demo/core.pyc" in others
    assert last == "    give --sources SDIST_OR_WHEEL to verify what has no source in the wheel"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_sources_from_elsewhere(kind: str, sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    beside = sourceless.parents[1]
    sources = beside / WHOLE if kind == "wheel" else sdist(beside, wheels.MODULES)
    assert main(["verify", "--strict", "--sources", str(sources), str(sourceless)]) == 0
    assert capsys.readouterr().out == f"{sourceless}: 2 identical\n"


def test_other_sources(sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    modules = {**wheels.MODULES, "demo/core.py": b"other = 1\n"}
    assert main(["verify", "--sources", str(sdist(sourceless.parent, modules)), str(sourceless)]) == 1
    assert capsys.readouterr().out.startswith(f"{sourceless}: 1 identical, 1 stale\n    stale: demo/core.pyc\n")


def test_sources_that_cannot_be_used(tree: Path, sourceless: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = sourceless.parents[1] / WHOLE
    assert main(["verify", "--sources", str(whole), str(tree / "core.py")]) == 2
    assert capsys.readouterr().err == f"detpyc: {tree / 'core.py'}: is no wheel, and --sources is for wheels alone\n"
    assert main(["verify", "--sources", str(tree / "core.py"), str(sourceless)]) == 2
    assert capsys.readouterr().err.startswith(f"detpyc: {tree / 'core.py'}: is no wheel and no source distribution: ")


def test_control_characters_are_escaped(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "\x1b[2J\n.pyc").write_bytes(b"")
    main(["verify", str(tree)])
    shown = capsys.readouterr().out
    assert r"\x1b[2J\n.pyc" in shown
    assert "\x1b" not in shown


# ---- statuses


def test_mtime_and_size(tree: Path) -> None:
    """As the import system compares them: whole seconds, modulo 2**32."""
    for mtime, size, status in (
        (1_600_000_000, None, Status.EQUIVALENT),
        (1_600_000_001, None, Status.STALE),
        (1_600_000_000, 5, Status.STALE),
    ):
        (tree / PYC).write_bytes(pyc(mtime=mtime, size=size))
        assert the_one(tree).status is status


def test_mtime_has_no_meaning_in_a_wheel(tmp_path: Path) -> None:
    wheel = wheels.build(tmp_path, {"core.py": SOURCE, PYC: pyc(mtime=5)})
    (finding,) = verify_wheel(wheel, [HERE]).findings
    assert (finding.status, finding.reasons[0]) == (Status.EQUIVALENT, "timestamp header")


def test_stale_pyc_of_the_same_code(tree: Path) -> None:
    (tree / PYC).write_bytes(pyc())
    (tree / "core.py").write_bytes(SOURCE + b"# comment\n")
    finding = the_one(tree)
    assert finding.status is Status.STALE
    assert finding.reasons[1] == "the code is the source's all the same"


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        (f"__pycache__/core.{TAG}.opt-1.pyc", Status.EQUIVALENT, ""),
        (f"__pycache__/core.{TAG}.opt-3.pyc", Status.UNVERIFIABLE, "optimization level '3' is none of CPython's"),
        (f"__pycache__/core.{TAG}-pytest-8.3.4.pyc", Status.UNVERIFIABLE, "another tool wrote it"),
        ("__pycache__/core.cpython-38.pyc", Status.MALFORMED, "its name says 'cpython-38'"),
        ("__pycache__/core.pyc", Status.MALFORMED, "its name says ''"),
        (f"__pycache__/gone.{TAG}.pyc", Status.ORPHAN, "there is no "),
        ("core.pyc", Status.EQUIVALENT, ""),
        ("gone.pyc", Status.ORPHAN, "there is no "),
    ],
)
def test_names(tree: Path, name: str, status: Status, reason: str) -> None:
    (tree / name).write_bytes(pyc())
    finding = the_one(tree)
    assert finding.status is status
    assert reason in finding.reasons[0]


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", Status.MALFORMED, "at offset 0"),
        (pyc()[:15], Status.MALFORMED, "in the middle of the header (at offset 15)"),
        (pyc()[:40], Status.MALFORMED, "(at offset 40)"),
        (pyc() + b"x", Status.MALFORMED, f"1 bytes after the end of the payload (at offset {len(pyc())})"),
        (pyc()[:16] + b"N", Status.MALFORMED, "the payload is not a code object"),
        (b"\x5c\x0d\r\n" + bytes(20), Status.UNVERIFIABLE, "a pre-release of CPython"),
        (b"\x50\x01\r\n" + bytes(20), Status.UNVERIFIABLE, "PyPy"),
    ],
)
def test_contents(tree: Path, content: bytes, status: Status, reason: str) -> None:
    (tree / PYC).write_bytes(content)
    finding = the_one(tree)
    assert finding.status is status
    assert reason in finding.reasons[0]


def test_no_interpreter(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_found", lambda _: [])
    (tree / PYC).write_bytes(pyc())
    (finding,) = verify_tree(tree).findings
    version = "{}.{}".format(*HERE.version)
    assert (finding.status, finding.reasons) == (
        Status.UNVERIFIABLE,
        (f"there is no CPython {version} here to compile its source",),
    )
    (tree / "core.py").write_bytes(b"")
    (finding,) = verify_tree(tree).findings
    assert finding.status is Status.STALE


def test_more_than_one_batch(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "_BATCH", 2)
    for name in "abcde":
        (tree / f"{name}.py").write_bytes(SOURCE)
        (tree / f"{name}.pyc").write_bytes(pyc(SOURCE.replace(b"1000", b"1000" if name != "c" else b"1001")))
    assert [finding.status.value for finding in verify_tree(tree, [HERE]).findings] == [
        *("equivalent", "equivalent", "stale", "equivalent", "equivalent")
    ]


# ---- what trees may hold


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_pipes_are_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe.pyc")
    (tree / PYC).write_bytes(pyc())
    (tree / "core.py").unlink()
    os.mkfifo(tree / "core.py")
    with bounded():
        findings = {finding.pyc: finding for finding in verify_tree(tree, [HERE]).findings}
    assert findings[str(tree / "pipe.pyc")].status is Status.MALFORMED
    assert "is no regular file" in findings[str(tree / "pipe.pyc")].reasons[0]
    assert findings[str(tree / PYC)].status is Status.UNVERIFIABLE


def test_dangling_links(tree: Path) -> None:
    (tree / "core.pyc").symlink_to("nowhere")
    finding = the_one(tree)
    assert finding.status is Status.MALFORMED
    assert "cannot be opened" in finding.reasons[0]


def test_large_files_are_not_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tree / "core.pyc").open("wb") as stream:
        stream.truncate(1 << 40)
    with bounded():
        assert the_one(tree).status is Status.UNVERIFIABLE
    (tree / "core.pyc").write_bytes(pyc())
    monkeypatch.setattr(files, "MAX_FILE", (tree / "core.pyc").stat().st_size)
    assert the_one(tree).status is Status.EQUIVALENT
    (tree / "core.py").write_bytes(SOURCE + bytes(1000))
    assert "its source cannot be read" in the_one(tree).reasons[0]


def test_large_members_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detpyc.verify.artifacts.MAX_FILE", 1000)
    wheel = wheels.build(tmp_path, {"core.py": SOURCE, "core.pyc": bytes(1001)})
    (finding,) = verify_wheel(wheel).findings
    assert finding.status is Status.UNVERIFIABLE
    assert "has 1001 bytes, and no more than 1000 are read" in finding.reasons[0]


def test_pycs_beside_the_modules_are_not_overlooked(tmp_path: Path) -> None:
    """In a wheel, whatever is not installed as a module may be so all the same, by way of the data directory."""
    hidden = ["demo-1.0.data/data/lib/site-packages/core.pyc", "demo-1.0.dist-info/core.pyc"]
    wheel = wheels.build(tmp_path, {name: pyc() for name in hidden})
    assert [(each.pyc, each.status) for each in verify_wheel(wheel).findings] == [
        (name, Status.ORPHAN) for name in hidden
    ]


def test_data_directories_of_modules(tmp_path: Path) -> None:
    root = "demo-1.0.data/purelib/"
    wheel = wheels.build(tmp_path, {f"{root}core.py": SOURCE, f"{root}{PYC}": pyc()})
    (finding,) = verify_wheel(wheel, [HERE]).findings
    assert finding.status is Status.EQUIVALENT
    assert not any(reason.startswith("recorded path") for reason in finding.reasons)


@pytest.mark.parametrize("path", ["core.py", "missing"])
def test_what_is_no_tree(tree: Path, path: str) -> None:
    with pytest.raises(DetpycError, match=r"is no wheel, directory or pyc|no such file"):
        verify_tree(tree / path)


def test_installed_provenance_that_is_malformed(tree: Path) -> None:
    (tree / "x.dist-info").mkdir()
    (tree / "x.dist-info/detpyc.json").write_text("[]")
    (problem,) = verify_tree(tree).problems
    assert "detpyc.json is malformed" in problem


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tree: Path) -> None:
    (tree / "core.pyc").write_bytes(pyc())
    (tree / "core.pyc").chmod(0)
    assert "Permission denied" in the_one(tree).reasons[0]


def test_output_that_the_terminal_cannot_show(tree: Path) -> None:
    (tree / "naïve.pyc").write_bytes(b"")
    command = [sys.executable, "-m", "detpyc", "verify", tree]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    completed = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (completed.returncode, completed.stderr) == (1, b"")
    assert rb"na\xefve.pyc" in completed.stdout
