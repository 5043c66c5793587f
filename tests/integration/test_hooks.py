"""Both hooks, through the backends: complete projects, built, installed and imported."""

from __future__ import annotations

import base64
import hashlib
import json
import marshal
import platform
import py_compile
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import zipfile
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from installer.sources import WheelFile

import states
from projects import (
    ANSWER,
    BY_NAME,
    EDITED,
    NEW_SYNTAX,
    PROJECTS,
    TEST_PROJECTS,
    Conditions,
    add_settings,
    attempt,
    build,
    change,
    check_run,
    copy_project,
    import_modules,
    module_name,
    pyc_of,
    remove_table,
    run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detpyc.compilation.interpreters import Interpreter
    from projects import Project

MEMORY = Path("/dev/shm")  # noqa: S108 - on Linux, a file system of its own
CHECKED_HASH = MAGIC_NUMBER + (0b11).to_bytes(4, "little")  # PEP 552
HATCH, PDM = "tool.hatch.build.targets.wheel.hooks.detpyc", "tool.pdm.build.hooks.detpyc"
HATCH_FOR_ALL_TARGETS = "tool.hatch.build.hooks.detpyc"
HATCH_FOR_SDIST = "tool.hatch.build.targets.sdist.hooks.detpyc"
NOTHING_READS = "detpyc: warning: nothing reads ["
RELEASE = platform.python_version()
NOT_IMPORTABLE = re.compile(r"\.data/(?:data|scripts)/")

CONDITIONS = [
    Conditions("0", "UTC0", "C", 0o022, "1", 1_000_000_000),
    Conditions("1", "JST-9", "C.UTF-8", 0o077, "4", 1_500_000_000, last_file_first=True),
    Conditions("random", "NST3:30", "POSIX", 0o002, "", 2_000_000_000),
]

each_project = pytest.mark.parametrize("project", [pytest.param(project, id=project.name) for project in PROJECTS])


@pytest.fixture
def places(tmp_path: Path) -> Iterator[list[Path]]:
    """Directories with paths of other lengths, two of which list files in the order of their creation."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as other:
        found = [tmp_path / "a", Path(other, "somewhere else", "and much deeper", "naïve"), Path(other)]
        for place in found:
            place.mkdir(parents=True, exist_ok=True)
        yield found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def unpack(path: Path, site: Path) -> dict[str, bytes]:
    members = contents(path)
    for name, content in members.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)
    return members


def pycs(members: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in members.items() if name.endswith(".pyc")}


def recorded(members: dict[str, bytes]) -> list[dict[str, Any]]:
    """Read what the wheel records about its bytecode, for each interpreter and level."""
    (content,) = (content for name, content in members.items() if name.endswith(".dist-info/detpyc.json"))
    found: list[dict[str, Any]] = json.loads(content)["bytecode"]
    return found


def test_conditions_can_matter(places: list[Path]) -> None:
    """What the next test varies changes the stock pycs."""
    copies = [copy_project("hatch-encodings", *pair) for pair in zip(places, CONDITIONS, strict=True)]
    sources = [copy / "src" / "hatch_encodings" / "crlf.py" for copy in copies]
    assert len({source.stat().st_mtime for source in sources}) == 3
    assert len({source.stat().st_mode for source in sources}) == 3
    if places[2].is_relative_to(MEMORY):
        listings = [[entry.name for entry in source.parent.iterdir()] for source in sources]
        assert sorted(listings[1]) == sorted(listings[2])
        assert listings[1] != listings[2]
    timestamp = py_compile.PycInvalidationMode.TIMESTAMP
    stock = [py_compile.compile(str(source), doraise=True, invalidation_mode=timestamp) for source in sources]
    assert len({Path(str(pyc)).read_bytes() for pyc in stock}) == 3


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="CPython interns every letter of Latin-1 at its start")
def test_number_of_jobs_can_matter() -> None:
    """With one job, the largest source of hatch-constants is compiled first and changes the bytes of another."""
    package = TEST_PROJECTS / "hatch-constants" / "src" / "hatch_constants"
    largest, *_ = sorted(package.glob("*.py"), key=lambda path: path.stat().st_size, reverse=True)
    assert largest.name == "letters.py"
    sources = [(name, (package / name).read_bytes()) for name in ("letters.py", "strings.py")]
    assert compiled_in_order(sources)["strings.py"] != compiled_in_order(sources[1:])["strings.py"]


def compiled_in_order(sources: list[tuple[str, bytes]]) -> dict[str, str]:
    """Return the payloads of sources that one process compiles one after the other."""
    request = json.dumps([(name, base64.b64encode(source).decode()) for name, source in sources])
    answer = check_run([sys.executable, "-S", "-B", states.__file__, "compile", "in-order"], request=request)
    return dict(zip((name for name, _ in sources), json.loads(answer), strict=True))


@each_project
def test_builds_to_one_wheel(project: Project, places: list[Path]) -> None:
    results = []
    for place, conditions in zip(places, CONDITIONS, strict=True):
        results.append(build(copy_project(project.name, place, conditions), place / "dist", conditions=conditions))
    for varied in ("directory", "hash", "midnight", "umask"):
        assert len({result.circumstances[varied] for result in results}) == 3, varied
    assert len({result.circumstances["locale"] for result in results}) == 2
    assert len({result.artifact.name for result in results}) == 1
    assert len({sha256(result.artifact) for result in results}) == 1


@each_project
def test_content_of_the_wheel(project: Project, wheel_of: Callable[[str], Path]) -> None:
    members = contents(wheel_of(project.name))
    sources = {project.in_wheel(source) for source in (*project.compiled, *project.plain, *project.skipped)}
    assert {name for name in members if name.endswith(".py") and not NOT_IMPORTABLE.search(name)} == sources
    expected = {pyc_of(project.in_wheel(source), level): source for source, level in project.bytecode}
    assert pycs(members).keys() == expected.keys()
    for name, source in expected.items():
        assert members[name][:16] == CHECKED_HASH + source_hash(members[project.in_wheel(source)])
        assert marshal.loads(members[name][16:]).co_filename == source  # noqa: S302 - just made
    assert not any(name.endswith(".gitignore") for name in members)


@each_project
def test_wheel_is_valid(project: Project, wheel_of: Callable[[str], Path], tmp_path: Path) -> None:
    path = wheel_of(project.name)
    with WheelFile.open(path) as wheel:
        wheel.validate_record()
    check_run([sys.executable, "-m", "wheel", "unpack", "--dest", str(tmp_path), str(path)])
    (unpacked,) = tmp_path.iterdir()
    files = {file.relative_to(unpacked).as_posix(): file for file in unpacked.rglob("*") if file.is_file()}
    assert {name: file.read_bytes() for name, file in files.items()} == contents(path)


@each_project
def test_new_members_are_like_the_old(project: Project, wheel_of: Callable[[str], Path]) -> None:
    with zipfile.ZipFile(wheel_of(project.name)) as archive:
        members = archive.infolist()
    new = [member for member in members if member.filename.endswith((".pyc", "/detpyc.json"))]
    assert {member.external_attr >> 16 for member in new} == {0o100644}
    assert {member.compress_type for member in new} == {zipfile.ZIP_DEFLATED}
    assert len({member.date_time for member in members}) == 1
    assert members[-1].filename == f"{project.distribution}-1.0.dist-info/RECORD"


@each_project
def test_provenance_records_what_was_skipped(project: Project, wheel_of: Callable[[str], Path]) -> None:
    bytecode = recorded(contents(wheel_of(project.name)))
    assert [entry["optimize"] for entry in bytecode] == list(project.levels)
    assert {entry["release"] for entry in bytecode} == {RELEASE}
    for entry in bytecode:
        assert entry["skipped"].keys() == set(project.skipped)
        assert all(reason.startswith("SyntaxError: line ") for reason in entry["skipped"].values())


@each_project
def test_modules_load_from_shipped_bytecode(
    project: Project, installed: Path, wheel_of: Callable[[str], Path], tmp_path: Path
) -> None:
    site = shutil.copytree(installed, tmp_path / "site")
    members = contents(wheel_of(project.name))
    shipped = {
        pyc_of(source, level): members[pyc_of(project.in_wheel(source), level)] for source, level in project.bytecode
    }
    assert {name: (site / name).read_bytes() for name in shipped} == shipped
    imported = import_modules(site, project.modules)
    assert imported.answer == "42"
    for source in project.compiled:
        assert imported.from_bytecode(site, source, pyc_of(source)), source
    for source in project.plain:
        assert imported.from_source(site, source), source
    assert imported.written == {str(site / pyc_of(source)) for source in project.plain}
    assert {name: (site / name).read_bytes() for name in shipped} == shipped


@each_project
def test_edited_source_is_honoured(project: Project, installed: Path, tmp_path: Path) -> None:
    site = shutil.copytree(installed, tmp_path / "site")
    main = project.compiled[0]
    change(site / main, ANSWER, EDITED)
    imported = import_modules(site, project.modules)
    assert imported.answer == "43"
    assert imported.from_source(site, main)
    for source in project.compiled[1:]:
        assert imported.from_bytecode(site, source, pyc_of(source)), source


def test_edited_source_is_not_looked_at(tmp_path: Path) -> None:
    """Unlike above: the mode is unchecked-hash."""
    project = copy_project("hatch-src", tmp_path)
    add_settings(project, 'invalidation-mode = "unchecked-hash"')
    site = tmp_path / "site"
    unpack(build(project, tmp_path / "dist").artifact, site)
    change(site / "hatch_src" / "__init__.py", ANSWER, EDITED)
    imported = import_modules(site, BY_NAME["hatch-src"].modules)
    assert (imported.answer, imported.written) == ("42", set())


@pytest.mark.parametrize("name", ["hatch-src", "pdm-src"])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_file_mode_stays_as_the_backend_left_it(name: str, umask: int, tmp_path: Path) -> None:
    project = copy_project(name, tmp_path)
    conditions = Conditions(umask=umask)
    built = build(project, tmp_path / "with", conditions=conditions).artifact
    remove_table(project)
    without = build(project, tmp_path / "without", conditions=conditions).artifact
    assert built.stat().st_size > without.stat().st_size
    assert built.stat().st_mode == without.stat().st_mode


@pytest.mark.parametrize(("options", "level"), [((), 0), (("-O",), 1), (("-OO",), 2)])
def test_each_level_loads_its_own_bytecode(
    options: tuple[str, ...], level: int, installed: Path, tmp_path: Path
) -> None:
    site = shutil.copytree(installed, tmp_path / "site")
    project = BY_NAME["pdm-src"]
    imported = import_modules(site, project.modules, function="level", options=options)
    assert imported.answer == str(level)
    for source in project.compiled:
        assert imported.from_bytecode(site, source, pyc_of(source, level)), source


def test_every_interpreter_loads_its_own_bytecode(pythons: dict[str, Interpreter], tmp_path: Path) -> None:
    """One wheel for all interpreters that are here; each skips the modules whose syntax it does not know."""
    project = copy_project("hatch-constants", tmp_path)
    by_tag = {python.cache_tag: python for python in pythons.values()}
    add_settings(project, f"interpreters = {json.dumps([str(python.path) for python in by_tag.values()])}")
    site = tmp_path / "site"
    members = unpack(build(project, tmp_path / "dist").artifact, site)
    skipped = {entry["cache-tag"]: entry["skipped"] for entry in recorded(members)}
    assert skipped.keys() == by_tag.keys()
    for tag, interpreter in by_tag.items():
        newer = {f"hatch_constants/{name}.py" for name, version in NEW_SYNTAX.items() if version > interpreter.version}
        assert skipped[tag].keys() == newer
        sources = sorted(name for name in members if name.endswith(".py") and name not in newer)
        imported = import_modules(site, [*map(module_name, sources)], python=str(interpreter.path))
        assert imported.answer == "42"
        assert not {path for path in imported.written if path.startswith(str(site))}
        for source in sources:
            pyc = f"hatch_constants/__pycache__/{Path(source).stem}.{tag}.pyc"
            assert imported.from_bytecode(site, source, pyc), (tag, source)


@pytest.mark.parametrize("name", ["hatch-generated", "pdm-generated"])
def test_isolated_build(name: str, wheel_of: Callable[[str], Path], wheel_of_checkout: Path, tmp_path: Path) -> None:
    """`build` installs the hook and builds the wheel from the sdist; its bytecode equals that of a direct build."""
    project = copy_project(name, tmp_path)
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"detpyc @ {wheel_of_checkout.as_uri()}\n", encoding="utf-8")
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(project)]
    check_run(command, variables={"PIP_CONSTRAINT": str(constraints)})
    (wheel,), (sdist,) = (tmp_path / "dist").glob("*.whl"), (tmp_path / "dist").glob("*.tar.gz")
    assert pycs(contents(wheel)) == pycs(contents(wheel_of(name)))
    with WheelFile.open(wheel) as source:
        source.validate_record()
    with tarfile.open(sdist) as archive:
        assert not [name for name in archive.getnames() if name.endswith((".pyc", "detpyc.json"))]


@pytest.mark.parametrize("name", ["hatch-flat", "hatch-src", "pdm-src"])
def test_sdist_is_left_alone(name: str, tmp_path: Path) -> None:
    project = copy_project(name, tmp_path)
    built = build(project, tmp_path / "with", hook="build_sdist")
    assert "detpyc:" not in built.output
    remove_table(project)
    without = build(project, tmp_path / "without", hook="build_sdist")
    found = [sdist_members(result.artifact, except_for="/pyproject.toml") for result in (built, without)]
    assert found[0] == found[1]
    assert not [name for name in found[0] if name.endswith((".pyc", "detpyc.json"))]


def sdist_members(path: Path, except_for: str) -> dict[str, tuple[bytes, bytes]]:
    """Read headers and contents."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None and not member.name.endswith(except_for):
                found[member.name] = (member.tobuf(), content.read())
    return found


@pytest.mark.parametrize("name", ["hatch-editable", "pdm-src"])
def test_editable_install_has_no_bytecode(name: str, tmp_path: Path) -> None:
    project, copy = BY_NAME[name], copy_project(name, tmp_path)
    built = build(copy, tmp_path / "dist", hook="build_editable")
    assert "detpyc:" not in built.output
    assert not [member for member in contents(built.artifact) if member.endswith((".pyc", ".py", "detpyc.json"))]
    with WheelFile.open(built.artifact) as wheel:
        wheel.validate_record()

    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--no-compile", "--no-deps", "--no-index", "--target", str(site)]
    check_run([*install, str(built.artifact)])
    assert import_modules(site, project.modules, options=["-B"]).answer == "42"
    change(copy / "src" / project.compiled[0], ANSWER, EDITED)
    edited = import_modules(site, project.modules, options=["-B"])
    assert edited.answer == "43"
    assert all(edited.from_source(copy / "src", source) for source in project.compiled)


def test_pdm_hook_acts_only_if_the_table_exists(tmp_path: Path) -> None:
    """Pdm-backend calls the hooks of everything installed, and a missing table looks like an empty one to them."""
    project = copy_project("pdm-module", tmp_path)
    assert (project / "pyproject.toml").read_text(encoding="utf-8").endswith(f"[{PDM}]\n")
    with_table = build(project, tmp_path / "with")
    remove_table(project)
    without = build(project, tmp_path / "without")
    assert "detpyc: " in with_table.output
    assert "detpyc" not in without.output.replace(str(tmp_path), "")
    new = contents(with_table.artifact).keys() - contents(without.artifact).keys()
    assert new == {pyc_of("pdm_module.py"), "pdm_module-1.0.dist-info/detpyc.json"}
    assert contents(without.artifact).keys() < contents(with_table.artifact).keys()


def test_hatchs_own_keys_are_ignored(wheel_of: Callable[[str], Path]) -> None:
    pyproject = (TEST_PROJECTS / "hatch-flat" / "pyproject.toml").read_text(encoding="utf-8")
    _, _, table = pyproject.partition(f"[{HATCH_FOR_ALL_TARGETS}]\n")
    for key in ("dependencies", "enable-by-default", "require-runtime-dependencies", "require-runtime-features"):
        assert f"\n{key} = " in f"\n{table}"
    assert pycs(contents(wheel_of("hatch-flat")))


def test_foreign_bytecode_is_dropped_and_reported(tmp_path: Path) -> None:
    project = copy_project("hatch-src", tmp_path)
    (project / "stray").write_bytes(b"no bytecode at all")
    stray = "hatch_src/__pycache__/gone.cpython-36.pyc"
    add_settings(project, f'[tool.hatch.build.targets.wheel.force-include]\nstray = "{stray}"')
    built = build(project, tmp_path / "dist")
    assert "1 foreign or stale pyc dropped" in built.output
    assert stray not in contents(built.artifact)
    with WheelFile.open(built.artifact) as wheel:
        wheel.validate_record()


@pytest.fixture(params=["backend", "build"])
def fail(request: pytest.FixtureRequest) -> Callable[[Path, Path], str]:
    """Return a function that builds what cannot be built, with and without a frontend, and returns what was printed."""

    def fail(project: Path, output: Path) -> str:
        if request.param == "backend":
            done = attempt(project, output)
        else:
            options = ["--wheel", "--no-isolation", "--outdir", str(output)]
            done = run([sys.executable, "-m", "build", *options, str(project)])
        printed = done.stdout + done.stderr
        assert done.returncode == 1, printed
        assert "Traceback" not in printed
        return printed

    return fail


def assert_without_bytecode(name: str, output: Path, tmp_path: Path) -> None:
    """Assert that a failed build left nothing, or only the wheel that the backend makes without the hook."""
    project = copy_project(name, tmp_path / "plain")
    remove_table(project)
    plain = build(project, tmp_path / "plain" / "dist").artifact
    assert not pycs(contents(plain))
    left = list(output.iterdir()) if output.exists() else []
    assert [(path.name, sha256(path)) for path in left] in ([], [(plain.name, sha256(plain))])


@pytest.mark.parametrize(
    ("name", "source", "line"),
    [
        ("hatch-syntax-error", "hatch_syntax_error/python2.py", 4),
        ("pdm-syntax-error-skipped", "pdm_syntax_error_skipped/template.py", 3),
    ],
)
def test_source_that_does_not_compile(
    name: str, source: str, line: int, fail: Callable[[Path, Path], str], tmp_path: Path
) -> None:
    project = copy_project(name, tmp_path)
    pyproject = project / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text(encoding="utf-8").replace('on-syntax-error = "skip"\n', ""), encoding="utf-8"
    )
    printed = fail(project, tmp_path / "dist")
    assert f"    {source}: SyntaxError: line {line}: " in printed
    assert 'set on-syntax-error to "skip"' in printed
    assert_without_bytecode(name, tmp_path / "dist", tmp_path)


@pytest.mark.parametrize(
    ("name", "location"),
    [("hatch-src", HATCH), ("hatch-flat", HATCH_FOR_ALL_TARGETS), ("pdm-module", PDM)],
)
def test_wrong_settings(name: str, location: str, fail: Callable[[Path, Path], str], tmp_path: Path) -> None:
    """Every mistake is listed at once, with its full key and what was meant."""
    project = copy_project(name, tmp_path)
    for mistake in ("optimise = [0]", "colour = true", 'optimize = "0"', 'invalidation-mode = "timestamp"'):
        add_settings(project, mistake)
    printed = fail(project, tmp_path / "dist")
    assert f"unknown setting {location}.optimise; did you mean optimize?\n" in printed
    assert f"unknown setting {location}.colour; the settings are " in printed
    assert f'{location}.optimize must be a list, not "0"\n' in printed
    assert f'{location}.invalidation-mode cannot be "timestamp": ' in printed
    assert list((tmp_path / "dist").glob("*")) == []


def test_hooks_that_are_not_a_table(fail: Callable[[Path, Path], str], tmp_path: Path) -> None:
    project = copy_project("pdm-module", tmp_path)
    change(project / "pyproject.toml", b"[tool.pdm.build.hooks.detpyc]\n", b'[tool.pdm.build]\nhooks = ["detpyc"]\n')
    printed = fail(project, tmp_path / "dist")
    assert f"detpyc: tool.pdm.build.hooks must be a table; write [{PDM}]\n" in printed
    assert list((tmp_path / "dist").glob("*")) == []


@pytest.mark.parametrize(
    ("name", "hook", "unread", "read"),
    [
        ("hatch-src", "build_wheel", "tool.detpyc", HATCH),
        ("hatch-src", "build_wheel", HATCH_FOR_SDIST, HATCH),
        ("hatch-src", "build_sdist", HATCH_FOR_SDIST, HATCH),
        ("hatch-src", "build_wheel", HATCH_FOR_ALL_TARGETS, HATCH),
        ("hatch-flat", "build_wheel", PDM, HATCH),
        ("pdm-module", "build_wheel", "tool.detpyc", PDM),
        ("setuptools-wrapped", "build_wheel", PDM, "tool.detpyc"),
    ],
)
def test_tables_that_nothing_reads(name: str, hook: str, unread: str, read: str, tmp_path: Path) -> None:
    """One warning; the wheel is that of the table that is read."""
    project = copy_project(name, tmp_path)
    expected = build(project, tmp_path / "expected", hook=hook, SOURCE_DATE_EPOCH="1600000000")
    assert NOTHING_READS not in expected.output
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"[{unread}]\noptimize = [2]\n")
    built = build(project, tmp_path / "dist", hook=hook, SOURCE_DATE_EPOCH="1600000000")
    assert built.output.count(NOTHING_READS) == 1
    (warning,) = (line for line in built.output.splitlines() if NOTHING_READS in line)
    assert warning.startswith(f"{NOTHING_READS}{unread}]: the build backend ")
    assert warning.endswith(f" reads [{read}]")
    if hook == "build_wheel":
        assert built.artifact.read_bytes() == expected.artifact.read_bytes()


def test_project_with_only_a_table_that_nothing_reads(tmp_path: Path) -> None:
    """PDM calls the hook even so."""
    project = copy_project("pdm-module", tmp_path)
    change(project / "pyproject.toml", b"[tool.pdm.build.hooks.detpyc]", b"[tool.detpyc]")
    built = build(project, tmp_path / "dist")
    assert f"{NOTHING_READS}tool.detpyc]: the build backend pdm.backend reads [{PDM}]\n" in built.output
    assert not pycs(contents(built.artifact))


@pytest.mark.parametrize(("name", "backend"), [("hatch-src", b"hatchling.build"), ("pdm-module", b"pdm.backend")])
def test_hook_in_a_wrapped_backend(name: str, backend: bytes, tmp_path: Path) -> None:
    """The wrapper reads the table that would otherwise have no effect."""
    project = copy_project(name, tmp_path)
    change(project / "pyproject.toml", b'"' + backend + b'"', b'"detpyc.backend"')
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f'[tool.detpyc]\nbuild-backend = "{backend.decode()}"\n')
    built = build(project, tmp_path / "dist")
    assert NOTHING_READS not in built.output
    assert pycs(contents(built.artifact))


@pytest.mark.parametrize("name", ["hatch-src", "pdm-module"])
def test_missing_interpreter(name: str, tmp_path: Path) -> None:
    """The message names the request and lists what was found, before anything is built."""
    project = copy_project(name, tmp_path)
    add_settings(project, 'interpreters = ["3.8.99"]')
    done = attempt(project, tmp_path / "dist")
    assert done.returncode == 1
    assert "3.8.99" in done.stderr
    assert RELEASE in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "dist").glob("*")) == []


TERMINATED = """
import importlib, os, signal, sys, time
from detpyc.replacement import Replacement

signal.signal(signal.{0}, signal.SIG_DFL)  # nohup ignores SIGHUP

def terminate(self, *_, **named):
    assert self.temporary.exists()
    os.kill(os.getpid(), signal.{0})
    time.sleep(60)

Replacement.commit = terminate
importlib.import_module(sys.argv[1]).build_wheel(sys.argv[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such exit status there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(("project", "backend"), [("hatch-src", "hatchling.build"), ("pdm-module", "pdm.backend")])
def test_nothing_stays_after_a_signal(project: str, backend: str, name: str, tmp_path: Path) -> None:
    """The process ends by it, and leaves the wheel of the backend and no temporary file."""
    copy, output = copy_project(project, tmp_path), tmp_path / "dist"
    output.mkdir()
    done = run([sys.executable, "-c", TERMINATED.format(name), backend, str(output)], cwd=copy)
    assert done.returncode == -getattr(signal, name), done.stderr
    assert "Traceback" not in done.stderr
    assert_without_bytecode(project, output, tmp_path)


@pytest.mark.parametrize("name", ["hatch-src", "pdm-module"])
def test_wrong_number_of_jobs(name: str, tmp_path: Path) -> None:
    """The variable is read, so builds with different numbers of jobs really differ in that."""
    done = attempt(copy_project(name, tmp_path), tmp_path / "dist", DETPYC_JOBS="none")
    assert done.returncode == 1
    assert "DETPYC_JOBS must be a positive number" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "dist").glob("*")) == []
