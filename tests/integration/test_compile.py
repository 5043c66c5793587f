"""``detpyc compile``: trees that are byte-compiled as a user does it, compared with what others write and load."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from installer.records import RecordEntry, parse_record_file

import trees
import wheels
from command_line import COMMAND, detpyc, done, snapshot, unchanged
from detpyc.bytecode.canonical import canonicalize_pyc
from fakes import Fakes
from projects import environment, import_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detpyc.compilation.interpreters import Interpreter

TAG = sys.implementation.cache_tag
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such thing")
VARIABLES = ("DETPYC_", "PYC_INVALIDATION_MODE", "SOURCE_DATE_EPOCH")
SOURCES = {
    "pkg/__init__.py": b"",
    "pkg/core.py": b'def answer():\n    return 42 if "x" in {"x", "y y", 1} else 43\n',
    "top.py": b"x = 1\n",
}
LONG = 0.6  # seconds; what takes as long as that has a progress bar
MODES = {"timestamp": 0, "unchecked-hash": 1, "checked-hash": 3}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(VARIABLES)]:
        monkeypatch.delenv(name)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write(tmp_path / "tree")


def write(directory: Path, sources: dict[str, bytes] = SOURCES) -> Path:
    return trees.write(directory, sources)


def pyc(source: str, level: int = 0, tag: str = TAG) -> str:
    """Name a pyc."""
    path = Path(source)
    optimization = f".opt-{level}" if level else ""
    return str(path.parent / "__pycache__" / f"{path.stem}.{tag}{optimization}.pyc")


def pycs(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*.pyc")}


def document(*arguments: str | os.PathLike[str], status: int = 0, **options: Any) -> dict[str, Any]:
    """Return the one report of a run with --json."""
    completed = detpyc("compile", "--json", *arguments, **options)
    assert completed.returncode == status, completed.stderr
    report: dict[str, Any]
    (report,) = json.loads(completed.stdout)["reports"]
    return report


# What it says


def test_summary(tree: Path) -> None:
    assert done("compile", tree).stdout == f"{tree}: 3 sources, 3 pycs written, 0 up to date\n"
    assert done("compile", tree).stdout == f"{tree}: 3 sources, 0 pycs written, 3 up to date\n"
    assert done("compile", "-q", "--force", tree).stdout == ""
    (tree / "top.py").write_bytes(b"x =\n")
    (tree / "pkg" / "core.py").write_bytes(b"")
    (tree / "pkg" / "__init__.py").unlink()
    release = ".".join(map(str, sys.version_info[:3]))
    assert done("compile", "-v", "--prune", tree).stdout.splitlines() == [
        f"{tree}: 2 sources, 1 pyc written, 0 up to date, 2 removed, 1 source skipped because of compile errors",
        f"    skipped {tree / 'top.py'}: CPython {release}: SyntaxError: line 1: invalid syntax",
        f"    written {tree / pyc('pkg/core.py')}",
        f"    removed {tree / pyc('top.py')}",
        f"    removed {tree / pyc('pkg/__init__.py')}",
    ]


def test_json(tree: Path) -> None:
    (tree / "bad.py").write_bytes(b"x =\n")
    report = document(tree)
    assert list(report.pop("skipped")) == [str(tree / "bad.py")]
    assert sorted(report.pop("written")) == sorted(str(tree / name) for name in pycs(tree))
    assert report == {
        "path": str(tree),
        "sources": 4,
        "current": 0,
        "removed": [],
        "records": [],
        "failed": {},
        "changed": True,
    }
    assert document(tree)["changed"] is False


@on_posix
def test_names_that_could_do_things_to_a_terminal(tree: Path) -> None:
    (tree / "bad\x1b[2J.py").write_bytes(b"x =\n")
    assert "bad\\x1b[2J.py" in done("compile", tree).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")
def test_name_that_is_not_unicode(tree: Path) -> None:
    """Python itself has such names in surrogates."""
    (tree / os.fsdecode(b"latin\xe9.py")).write_bytes(b"x = 1\n")
    report = document(tree)
    assert (report["sources"], report["failed"]) == (4, {})
    assert document(tree)["written"] == []


def test_several_paths(tree: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other")
    completed = detpyc("compile", tree, tmp_path / "missing", other / "top.py", tmp_path / "other" / "pkg")
    assert completed.returncode == 2
    assert completed.stderr == f"detpyc: {tmp_path / 'missing'}: cannot be read: No such file or directory\n"
    assert [line.partition(": ")[0] for line in completed.stdout.splitlines()] == [
        str(tree),
        str(other / "top.py"),
        str(other / "pkg"),
    ]
    assert pycs(other).keys() == {pyc(name) for name in SOURCES}


def test_path_in_another_one(tree: Path) -> None:
    """Each run would write again what the other has written."""
    completed = detpyc("compile", tree / "pkg", tree)
    assert (completed.returncode, pycs(tree)) == (2, {})
    assert f"{tree / 'pkg'}: is in {tree}" in completed.stderr
    done("compile", "-q", "-s", tree, tree / "pkg", tree)
    done("compile", "-q", "--check", tree)


# Settings


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_options(tree: Path, jobs: str) -> None:
    options = ["--optimize", "1", "--optimize", "0", "--exclude", "top.py", "--include", "*.py", "--jobs", jobs]
    assert document(tree, *options)["sources"] == 2
    assert pycs(tree).keys() == {pyc(name, level) for name in ("pkg/__init__.py", "pkg/core.py") for level in (0, 1)}


@pytest.mark.parametrize(
    ("arguments", "variables", "mode"),
    [
        ([], {}, "checked-hash"),
        ([], {"SOURCE_DATE_EPOCH": "1"}, "checked-hash"),
        (["--invalidation-mode", "timestamp"], {}, "timestamp"),
        ([], {"PYC_INVALIDATION_MODE": "UNCHECKED_HASH"}, "unchecked-hash"),
        ([], {"PYC_INVALIDATION_MODE": "TIMESTAMP"}, "timestamp"),
        ([], {"PYC_INVALIDATION_MODE": "unchecked-hash"}, "unchecked-hash"),
        ([], {"PYC_INVALIDATION_MODE": ""}, "checked-hash"),
        (["--invalidation-mode", "checked-hash"], {"PYC_INVALIDATION_MODE": "TIMESTAMP"}, "checked-hash"),
        ([], {"PYC_INVALIDATION_MODE": "TIMESTAMP", "DETPYC_INVALIDATION_MODE": "unchecked-hash"}, "unchecked-hash"),
    ],
)
def test_invalidation_mode(tree: Path, arguments: list[str], variables: dict[str, str], mode: str) -> None:
    done("compile", "-q", tree, *arguments, env={**os.environ, **variables})
    assert {content[4] for content in pycs(tree).values()} == {MODES[mode]}
    done("compile", "-q", "--check", tree, "--invalidation-mode", mode, env={**os.environ, **variables})


def test_invalidation_mode_that_is_none(tree: Path) -> None:
    completed = detpyc("compile", tree, env={**os.environ, "PYC_INVALIDATION_MODE": "hash"})
    assert (completed.returncode, pycs(tree)) == (2, {})
    assert completed.stderr == (
        'detpyc: PYC_INVALIDATION_MODE must be CHECKED_HASH, UNCHECKED_HASH or TIMESTAMP, not "hash"\n'
    )


# PYC_INVALIDATION_MODE: what detpyc and uv write, None if they refuse it; see docs/environment.md.
@pytest.mark.parametrize(
    ("value", "ours", "of_uv"),
    [
        ("CHECKED_HASH", "checked-hash", "checked-hash"),
        ("UNCHECKED_HASH", "unchecked-hash", "unchecked-hash"),
        ("TIMESTAMP", "timestamp", "timestamp"),
        ("checked_hash", "checked-hash", None),
        ("unchecked-hash", "unchecked-hash", None),
        ("Timestamp", "timestamp", None),
        ("", "checked-hash", None),
        (" CHECKED_HASH", None, None),
        ("HASH", None, None),
    ],
)
def test_values_of_the_variable(value: str, ours: str | None, of_uv: str | None, tree: Path, tmp_path: Path) -> None:
    """The names that uv takes; detpyc ignores their case, and CPython ignores the variable."""
    variables = environment(PYC_INVALIDATION_MODE=value)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-index", "--compile-bytecode"]
    stock = write(tmp_path / "stock")
    installed = tmp_path / "installed"
    commands = {
        tree: [*COMMAND, "compile", "-q", str(tree)],
        installed: [*uv, "--target", str(installed), str(wheels.build(tmp_path))],
        stock: [sys.executable, "-m", "compileall", "-q", str(stock)],
    }
    for (directory, command), mode in zip(commands.items(), (ours, of_uv, "timestamp"), strict=True):
        completed = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert completed.returncode == (2 if mode is None else 0), completed.stderr
        assert {content[4] for content in pycs(directory).values()} == ({MODES[mode]} if mode else set())


def test_timestamp_pycs_are_loaded(tree: Path) -> None:
    """Where SOURCE_DATE_EPOCH is earlier, only those are whose sources are given that time."""
    epoch = 1_600_000_000
    variables = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done("compile", "-q", "--invalidation-mode", "timestamp", tree, env=variables)
    loaded = f"# code object from {str(tree / pyc('pkg/core.py'))!r}"
    assert loaded not in import_modules(tree, ["pkg.core"], options=["-B"]).log
    for name in SOURCES:
        os.utime(tree / name, (epoch, epoch))
    assert loaded in import_modules(tree, ["pkg.core"], options=["-B"]).log


def test_each_interpreter(tree: Path, interpreter: Interpreter) -> None:
    """Whichever it is that runs detpyc."""
    done("compile", "-q", "--interpreter", interpreter.path, "--optimize", "0", "--optimize", "2", tree)
    tag = interpreter.cache_tag
    assert pycs(tree).keys() == {pyc(name, level, tag) for name in SOURCES for level in (0, 2)}
    for options, level in (((), 0), (("-OO",), 2)):
        imported = import_modules(tree, ["pkg.core", "top"], python=interpreter.path, options=("-B", *options))
        assert imported.answer == "42"
        for source in ("pkg/core.py", "pkg/__init__.py", "top.py"):
            assert imported.from_bytecode(tree, source, pyc(source, level, tag))
    done("verify", "-q", "--strict", "-i", interpreter.path, tree)
    with unchanged(tree):
        done("compile", "-q", "--interpreter", interpreter.path, "--optimize", "0", "--optimize", "2", tree)


def test_several_interpreters(tree: Path, before_and_from_312: tuple[Interpreter, Interpreter]) -> None:
    """What one of them does not compile, another may."""
    older, newer = before_and_from_312
    (tree / "new.py").write_bytes(b"type X = int\n")
    report = document("-i", older.path, "-i", newer.path, tree)
    assert report["skipped"] == {str(tree / "new.py"): f"CPython {older.release}: SyntaxError: line 1: invalid syntax"}
    both = {pyc(name, tag=interpreter.cache_tag) for name in SOURCES for interpreter in (older, newer)}
    assert pycs(tree).keys() == {*both, pyc("new.py", tag=newer.cache_tag)}
    assert len(document("-i", newer.path, "--prune-other-tags", tree)["removed"]) == 3


# Paths that are recorded


def recorded(tree: Path) -> dict[str, str]:
    return {
        str(path.relative_to(tree)): marshal.loads(path.read_bytes()[16:]).co_filename  # noqa: S302 - made here
        for path in tree.rglob("*.pyc")
    }


@pytest.mark.parametrize(
    ("path", "strip", "prepend"),
    [
        ("{root}/tree", "{root}", "/"),
        ("{root}/tree", "{root}/tree", None),
        ("{root}/tree/", "{root}", "/usr//lib/"),
        ("{root}/tree/pkg/core.py", "{root}/tree", "lib/"),
        ("{root}/tree", None, "/usr"),
        ("tree", "tree", "/"),
        ("tree/", "tree", None),
        ("tree/pkg", "tree", "/usr/lib"),
        ("tree", None, "/usr"),
        ("tree", None, "lib"),
    ],
)
def test_prefixes_are_those_of_compileall(tree: Path, path: str, strip: str | None, prepend: str | None) -> None:
    options = [*(("-s", strip.format(root=tree.parent)) if strip else ()), *(("-p", prepend) if prepend else ())]
    path = path.format(root=tree.parent)
    subprocess.run([sys.executable, "-m", "compileall", "-q", *options, path], cwd=tree.parent, check=True)
    expected = {name: os.path.normpath(file) for name, file in recorded(tree).items()}
    assert expected
    for name in expected:
        (tree / name).unlink()
    done("compile", "-q", *options, path, cwd=tree.parent)
    assert recorded(tree) == expected


@pytest.mark.parametrize(("path", "strip"), [("{root}/tree", "{root}/"), ("tree", "tree/"), ("./tree", "tree")])
def test_prefixes_that_compileall_has_read_in_several_ways(tree: Path, path: str, strip: str) -> None:
    """From 3.13 on it takes none of them for a prefix, and so records the build root."""
    paths = [template.format(root=tree.parent) for template in (strip, path)]
    done("compile", "-q", "-s", paths[0], "-p", "/", paths[1], cwd=tree.parent)
    names = {f"/{name}" for name in SOURCES}
    assert set(recorded(tree).values()) in (names, {f"/tree{name}" for name in names})
    assert not any(str(tree.parent) in name for name in recorded(tree).values())


def test_prefix_that_does_not_fit(tree: Path) -> None:
    completed = detpyc("compile", "-s", "/elsewhere", tree)
    assert (completed.returncode, pycs(tree)) == (2, {})
    assert "does not start with the prefix /elsewhere" in completed.stderr


# Statuses


def test_check(tree: Path) -> None:
    with unchanged(tree):
        completed = detpyc("compile", "--check", tree)
    assert (completed.returncode, completed.stderr) == (1, "")
    assert completed.stdout == f"{tree}: 3 sources, 3 pycs would be written, 0 up to date\n"
    done("compile", "-q", tree)
    with unchanged(tree):
        done("compile", "--check", tree)
    (tree / "top.py").unlink()
    done("compile", "-q", "--check", tree)
    assert detpyc("compile", "-q", "--check", "--prune", tree).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "variables", "status"),
    [
        ([], {}, 0),
        (["--on-syntax-error", "skip"], {"DETPYC_ON_SYNTAX_ERROR": "fail"}, 0),
        (["--on-syntax-error", "fail"], {}, 1),
        ([], {"DETPYC_ON_SYNTAX_ERROR": "fail"}, 1),
    ],
)
def test_syntax_error(tree: Path, arguments: list[str], variables: dict[str, str], status: int) -> None:
    """It makes a difference to the status, and to nothing else."""
    (tree / "bad.py").write_bytes(b"x =\n")
    completed = detpyc("compile", tree, *arguments, env={**os.environ, **variables})
    assert (completed.returncode, completed.stderr) == (status, "")
    assert f"skipped {tree / 'bad.py'}: CPython" in completed.stdout
    assert pycs(tree).keys() == {pyc(name) for name in SOURCES}


def test_directories_that_cannot_be_written(tree: Path, unprivileged: tuple[str, ...]) -> None:
    """Each is one error, however many pycs it is to have; the rest is done."""
    write(tree, {f"{name}/{module}.py": b"" for name in ("new", "old", "good") for module in "abc"})
    (tree / "old" / "__pycache__").mkdir()
    for path in (tree / "new", tree / "old" / "__pycache__"):
        path.chmod(0o555)
    options = ("--optimize", "0", "--optimize", "1")
    completed = detpyc("compile", *options, tree, prefix=unprivileged)
    assert completed.returncode == 2
    assert completed.stderr.splitlines() == [
        f"detpyc: {tree}/new/__pycache__: cannot be written: Permission denied",
        f"detpyc: {tree}/old/__pycache__: cannot be written: Permission denied",
    ]
    assert completed.stdout == f"{tree}: 12 sources, 12 pycs written, 0 up to date\n"
    assert pycs(tree).keys() == {
        pyc(name, level) for name in (*SOURCES, "good/a.py", "good/b.py", "good/c.py") for level in (0, 1)
    }


def test_files_that_cannot_be_read(tree: Path, unprivileged: tuple[str, ...]) -> None:
    (tree / "pkg").chmod(0o000)
    (tree / "top.py").chmod(0o000)
    write(tree, {"good.py": b""})
    completed = detpyc("compile", tree, prefix=unprivileged)
    assert completed.returncode == 2
    assert set(completed.stderr.splitlines()) == {
        f"detpyc: {tree}/pkg: cannot be read: Permission denied",
        f"detpyc: {tree}/top.py: cannot be read: Permission denied",
    }
    assert completed.stdout == f"{tree}: 2 sources, 1 pyc written, 0 up to date\n"


def test_read_only_tree_that_is_up_to_date(tree: Path, unprivileged: tuple[str, ...]) -> None:
    done("compile", "-q", tree)
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done("compile", "-q", "--prune", "--prune-other-tags", "--update-records", tree, prefix=unprivileged)


# Several at once


def test_several_at_once(tmp_path: Path) -> None:
    sources = {f"pkg{number}/module{letter}.py": b"x = %d\n" % number for number in range(9) for letter in "abcd"}
    expected = write(tmp_path / "expected", sources)
    done("compile", "-q", expected)
    tree = write(tmp_path / "tree", sources)
    command = [*COMMAND, "compile", "--force", "--prune", "-q", str(tree)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)]
    assert [(process.communicate()[0], process.returncode) for process in running] == [("", 0)] * 4
    assert pycs(tree) == pycs(expected)
    assert {path.suffix for path in tree.rglob("*") if path.is_file()} == {".py", ".pyc"}


def test_records_by_several_at_once(tmp_path: Path, pythons: dict[str, Interpreter]) -> None:
    """Each lists its own, and keeps what the others have listed."""
    site = tmp_path / "site"
    write(site, wheels.complete())
    tags = {interpreter.cache_tag: interpreter for interpreter in pythons.values()}
    running = [
        subprocess.Popen([*COMMAND, "compile", "-q", "--update-records", "-i", interpreter.path, site])
        for interpreter in tags.values()
    ]
    assert [process.wait() for process in running] == [0] * len(tags)
    assert_records_are_right(site)
    assert len(pycs(site)) == 2 * len(tags)


# RECORD


def assert_records_are_right(site: Path) -> None:
    """Compare every RECORD with the files, as ``installer`` reads it."""
    listed: list[str] = []
    for file in site.glob("*.dist-info/RECORD"):
        for row in parse_record_file(file.read_text(encoding="utf-8").splitlines()):
            entry = RecordEntry.from_elements(*row)
            listed.append(entry.path)
            content = (site / entry.path).read_bytes()
            assert entry.validate(content), entry
            assert entry.hash_ or entry.path.endswith(("/RECORD", ".lock"))
    assert len(listed) == len(set(listed))
    assert {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()} - {*listed, ".lock"} == set()


INSTALLERS = {
    "pip": ["pip", "install"],
    "uv": ["uv", "pip", "install", "--offline", "--no-cache", "--python", sys.executable],
    "uv --compile-bytecode": [
        *("uv", "pip", "install", "--offline", "--no-cache", "--python", sys.executable),
        "--compile-bytecode",
    ],
}


@pytest.mark.parametrize(
    ("installer", "bytecode"), [("pip", False), ("pip", True), ("uv", True), ("uv --compile-bytecode", True)]
)
def test_update_records(tmp_path: Path, installer: str, bytecode: bool) -> None:  # noqa: FBT001
    wheel = wheels.build(tmp_path)
    if bytecode:
        done("wheel", "-q", wheel)
    site = tmp_path / "site"
    offline = ("--no-deps", "--no-index")
    command = [sys.executable, "-m", *INSTALLERS[installer], *offline, "--target", str(site), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, env=environment())
    options = ("--update-records", "--optimize", "0", "--optimize", "1")
    completed = done("compile", *options, site)
    assert "1 RECORD updated" in completed.stdout
    assert_records_are_right(site)
    assert len(pycs(site)) == 4
    with unchanged(site):
        done("compile", *options, site)
    done("compile", "-q", "--prune-other-tags", "--update-records", "--optimize", "0", site)
    assert_records_are_right(site)


def test_record_that_is_malformed(tree: Path) -> None:
    write(tree, {"demo-1.0.dist-info/RECORD": b"top.py\n"})
    completed = detpyc("compile", "-q", "--update-records", tree)
    assert completed.returncode == 2
    assert completed.stderr == (
        f"detpyc: {tree / 'demo-1.0.dist-info' / 'RECORD'}: RECORD is malformed: line 1 has 1 fields, not 3\n"
    )
    assert len(pycs(tree)) == 3


def test_bytecode_that_a_wheel_brought_is_up_to_date(tmp_path: Path) -> None:
    wheel = wheels.build(tmp_path)
    done("wheel", "-q", wheel)
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    with unchanged(tmp_path):
        done("compile", "--update-records", tmp_path / "site")


# The promise

VARYING = {
    # Whether "foo" was interned before b_constants.py is compiled decides how often its set is written, from 3.12 on.
    "a_imports.py": b"import foo\n",
    "b_constants.py": b'def f(a):\n    return a in {"foo", 2, 3}\n\n\na = 1 in {"foo", 2, 3}\n',
    "c_strings.py": b'def g(x=("-", "+")):\n    return {"-": 1, "+": 2}["-"], x in {"-", "+", "a b", None}\n',
}


def compileall(tree: Path, python: str, *names: str) -> dict[str, bytes]:
    """Return what compileall makes of sources, in one process and under the names that detpyc records."""
    command = [python, "-m", "compileall", "-qf", "--invalidation-mode", "checked-hash", *names]
    subprocess.run(command, cwd=tree, check=True, env=environment(PYTHONHASHSEED="0"))
    return pycs(tree)


def states(tree: Path, python: str) -> Iterator[Callable[[], object]]:
    """Yield ways to byte-compile a tree: number of workers, hash seed, order, and what else is compiled."""

    def run(*arguments: str | os.PathLike[str], seed: str = "random") -> None:
        done("compile", "-q", "-i", python, "--no-cache", *arguments, cwd=tree, env=environment(PYTHONHASHSEED=seed))

    def one_by_one(names: Sequence[str]) -> None:
        for name in names:
            run("-s", tree, tree / name)

    for jobs in ("1", "2", "5"):
        yield partial(run, "--jobs", jobs, ".", seed=jobs)
    yield lambda: one_by_one(sorted(VARYING))
    yield lambda: one_by_one(sorted(VARYING, reverse=True))
    yield lambda: run("--jobs", "1", *sorted(VARYING, reverse=True))


@pytest.mark.parametrize("interpreter", ["3.12", "3.13", "3.14"], indirect=True)
def test_one_digest_in_every_state(tmp_path: Path, interpreter: Interpreter) -> None:
    """Under interpreters whose own pycs depend on what else was compiled, whichever it is that runs detpyc."""
    tree = write(tmp_path / "tree", VARYING)
    varying = pyc("b_constants.py", tag=interpreter.cache_tag)
    together = compileall(tree, interpreter.path, *VARYING)
    (tree / varying).unlink()
    alone = compileall(tree, interpreter.path, "b_constants.py")
    assert together[varying] != alone[varying]
    found = set()
    for compile_tree in states(tree, interpreter.path):
        shutil.rmtree(tree / "__pycache__", ignore_errors=True)
        compile_tree()
        found.add(tuple(sorted(pycs(tree).items())))
    assert len(found) == 1
    assert dict(*found) == {name: canonicalize_pyc(content) for name, content in together.items()}


def test_tree_that_is_the_current_directory(tree: Path) -> None:
    done("compile", "-q", ".", cwd=tree)
    assert len(pycs(tree)) == len([*tree.rglob("*.py")])


def test_second_run_writes_nothing(tree: Path) -> None:
    done("compile", "-q", tree)
    with unchanged(tree):
        assert document(tree)["written"] == []
    before = snapshot(tree)
    compile_again = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(tree)]
    subprocess.run(compile_again, check=True)
    assert snapshot(tree) != before  # which looks at times only


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    if sys.platform == "win32":
        pytest.skip("the interpreters that misbehave need POSIX")
    path = tmp_path / "fakes"
    path.mkdir()
    return Fakes(path, monkeypatch)


def test_second_run_starts_no_worker(tree: Path, fakes: Fakes, cache_home: Path) -> None:
    """If it does, that one dies."""
    deadly = fakes.make("killed")
    assert detpyc("compile", "-i", deadly, tree).returncode == 2
    done("compile", "-q", "-i", fakes.make("genuine"), "--optimize", "0", "--optimize", "2", tree)
    options = ("compile", "-i", deadly, "--optimize", "0", "--optimize", "2")
    assert done(*options, "--force", tree).stdout == f"{tree}: 3 sources, 6 pycs written, 0 up to date\n"
    with unchanged(tree):
        assert done(*options, tree).stdout == f"{tree}: 3 sources, 0 pycs written, 6 up to date\n"
        done(*options, "--check", "--json", tree)
        assert detpyc(*options, "--no-cache", tree).returncode == 2
        assert detpyc(*options, "--force", "--no-cache", tree).returncode == 2
        shutil.rmtree(cache_home)
        assert detpyc(*options, tree).returncode == 2


def test_cache_that_cannot_be_written(tree: Path, cache_home: Path, unprivileged: tuple[str, ...]) -> None:
    cache_home.chmod(0o555)
    done("compile", "-q", tree, prefix=unprivileged)
    assert (len(pycs(tree)), list(cache_home.iterdir())) == (3, [])
    with unchanged(tree):
        done("compile", "-q", tree, prefix=unprivileged)
    cache_home.chmod(0o755)


def test_no_cache(tree: Path, cache_home: Path) -> None:
    done("compile", "-q", "--no-cache", tree)
    assert (len(pycs(tree)), list(cache_home.iterdir())) == (3, [])


# The progress bar


@pytest.mark.parametrize(("options", "bar"), [([], True), (["--quiet"], False), (["--json"], False)])
def test_progress_bar(tree: Path, fakes: Fakes, options: list[str], bar: bool) -> None:  # noqa: FBT001
    """On a terminal, on standard error, if it takes long: here until an interpreter is let to work."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such thing")
    ours, theirs = os.openpty()
    command = [*COMMAND, "compile", *options, "--interpreter", fakes.make("waits"), str(tree)]
    variables = environment(TERM="xterm", COLUMNS="80")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=variables) as process:
        os.close(theirs)
        fakes.wait_for_one()
        time.sleep(LONG)
        fakes.let_go()
        shown = b""
        with suppress(OSError):  # Linux's way to say that it was closed
            while chunk := os.read(ours, 4096):
                shown += chunk
    os.close(ours)
    assert process.returncode == 0
    assert (b"tree" in shown and b"/3" in shown) is bar
    assert bool(shown) is bar
