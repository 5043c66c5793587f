"""Verify: what is right is recognised, whoever wrote it; what is tampered with is found, with its place."""

from __future__ import annotations

import dis
import json
import marshal
import os
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

import states
import trees
import wheels
from command_line import detpyc, done
from detpyc.byte_compile.wheel import byte_compile_wheel
from detpyc.bytecode.canonical import canonicalize
from detpyc.bytecode.header import HEADER_SIZE, PycHeader, source_hash
from detpyc.compilation import interpreters
from detpyc.provenance import FILE_NAME
from detpyc.settings import Settings
from detpyc.verify.artifacts import verify_artifact
from detpyc.verify.reports import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from detpyc.compilation.interpreters import Interpreter
    from detpyc.verify.reports import Finding

NAME = "demo-1.0-py3-none-any.whl"
PROVENANCE = f"demo-1.0.dist-info/{FILE_NAME}"
CORE = b'''
def f(x, y=1):
    """Answer."""
    assert x
    return x.attribute + 1000


def g(x):
    return x in {"two words", "three more words", "foo"}


class C:
    def method(self):
        return [self, "two words"], lambda: any(x for x in self)
'''
FILES = {"demo/__init__.py": b"", "demo/core.py": CORE, "demo/other.py": b"VALUE = 1\n"}
HERE = interpreters.current()
LEVELS = (0, 1, 2)


def pyc_of(source: str, tag: str = HERE.cache_tag, optimization: str = "") -> str:
    directory, _, name = source.rpartition("/")
    return f"{directory}/__pycache__/{name.removesuffix('.py')}.{tag}{optimization}.pyc"


PYC = pyc_of("demo/core.py")


@pytest.fixture(scope="session")
def made_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = wheels.build(tmp_path_factory.mktemp("made"), FILES)
    byte_compile_wheel(path, Settings(interpreters=(HERE.path,), optimize=LEVELS))
    return path


@pytest.fixture
def wheel(made_wheel: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made_wheel, tmp_path / NAME))


def only(path: Path) -> tuple[Status, tuple[str, ...]]:
    """Verify a tree with one pyc."""
    (finding,) = verify_artifact(path, [HERE]).findings
    return finding.status, finding.reasons


# ---- what is right


def test_wheel_by_detpyc(wheel: Path) -> None:
    report = verify_artifact(wheel)
    assert report.counts() == {**dict.fromkeys(map(str.lower, Status.__members__), 0), "identical": 9}
    assert not report.problems
    assert {(finding.release, finding.reasons) for finding in report.findings} == {(HERE.release, ())}
    minor = "{}.{}".format(*HERE.version)
    loaded = f"loaded by CPython {minor}, {minor} -O, {minor} -OO"
    assert done("verify", "--strict", wheel).stdout == f"{wheel}: 9 identical; {loaded}\n"


INSTALLERS = {
    "pip": (["pip", "install"], {"timestamp header", "recorded path"}),
    "uv": (
        ["uv", "pip", "install", "--offline", "--no-cache", "--compile-bytecode", "--python", sys.executable],
        {"timestamp header", "recorded path"},
    ),
}


@pytest.mark.parametrize(("command", "reasons"), INSTALLERS.values(), ids=INSTALLERS)
def test_compiled_again_by_an_installer(wheel: Path, tmp_path: Path, command: list[str], reasons: set[str]) -> None:
    site = tmp_path / "site"
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    arguments = ["--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, "-m", *command, *arguments], check=True, capture_output=True, env=environment)

    report = verify_artifact(site)

    assert not report.problems
    by_level = {finding.pyc: finding for finding in report.findings}
    again = by_level.pop(str(site / PYC))
    assert again.status is Status.EQUIVALENT
    kinds = {reason.split(" (")[0].split(" '")[0] for reason in again.reasons}
    assert reasons <= kinds <= {*reasons, "unused reference flags", "sharing", "interning", "set order"}
    assert any(reason.startswith("recorded path '/") and reason.endswith("/demo/core.py'") for reason in again.reasons)
    # They compile for level 0 alone; the others are still as they were in the wheel.
    assert {finding.status for path, finding in by_level.items() if ".opt-" in path} == {Status.IDENTICAL}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return trees.write(tmp_path / "site", FILES)


MODES = {"timestamp": "", "checked-hash": "-O", "unchecked-hash": "-OO"}


def test_compiled_by_compileall(interpreter: Interpreter, tree: Path) -> None:
    for mode, option in MODES.items():
        command = [interpreter.path, *filter(None, [option]), "-m", "compileall", "-q", "-f"]
        subprocess.run([*command, "--invalidation-mode", mode, tree], check=True)
    # This version's own way to record a path that does not depend on where it was compiled.
    subprocess.run([interpreter.path, "-m", "compileall", "-q", "-f", "-d", "demo", tree / "demo/other.py"], check=True)

    findings = {finding.pyc: finding for finding in verify_artifact(tree, [interpreter]).findings}

    assert {(finding.status, finding.release) for finding in findings.values()} == {
        (Status.EQUIVALENT, interpreter.release)
    }
    for mode, option in MODES.items():
        pyc = pyc_of("demo/core.py", interpreter.cache_tag, option.replace("-OO", ".opt-2").replace("-O", ".opt-1"))
        reasons = findings[str(tree / pyc)].reasons
        assert ("timestamp header" in reasons) == (mode == "timestamp")
        assert f"recorded path '{tree / 'demo/core.py'}'" in reasons
        assert any(reason.startswith("unused reference flags (") for reason in reasons)
    relative = findings[str(tree / pyc_of("demo/other.py", interpreter.cache_tag))]
    assert not any(reason.startswith("recorded path") for reason in relative.reasons)


def test_standard_library(interpreter: Interpreter, tmp_path: Path) -> None:
    """A sample; the rest is for whoever has the time."""
    command = [interpreter.path, "-s", "-S", "-B", states.__file__, "library"]
    library = Path(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
    modules = [*sorted(library.glob("*.py"))[::15], *sorted(library.glob("json/*.py")), library / "dataclasses.py"]
    for module in modules:
        shutil.copy(module, tmp_path)
    subprocess.run([interpreter.path, "-W", "ignore", "-m", "compileall", "-q", tmp_path], check=True)

    report = verify_artifact(tmp_path, [interpreter])

    assert report.counts()["equivalent"] == len(report.findings) >= 10


# ---- what is tampered with


def edited(code: CodeType, name: str, change: Callable[[CodeType], CodeType]) -> CodeType:
    """Change the code object of a name."""
    constants = (
        edited(constant, name, change) if isinstance(constant, CodeType) else constant for constant in code.co_consts
    )
    code = code.replace(co_consts=tuple(constants))
    return change(code) if code.co_name == name else code


def rewritten(name: str, change: Callable[[CodeType], CodeType]) -> Callable[[dict[str, bytes]], None]:
    """Change a code object in the pyc, which keeps its header and is in canonical form again."""

    def tamper(files: dict[str, bytes]) -> None:
        code = marshal.loads(files[PYC][HEADER_SIZE:])  # noqa: S302 - detpyc wrote it
        payload = canonicalize(marshal.dumps(edited(code, name, change)), HERE.version)
        files[PYC] = files[PYC][:HEADER_SIZE] + payload

    return tamper


def one_opcode(code: CodeType) -> CodeType:
    offset = next(found.offset for found in dis.get_instructions(code) if found.opname == "RETURN_VALUE")
    opcodes = bytearray(code.co_code)
    opcodes[offset] = dis.opmap["POP_TOP"]
    return code.replace(co_code=bytes(opcodes))


def constant(old: object, new: object) -> Callable[[CodeType], CodeType]:
    return lambda code: code.replace(co_consts=tuple(new if value == old else value for value in code.co_consts))


def added_function(code: CodeType) -> CodeType:
    inner = compile("def evil(): pass", "demo/core.py", "exec").co_consts[0]
    return code.replace(co_consts=(*code.co_consts, inner))


def swapped(files: dict[str, bytes]) -> None:
    files[PYC] = files[pyc_of("demo/other.py")]


def of_another_tag(files: dict[str, bytes]) -> None:
    files[pyc_of("demo/core.py", "cpython-37")] = files.pop(PYC)


def forged_hash(files: dict[str, bytes]) -> None:
    """Edit the source, and have the pyc of the old one say that it is the new one's."""
    files["demo/core.py"] = files["demo/core.py"].replace(b"1000", b"1001")
    header = PycHeader.parse(files[PYC])
    header.source_hash = source_hash(files["demo/core.py"], header.magic_number)
    files[PYC] = header.to_bytes() + files[PYC][HEADER_SIZE:]


def wrong_hash(files: dict[str, bytes]) -> None:
    files[PYC] = files[PYC][:8] + bytes(8) + files[PYC][HEADER_SIZE:]


def without_source(files: dict[str, bytes]) -> None:
    del files["demo/core.py"]


def default_of(code: CodeType) -> CodeType:
    """Put another default into the module's constants: a tuple, or before 3.14 or so, perhaps the number itself."""
    return constant((1,), (2,))(code)


TAMPERINGS: dict[str, tuple[Callable[[dict[str, bytes]], None], Status, str]] = {
    "opcode": (rewritten("f", one_opcode), Status.DIFFERS, "in f: instruction at "),
    "constant": (rewritten("f", constant(1000, 1001)), Status.DIFFERS, "in f: constant 1: 1001 against 1000"),
    "name": (
        rewritten("f", lambda code: code.replace(co_names=("evil",))),
        Status.DIFFERS,
        "in f: names 0: 'evil' against 'attribute'",
    ),
    "line": (
        rewritten("method", lambda code: code.replace(co_firstlineno=code.co_firstlineno + 1)),
        Status.DIFFERS,
        "in C.method: firstlineno: 14 against 13",
    ),
    "default": (rewritten("<module>", default_of), Status.DIFFERS, "in <module>: constant "),
    "function": (rewritten("f", added_function), Status.DIFFERS, "in f: constant 2: <code evil> against nothing"),
    "swapped": (swapped, Status.STALE, "the source hash in its header is "),
    "tag": (of_another_tag, Status.MALFORMED, f"its magic number (at offset 0) is of {HERE.cache_tag}"),
    "forged hash": (forged_hash, Status.DIFFERS, "in f: constant 1: 1000 against 1001"),
    "wrong hash": (wrong_hash, Status.STALE, "the source hash in its header is 0000000000000000"),
    "no source": (without_source, Status.ORPHAN, "there is no demo/core.py"),
}
tampering = pytest.mark.parametrize(("tamper", "status", "reason"), TAMPERINGS.values(), ids=TAMPERINGS)


@tampering
def test_tampered_wheel(
    made_wheel: Path, tmp_path: Path, tamper: Callable[[dict[str, bytes]], None], status: Status, reason: str
) -> None:
    """With a RECORD that fits, so that the pyc is what is found; provenance names the release that compiled it."""
    files = wheels.read(made_wheel)
    del files["demo-1.0.dist-info/RECORD"]
    tamper(files)
    path = wheels.write(tmp_path / NAME, {**files, **record_of(files)})

    report = verify_artifact(path)

    found = [finding for finding in report.findings if finding.status is not Status.IDENTICAL]
    assert [finding.status for finding in found if ".opt-" not in finding.pyc] == [status]
    assert any(text.startswith(reason) for finding in found for text in finding.reasons)
    assert not any("RECORD" in problem for problem in report.problems)


def record_of(files: dict[str, bytes]) -> dict[str, bytes]:
    name = "demo-1.0.dist-info/RECORD"
    return {name: wheels.record(files, name)}


@tampering
def test_tampered_tree(
    made_wheel: Path, tmp_path: Path, tamper: Callable[[dict[str, bytes]], None], status: Status, reason: str
) -> None:
    """With no more to go by than an interpreter that is named."""
    files = {
        name: content
        for name, content in wheels.read(made_wheel).items()
        if name.startswith("demo/") and ".opt-" not in name
    }
    tamper(files)
    trees.write(tmp_path, files)

    report = verify_artifact(tmp_path, [HERE])

    (found,) = (finding for finding in report.findings if finding.status is not Status.IDENTICAL)
    assert found.status is status
    start = reason.replace("demo/core.py", str(tmp_path / "demo/core.py"))
    assert any(text.startswith(start) for text in found.reasons)


def test_record_that_does_not_hold(made_wheel: Path, tmp_path: Path) -> None:
    files = wheels.read(made_wheel)
    rewritten("f", constant(1000, 1001))(files)
    report = verify_artifact(wheels.write(tmp_path / NAME, files))
    assert [problem for problem in report.problems if "RECORD" in problem] == [
        f"RECORD's line for {PYC} says {len(wheels.read(made_wheel)[PYC])} bytes, and it has {len(files[PYC])}"
        if len(wheels.read(made_wheel)[PYC]) != len(files[PYC])
        else f"RECORD's line for {PYC} has a wrong sha256 hash"
    ]


# ---- provenance


def forged(wheel: Path, path: Path, **changes: object) -> Path:
    """Change what provenance says of the first bytecode."""
    files = wheels.read(wheel)
    del files["demo-1.0.dist-info/RECORD"]
    document = json.loads(files[PROVENANCE])
    document["bytecode"][0].update(changes)
    files[PROVENANCE] = json.dumps(document).encode()
    return wheels.write(path, {**files, **record_of(files)})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"skipped": {"demo/core.py": "no reason"}}, "provenance says that demo/core.py is not byte-compiled, but"),
        ({"invalidation-mode": "unchecked-hash"}, f"provenance says that {PYC} is unchecked-hash, but it is checked"),
        ({"exclude": ["other.py"]}, f"provenance does not mention {pyc_of('demo/other.py')}"),
        ({"cache-tag": "cpython-300"}, "detpyc.json is malformed"),
        ({"release": "2.7.18"}, "detpyc.json is malformed"),
        ({"magic-number": 1}, "detpyc.json is malformed"),
        ({"include": ["!"]}, "provenance has patterns that cannot be applied: Invalid git pattern"),
        ({"include": ["[z-a]"]}, "provenance has patterns that cannot be applied: bad character range"),
        ({"include": ["*o" * 100]}, "provenance has patterns that cannot be applied: to match them takes too long"),
        ({"include": ["**/*o" * 100]}, "provenance has patterns that cannot be applied: to match them takes too long"),
        ({"include": ["x" * 10**6]}, "provenance has patterns that cannot be applied: to match them takes too long"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_provenance_that_contradicts_the_content(
    made_wheel: Path, tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    report = verify_artifact(forged(made_wheel, tmp_path / NAME, **changes))
    assert any(text.startswith(problem) for text in report.problems)


def test_source_without_the_pyc_that_provenance_tells_of(made_wheel: Path, tmp_path: Path) -> None:
    files = wheels.read(made_wheel)
    del files[PYC], files["demo-1.0.dist-info/RECORD"]
    report = verify_artifact(wheels.write(tmp_path / NAME, {**files, **record_of(files)}))
    assert report.problems == (f"provenance says that demo/core.py is byte-compiled, but there is no {PYC}",)


def test_pyc_that_detpyc_is_said_to_have_written_and_did_not(made_wheel: Path, tmp_path: Path) -> None:
    files = wheels.read(made_wheel)
    code = compile(CORE, "demo/core.py", "exec", dont_inherit=True)
    files[PYC] = files[PYC][:HEADER_SIZE] + marshal.dumps(code)
    del files["demo-1.0.dist-info/RECORD"]
    report = verify_artifact(wheels.write(tmp_path / NAME, {**files, **record_of(files)}))
    assert report.counts()["equivalent"] == 1
    (problem,) = report.problems
    assert problem.startswith(
        f"provenance says that detpyc wrote {PYC}, but detpyc writes it differently: unused refer"
    )


# ---- releases


def test_recorded_release_that_is_not_here_but_another_compiles_alike(made_wheel: Path, tmp_path: Path) -> None:
    path = forged(made_wheel, tmp_path / NAME, release="{}.{}.99".format(*HERE.version))
    report = verify_artifact(path)
    note = "recorded as compiled by CPython {}.{}.99, verified with {}".format(*HERE.version, HERE.release)
    assert {(finding.status, finding.reasons) for finding in report.findings if ".opt-" not in finding.pyc} == {
        (Status.IDENTICAL, (note,))
    }
    assert not report.problems


def test_recorded_release_that_is_not_here_and_another_compiles_otherwise(made_wheel: Path, tmp_path: Path) -> None:
    other = "{}.{}.99".format(*HERE.version)

    def verified(change: Callable[[CodeType], CodeType]) -> Finding:
        files = wheels.read(forged(made_wheel, tmp_path / NAME, release=other))
        rewritten("f", change)(files)
        del files["demo-1.0.dist-info/RECORD"]
        report = verify_artifact(wheels.write(tmp_path / NAME, {**files, **record_of(files)}), [HERE])
        (found,) = (finding for finding in report.findings if finding.pyc == PYC)
        return found

    found = verified(one_opcode)
    assert found.status is Status.UNVERIFIABLE
    assert f"compiles the source to other instructions in f, and CPython {other}, which" in found.reasons[0]
    assert found.reasons[1].startswith("in f: instruction at ")
    found = verified(constant(1000, 1001))
    assert (found.status, found.reasons[0]) == (Status.DIFFERS, "in f: constant 1: 1001 against 1000")


def test_unknown_release(made_wheel: Path, tmp_path: Path) -> None:
    """A bare pyc that the releases here do not make of its source: only -i says that one of them should."""
    files = {name: content for name, content in wheels.read(made_wheel).items() if name in {"demo/core.py", PYC}}
    rewritten("f", one_opcode)(files)
    trees.write(tmp_path, files)

    (found,) = verify_artifact(tmp_path / PYC).findings

    assert found.status is Status.UNVERIFIABLE
    assert "which release compiled the pyc is not known (-i names it)" in found.reasons[0]
    assert found.reasons[1].startswith("in f: instruction at ")
    assert detpyc("verify", tmp_path / PYC, "-i", HERE.path).stdout.count("differs") == 2


@pytest.mark.parametrize("where", ["", "demo", PYC])
def test_provenance_of_an_installed_wheel_decides(made_wheel: Path, tmp_path: Path, where: str) -> None:
    files = wheels.read(made_wheel)
    rewritten("f", constant(1000, 1001))(files)
    trees.write(tmp_path, files)

    found = {finding.pyc: finding for finding in verify_artifact(tmp_path / where).findings}

    assert found[str(tmp_path / PYC)].status is Status.DIFFERS


@pytest.mark.parametrize("by", ["another tool", "detpyc"])
def test_installed_pyc_that_somebody_compiled_again(made_wheel: Path, tmp_path: Path, by: str) -> None:
    """It may be of any release, whatever the wheel had: neither the form nor the mode is what provenance says."""
    files = wheels.read(made_wheel)
    code = compile(CORE, "demo/core.py", "exec", dont_inherit=True)
    payload = marshal.dumps(edited(code, "f", one_opcode))
    if by == "detpyc":
        header = PycHeader(HERE.magic_number, "timestamp", mtime=5, source_size=len(CORE))
        files[PYC] = header.to_bytes() + canonicalize(payload, HERE.version)
    else:
        files[PYC] = files[PYC][:HEADER_SIZE] + payload
    trees.write(tmp_path, files)
    os.utime(tmp_path / "demo/core.py", (5, 5))

    (found,) = (finding for finding in verify_artifact(tmp_path).findings if finding.pyc == str(tmp_path / PYC))

    assert found.status is Status.UNVERIFIABLE


def test_another_patch_release(two_releases: tuple[Interpreter, Interpreter], tmp_path: Path) -> None:
    first, last = two_releases
    path = wheels.build(tmp_path, FILES)
    byte_compile_wheel(path, Settings(interpreters=(first.path,)))
    tag = first.cache_tag

    assert {finding.status for finding in verify_artifact(path, [first]).findings} == {Status.IDENTICAL}
    findings = {finding.pyc: finding for finding in verify_artifact(path, [last]).findings}

    note = f"recorded as compiled by CPython {first.release}, verified with {last.release}"
    alike, otherwise = findings[pyc_of("demo/other.py", tag)], findings[pyc_of("demo/core.py", tag)]
    assert (alike.status, alike.reasons) == (Status.IDENTICAL, (note,))
    assert otherwise.status is Status.UNVERIFIABLE
    assert f"{first.release}, which compiled the pyc, was not tried" in otherwise.reasons[0]
    assert otherwise.reasons[1].startswith("in C.method.<locals>.<lambda>.<locals>.<genexpr>: instruction at ")


def test_wheel_that_tells_of_another_release(two_releases: tuple[Interpreter, Interpreter], tmp_path: Path) -> None:
    """Its code is the source's, but not under the release that it names."""
    first, last = two_releases
    path = wheels.build(tmp_path, FILES)
    byte_compile_wheel(path, Settings(interpreters=(last.path,)))
    path = forged(path, tmp_path / NAME, release=first.release)

    report = verify_artifact(path, [first, last])

    pyc = pyc_of("demo/core.py", first.cache_tag)
    assert report.problems == (f"provenance names another release than the one that compiled {pyc}",)
    assert {finding.status for finding in report.findings} == {Status.IDENTICAL}


# ---- sources that take the compiler down

# compile() takes time that grows with the square of the number of keywords.
SLOW = b"f(" + b",".join(b"a%d=1" % number for number in range(300_000)) + b")\n"
NESTED = b"x = " + b"-" * 100_000 + b"1\n"
LONG = b"x = 1\n" * 400_000


def test_source_that_compiles_for_ever(made_wheel: Path, tmp_path: Path) -> None:
    files = wheels.read(made_wheel)
    trees.write(tmp_path, {name: files[name] for name in FILES} | {name: files[name] for name in map(pyc_of, FILES)})
    (tmp_path / "demo/other.py").write_bytes(SLOW)
    forge(tmp_path / pyc_of("demo/other.py"), SLOW)

    findings = verify_artifact(tmp_path, [HERE], time_limit=2.0).findings

    assert [finding.status for finding in findings].count(Status.IDENTICAL) == 2
    (found,) = (finding for finding in findings if finding.status is not Status.IDENTICAL)
    assert found.status is Status.UNVERIFIABLE
    assert found.reasons[0].startswith("its source could not be compiled: ")
    assert "in time" in found.reasons[0]


def forge(pyc: Path, source: bytes) -> None:
    """Have a pyc say that it is of a source."""
    header = PycHeader.parse(pyc.read_bytes())
    header.source_hash = source_hash(source, header.magic_number)
    pyc.write_bytes(header.to_bytes() + pyc.read_bytes()[HEADER_SIZE:])


def test_source_that_nests_too_deep(interpreter: Interpreter, tree: Path) -> None:
    subprocess.run(
        [interpreter.path, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", tree], check=True
    )
    (tree / "demo/other.py").write_bytes(NESTED)
    forge(tree / pyc_of("demo/other.py", interpreter.cache_tag), NESTED)

    findings = {finding.pyc: finding for finding in verify_artifact(tree, [interpreter]).findings}

    found = findings.pop(str(tree / pyc_of("demo/other.py", interpreter.cache_tag)))
    assert (found.status, len(found.reasons)) == (Status.UNVERIFIABLE, 1)
    assert "could not be compiled: MemoryError" in found.reasons[0]
    assert {finding.status for finding in findings.values()} == {Status.EQUIVALENT}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")
def test_source_that_takes_the_memory(made_wheel: Path, tmp_path: Path) -> None:
    files = wheels.read(made_wheel)
    trees.write(tmp_path, {name: files[name] for name in FILES} | {name: files[name] for name in map(pyc_of, FILES)})
    (tmp_path / "demo/other.py").write_bytes(LONG)
    forge(tmp_path / pyc_of("demo/other.py"), LONG)
    limited = ("sh", "-c", 'ulimit -v 500000 && exec "$@"', "sh")

    completed = detpyc("verify", "-j1", "--json", tmp_path, "-i", HERE.path, prefix=limited)

    (report,) = json.loads(completed.stdout)["reports"]
    assert (completed.returncode, report["counts"]["identical"], report["counts"]["unverifiable"]) == (1, 2, 1)
    assert "MemoryError" in completed.stdout


def test_source_that_does_not_compile(made_wheel: Path, tmp_path: Path) -> None:
    files = wheels.read(made_wheel)
    trees.write(tmp_path, {"demo/core.py": b"def f(:\n", PYC: files[PYC]})
    assert only(tmp_path)[0] is Status.STALE
    forge(tmp_path / PYC, b"def f(:\n")
    status, reasons = only(tmp_path)
    assert status is Status.DIFFERS
    assert reasons[0].startswith("its source does not compile: SyntaxError: line 1: ")


# ---- sharing (CPython issue 129724, uv issue 10619)

MEMBERSHIP = b"x in {'foo', 'bar', 'zebra'}\n\n\ndef f():\n    return x in {'foo', 'bar', 'zebra'}\n"


def test_set_that_is_shared_or_not(interpreter: Interpreter, tmp_path: Path) -> None:
    """Diff names the set and how often it is written; normalize makes one of the two files."""
    alone, after = tmp_path / "alone.pyc", tmp_path / "after.pyc"
    for path, modules in ((alone, [MEMBERSHIP]), (after, [b"import zebra\n", MEMBERSHIP])):
        path.write_bytes(compiled_in_one_process(interpreter, modules))
    assert alone.read_bytes() != after.read_bytes()

    told = detpyc("diff", alone, after)
    assert told.returncode == 1
    (sharing,) = (line.strip() for line in told.stdout.splitlines() if "sharing" in line)
    assert sharing.startswith("encoding: in ")
    assert sharing.endswith(
        "first frozenset({'bar', 'foo', 'zebra'})): written once and shared against written 2 times"
    )
    assert "code: " not in told.stdout

    done("normalize", alone, after)
    assert alone.read_bytes() == after.read_bytes()
    assert done("diff", alone, after).stdout == ""


def compiled_in_one_process(interpreter: Interpreter, modules: list[bytes]) -> bytes:
    """Compile modules one after the other and return the last one's pyc."""
    request = [("module.py", b64encode(module).decode()) for module in modules]
    command = [interpreter.path, "-s", "-S", "-B", states.__file__, "compile", "in-order"]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    answer = subprocess.run(
        command, input=json.dumps(request).encode(), capture_output=True, check=True, env=environment
    )
    header = PycHeader(interpreter.magic_number, "unchecked-hash", source_hash=bytes(8)).to_bytes()
    return header + b64decode(json.loads(answer.stdout)[-1])
