"""``detpyc wheel`` on wheels of all kinds: what it makes of them, for whom, and that it always makes the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from installer.sources import WheelFile

import wheels
from command_line import COMMAND, detpyc, done, snapshot, unchanged
from detpyc import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detpyc.compilation.interpreters import Interpreter

COMPARE = Path(__file__).with_name("compare_code.py")
RICH = "rich==13.9.4"  # a hundred modules, for every Python from 3.8
OWN_TAG = sys.implementation.cache_tag
LEVELS = ("--optimize", "0", "--optimize", "1", "--optimize", "2")

CONSTANTS = b'''"""Constants."""

NUMBERS = (0.0, -0.0, 1e400, -1, 10**40, 2j, True, 1, 1.0, None, ...)
TEXTS = ("", "a", "a b", "caf\\u00e9", "\\U0001f40d", "x" * 300, b"", b"\\0\\xff")


def first(x, y=lambda: 0, z=lambda: 1):
    assert x in {"one", 2, 3.0, b"four", ("five", 6)}, "no"
    return [lambda w=x: (w, y) for _ in range(3)]


def second(x):
    """Share the set with the first."""
    return x in {"one", 2, 3.0, b"four", ("five", 6)} or x[1:2]


class Outer:
    class Inner:
        def method(self, *args, **kwargs):
            yield from super().method(*args, **kwargs)
'''

# Each kind of source that is a module somewhere, with the path it has there.
MODULES = {
    "single.py": b"x = 1\n",
    "pkg/__init__.py": b"",
    "pkg/constants.py": CONSTANTS,
    "pkg/crlf.py": CONSTANTS.replace(b"\n", b"\r\n"),
    "pkg/bom.py": b"\xef\xbb\xbf" + CONSTANTS,
    "pkg/cookie.py": b"# -*- coding: latin-1 -*-\nTEXT = '\xe9'\n",
    "pkg/no newline.py": b"x = 1",
    "pkg/comment.py": b"# nothing else",
    "pkg/form feed.py": b"\x0c\nx = 1\n\x0c",
    'odd/a,b "c".py': b"x = 1\n",
    "odd/two.dots.py": b"x = 2\n",
    "odd/-dash-.py": b"x = 3\n",
    "odd/caf\xe9/\u65e5\u672c.py": "\u65e5\u672c = 4\n".encode(),
    "namespace/deep/er/module.py": b"x = 5\n",
    **{f"many/module_{number}.py": CONSTANTS * number for number in range(20)},
}
DATA = {
    "demo-1.0.data/purelib/moved/pure.py": b"x = 6\n",
    "demo-1.0.data/platlib/moved/plat.py": b"x = 7\n",
    "demo-1.0.data/scripts/tool.py": b"#!python\n",
    "demo-1.0.data/data/share/not_a_module.py": b"x = 8\n",
    "pkg/data.txt": b"text\n",
    "pkg/stub.pyi": b"x: int\n",
    "pkg/native.cpython-312-x86_64-linux-gnu.so": b"\x7fELF",
    "empty/": b"",
}
MOVED = 2


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of thirty-odd modules of all kinds."""
    contents = wheels.complete({**MODULES, **DATA})
    record = contents["demo-1.0.dist-info/RECORD"]
    contents["demo-1.0.dist-info/RECORD"] = b"".join(
        line for line in record.splitlines(keepends=True) if not line.startswith(b"empty/,")
    )
    return wheels.write(tmp_path / "demo-1.0-py3-none-any.whl", contents)


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A wheel from the package index."""
    directory = tmp_path_factory.mktemp("rich")
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--dest", str(directory)]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *options, RICH], check=True)
    (path,) = directory.iterdir()
    return path.read_bytes()


def copy(wheel: Path, name: str) -> Path:
    """Copy a wheel to a new directory beside it."""
    target = wheel.parent / name / wheel.name
    target.parent.mkdir(parents=True)
    target.write_bytes(wheel.read_bytes())
    return target


def pycs(wheel: Path) -> list[str]:
    return [name for name in wheels.read(wheel) if name.endswith(".pyc")]


def provenance(wheel: Path) -> dict[str, Any]:
    (name,) = (name for name in wheels.read(wheel) if name.endswith(".dist-info/detpyc.json"))
    return dict(json.loads(wheels.read(wheel)[name]))


def check(wheel: Path, before: Path | None = None) -> None:
    """Read a wheel with other tools, and check that nothing is lost."""
    with WheelFile.open(wheel) as opened:
        opened.validate_record(validate_contents=True)
    subprocess.run([sys.executable, "-m", "zipfile", "-t", wheel], check=True, stdout=subprocess.DEVNULL)
    if before is not None:
        old, new = wheels.read(before), wheels.read(wheel)
        assert {name: content for name, content in old.items() if "/RECORD" not in name}.items() <= new.items()


def compare(wheel: Path, interpreter: Interpreter, directory: Path) -> dict[str, int]:
    """Install a wheel in the simplest way, and count what its interpreter finds as it would have compiled it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory)
    for root in ("purelib", "platlib"):
        for path in sorted(directory.glob(f"*.data/{root}/**/*.*")):
            if path.is_file():
                target = directory / path.relative_to(next(directory.glob(f"*.data/{root}")))
                target.parent.mkdir(parents=True, exist_ok=True)
                path.rename(target)
    completed = subprocess.run(
        [interpreter.path, "-I", "-S", "-B", COMPARE, directory], check=True, stdout=subprocess.PIPE
    )
    return dict(json.loads(completed.stdout))


# ---- what it makes of them


def test_code_is_what_the_interpreter_itself_would_compile(
    wheel: Path, interpreter: Interpreter, tmp_path: Path
) -> None:
    result = copy(wheel, "result")
    done("wheel", result, "--interpreter", interpreter.path, *LEVELS)
    check(result, wheel)
    count = len(MODULES) + MOVED
    assert len(pycs(result)) == 3 * count
    assert compare(result, interpreter, tmp_path / "installed") == {"0": count, "1": count, "2": count}


def test_real_wheel(rich: bytes, interpreter: Interpreter, tmp_path: Path) -> None:
    wheel = tmp_path / "rich-13.9.4-py3-none-any.whl"
    wheel.write_bytes(rich)
    result = copy(wheel, "result")
    done("wheel", result, "--interpreter", interpreter.path)
    check(result, wheel)
    sources = sum(name.endswith(".py") for name in wheels.read(wheel))
    assert compare(result, interpreter, tmp_path / "installed") == {"0": sources}
    with unchanged(result.parent):
        done("wheel", result, "--interpreter", interpreter.path, "--jobs", "1", env={**os.environ, "LANG": "C"})


def test_members(wheel: Path) -> None:
    """What was there, then the pycs by name, then what the wheel says of itself, with RECORD at the end."""
    result = copy(wheel, "result")
    done("wheel", result)
    old, new = list(wheels.read(wheel)), list(wheels.read(result))
    metadata = [f"demo-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "detpyc.json", "RECORD")]
    assert new == [*old[:-3], *sorted(pycs(result)), *metadata]
    assert [name for name in pycs(result) if "single" in name or "moved" in name or "odd" in name] == [
        f"__pycache__/single.{OWN_TAG}.pyc",
        f"demo-1.0.data/platlib/moved/__pycache__/plat.{OWN_TAG}.pyc",
        f"demo-1.0.data/purelib/moved/__pycache__/pure.{OWN_TAG}.pyc",
        f"odd/__pycache__/-dash-.{OWN_TAG}.pyc",
        f'odd/__pycache__/a,b "c".{OWN_TAG}.pyc',
        f"odd/__pycache__/two.dots.{OWN_TAG}.pyc",
        f"odd/caf\xe9/__pycache__/\u65e5\u672c.{OWN_TAG}.pyc",
    ]
    with zipfile.ZipFile(result) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".pyc"):
                assert (info.date_time, info.external_attr >> 16) == (wheels.DATE, 0o100644)
                assert info.compress_type == zipfile.ZIP_DEFLATED


def test_platform_wheel_keeps_its_name_and_mode(tmp_path: Path) -> None:
    own = OWN_TAG.replace("cpython-", "cp")
    path = wheels.build(tmp_path, {"native.so": b"\x7fELF", "x.py": b""}, tag=f"{own}-{own}-manylinux_2_17_x86_64")
    path.chmod(0o640)
    done("wheel", path, preexec_fn=lambda: os.umask(0o077))
    assert [*tmp_path.iterdir()] == [path]
    assert path.stat().st_mode & 0o777 == 0o640
    assert pycs(path) == [f"__pycache__/x.{OWN_TAG}.pyc"]


def test_wheel_without_sources_gets_provenance_alone(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {"native.so": b"\x7fELF"})
    assert done("wheel", path).stdout.startswith(f"{path.name}: 0 modules byte-compiled by CPython ")
    check(path)
    assert not pycs(path)


def test_installers_accept_it(wheel: Path, tmp_path: Path) -> None:
    done("wheel", wheel)
    site = tmp_path / "site"
    options = ["--offline", "--no-deps", "--no-cache", "--no-compile-bytecode", "--python", sys.executable]
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", "-q", *options, "--target", site, wheel], check=True)
    assert len([*site.rglob(f"*.{OWN_TAG}.pyc")]) == len(MODULES) + MOVED


# ---- always the same


def varied(number: int, home: Path) -> dict[str, Any]:
    """Return circumstances that must not matter."""
    home.mkdir(parents=True)
    environment = [
        {"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C.UTF-8", "PYTHONOPTIMIZE": "2"},
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "LANG": "C", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"},
    ][number]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "SOURCE_DATE"))}
    return {
        "env": {**inherited, **environment, "HOME": str(home)},
        "cwd": home,
        "preexec_fn": lambda: os.umask([0o022, 0o077][number]),
    }


def test_circumstances_do_not_matter(wheel: Path, interpreter: Interpreter, tmp_path: Path) -> None:
    one, other = copy(wheel, "a"), copy(wheel, "another/directory, and a long one")
    done("wheel", one, "-i", interpreter.path, *LEVELS, "--jobs", "1", **varied(0, tmp_path / "home"))
    done("wheel", other, "-i", interpreter.path, *LEVELS, "--jobs", "4", **varied(1, tmp_path / "h"))
    assert one.read_bytes() == other.read_bytes() != wheel.read_bytes()


def test_build_of_the_interpreter_does_not_matter(
    wheel: Path, release_and_debug: tuple[Interpreter, Interpreter]
) -> None:
    one, other = copy(wheel, "release"), copy(wheel, "debug")
    for result, interpreter in zip((one, other), release_and_debug, strict=True):
        done("wheel", result, *requests([interpreter]))
    assert one.read_bytes() == other.read_bytes() != wheel.read_bytes()


def test_second_run_does_not_touch_the_file(wheel: Path) -> None:
    assert detpyc("wheel", "--check", wheel).returncode == 1
    done("wheel", wheel)
    os.utime(wheel, ns=(0, 0))
    with unchanged(wheel.parent):
        assert done("wheel", wheel, "--jobs", "1").stdout == f"{wheel.name}: nothing to change\n"
        done("wheel", "--check", wheel)


@pytest.fixture(scope="session")
def releases(pythons: Mapping[str, Interpreter]) -> list[Interpreter]:
    """One interpreter of each installed version."""
    return [found for name, found in pythons.items() if name.replace(".", "").isdigit()]


def requests(interpreters: Iterable[Interpreter]) -> list[str]:
    return [argument for interpreter in interpreters for argument in ("--interpreter", interpreter.path)]


def test_all_interpreters_in_one_wheel(wheel: Path, releases: list[Interpreter], tmp_path: Path) -> None:
    result = copy(wheel, "result")
    done("wheel", result, *requests(releases))
    check(result, wheel)
    count = len(MODULES) + MOVED
    assert len(pycs(result)) == count * len(releases)
    for interpreter in releases:
        assert compare(result, interpreter, tmp_path / interpreter.release) == {"0": count}
    assert [
        (interpreter["release"], interpreter["cache-tag"], interpreter["magic-number"])
        for interpreter in provenance(result)["bytecode"]
    ] == [
        (interpreter.release, interpreter.cache_tag, interpreter.magic_number)
        for interpreter in sorted(releases, key=lambda interpreter: interpreter.version)
    ]


def test_one_job_for_each_interpreter_in_any_order(wheel: Path, releases: list[Interpreter]) -> None:
    at_once, up, down = (copy(wheel, name) for name in ("at-once", "up", "down"))
    some = releases[:: max(len(releases) // 3, 1)]
    done("wheel", at_once, *requests(some))
    for interpreter in some:
        done("wheel", up, *requests([interpreter]))
    for interpreter in reversed(some):
        done("wheel", down, *requests([interpreter]))
    assert at_once.read_bytes() == up.read_bytes() == down.read_bytes() != wheel.read_bytes()


# ---- what is there already


def test_stray_bytecode_is_dropped_and_told(tmp_path: Path) -> None:
    stray = {
        "demo/__pycache__/core.cpython-27.pyc": b"stray",
        f"demo/__pycache__/core.{OWN_TAG}.opt-1.pyc": b"stray",
        "demo/__pycache__/gone.pypy310.pyc": b"stray",
    }
    replaced = {f"demo/__pycache__/core.{OWN_TAG}.pyc": b"stray"}
    beside = {"demo/legacy.pyc": b"not a cached one", "demo/__pycache__/data.txt": b"text"}
    path = wheels.build(tmp_path, {**wheels.MODULES, **stray, **replaced, **beside})
    report = json.loads(done("wheel", "--json", path).stdout)["wheels"][0]
    assert report["dropped"] == sorted(stray)
    check(path)
    found = wheels.read(path)
    assert not stray.keys() & found.keys()
    assert b"stray" not in found.values()
    assert beside.items() <= found.items()


def test_stray_bytecode_is_told_to_people_too(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {**wheels.MODULES, "demo/__pycache__/core.cpython-27.pyc": b"stray"})
    output = done("wheel", "-v", path).stdout
    assert "; 1 foreign or stale pyc dropped" in output
    assert "    dropped demo/__pycache__/core.cpython-27.pyc\n" in output


@pytest.fixture
def two(releases: list[Interpreter]) -> list[Interpreter]:
    if len(releases) < 2:
        pytest.skip("there is but one interpreter")
    return releases[-2:]


def edited(wheel: Path, changes: Mapping[str, bytes]) -> None:
    """Change the contents of members, and RECORD to match."""
    contents = {name: content for name, content in wheels.read(wheel).items() if not name.endswith("/RECORD")}
    contents |= changes
    record = "demo-1.0.dist-info/RECORD"
    wheels.write(wheel, {**contents, record: wheels.record(contents, record)})


def test_earlier_bytecode_that_is_right_is_kept(tmp_path: Path, two: list[Interpreter]) -> None:
    path = wheels.build(tmp_path)
    first, second = two
    done("wheel", path, *requests([first]))
    earlier = {name: wheels.read(path)[name] for name in pycs(path)}
    report = json.loads(done("wheel", "--json", path, *requests([second])).stdout)["wheels"][0]
    assert (report["kept"], report["dropped"]) == (2, [])
    assert earlier.items() <= wheels.read(path).items()
    assert len(pycs(path)) == 4
    check(path)


def test_earlier_bytecode_that_is_stale_is_dropped(tmp_path: Path, two: list[Interpreter]) -> None:
    path = wheels.build(tmp_path)
    first, second = two
    done("wheel", path, *requests([first]))
    edited(path, {"demo/core.py": b"x = 'edited'\n"})
    report = json.loads(done("wheel", "--json", path, *requests([second])).stdout)["wheels"][0]
    stale = f"demo/__pycache__/core.{first.cache_tag}.pyc"
    assert (report["kept"], report["dropped"]) == (1, [stale])
    assert sorted(pycs(path)) == sorted(
        [
            f"demo/__pycache__/__init__.{first.cache_tag}.pyc",
            f"demo/__pycache__/__init__.{second.cache_tag}.pyc",
            f"demo/__pycache__/core.{second.cache_tag}.pyc",
        ]
    )
    assert provenance(path)["bytecode"][0]["skipped"] == {
        "demo/core.py": "its bytecode did not match it any more and was dropped"
    }
    check(path)


def test_stale_bytecode_of_the_same_interpreter_is_renewed(tmp_path: Path) -> None:
    path, fresh = wheels.build(tmp_path), tmp_path / "fresh"
    done("wheel", path)
    edited(path, {"demo/core.py": b"x = 'edited'\n"})
    done("wheel", path)
    fresh.mkdir()
    other = wheels.build(fresh, {**wheels.MODULES, "demo/core.py": b"x = 'edited'\n"})
    done("wheel", other)
    assert wheels.read(path) == wheels.read(other)


def test_without_provenance_nothing_is_told_nor_kept(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    done("wheel", path)
    done("wheel", path, "--no-provenance", "--optimize", "1")
    assert pycs(path) == [f"demo/__pycache__/{name}.{OWN_TAG}.opt-1.pyc" for name in ("__init__", "core")]
    assert not any(name.endswith("detpyc.json") for name in wheels.read(path))
    check(path)


# ---- settings as options


def test_patterns(tmp_path: Path) -> None:
    files = {"a.py": b"", "pkg/a.py": b"", "pkg/b.py": b"", "pkg/tests/a.py": b""}
    path = wheels.build(tmp_path, files)
    done("wheel", path, "--include", "pkg/", "--include", "/a.py", "--exclude", "tests/")
    assert pycs(path) == [
        f"{folder}__pycache__/{name}.{OWN_TAG}.pyc" for folder, name in [("", "a"), ("pkg/", "a"), ("pkg/", "b")]
    ]
    (recorded,) = provenance(path)["bytecode"]
    assert (recorded["include"], recorded["exclude"]) == (["pkg/", "/a.py"], ["tests/"])


def test_unchecked_hash(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    done("wheel", path, "--invalidation-mode", "unchecked-hash")
    contents = wheels.read(path)
    assert {contents[name][4:8] for name in pycs(path)} == {b"\1\0\0\0"}


def test_sources_that_do_not_compile_are_skipped_on_request(tmp_path: Path) -> None:
    path = wheels.build(tmp_path, {"good.py": b"", "bad.py": b"x =\n"})
    completed = done("wheel", path, "--on-syntax-error", "skip")
    assert "1 module byte-compiled" in completed.stdout
    assert "1 source skipped" in completed.stdout
    assert "    skipped bad.py: SyntaxError: line 1: invalid syntax\n" in completed.stdout
    assert pycs(path) == [f"__pycache__/good.{OWN_TAG}.pyc"]
    assert provenance(path)["bytecode"][0]["skipped"] == {"bad.py": "SyntaxError: line 1: invalid syntax"}
    check(path)


def test_source_that_compiles_for_some(tmp_path: Path, pythons: Mapping[str, Interpreter]) -> None:
    if not {"3.9", "3.12"} <= pythons.keys():
        pytest.skip("CPython 3.9 or 3.12 is missing")
    path = wheels.build(tmp_path, {"good.py": b"", "matching.py": b"match x:\n    case 1:\n        pass\n"})
    some = requests([pythons["3.9"], pythons["3.12"]])
    report = json.loads(done("wheel", "--json", path, "--on-syntax-error", "skip", *some).stdout)["wheels"][0]
    assert len(pycs(path)) == report["pycs"] == 3


# ---- the command line


def test_check_changes_nothing(wheel: Path) -> None:
    with unchanged(wheel.parent):
        completed = detpyc("wheel", "--check", wheel)
    assert (completed.returncode, completed.stdout, completed.stderr) == (1, f"{wheel.name}: would change\n", "")


def test_output_directory(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "directory"
    with unchanged(wheel.parent):
        assert detpyc("wheel", "--check", wheel, "--output-dir", target).returncode == 1
    before = snapshot(wheel.parent)
    done("wheel", wheel, "--output-dir", target)
    assert snapshot(wheel.parent).items() >= before.items()
    assert [*target.iterdir()] == [target / wheel.name]
    done("wheel", wheel)
    assert (target / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("options", [("-q",), ("-q", "--check")])
def test_quiet(wheel: Path, options: tuple[str, ...]) -> None:
    completed = detpyc("wheel", wheel, *options)
    assert (completed.returncode, completed.stdout, completed.stderr) == (int("--check" in options), "", "")


def test_summary(wheel: Path) -> None:
    size = wheel.stat().st_size
    first, second = done("wheel", "-v", wheel).stdout.splitlines()
    release = "{}.{}.{}".format(*sys.version_info[:3])
    added = wheel.stat().st_size - size
    what = f"{len(MODULES) + MOVED} modules byte-compiled by CPython {release}"
    loaded = "loaded by CPython {}.{}".format(*sys.version_info[:2])
    assert first == f"{wheel.name}: {what}; +{added:,} bytes; {loaded}"
    assert second == f"    CPython {release} is {sys.executable}"


def test_json(wheel: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad-1.0-py3-none-any.whl"
    bad.write_bytes(b"text")
    size = wheel.stat().st_size
    completed = detpyc("wheel", "--json", wheel, bad)
    assert completed.returncode == 2
    assert completed.stderr.startswith(f"detpyc: {bad}: ")
    good, failed = json.loads(completed.stdout)["wheels"]
    assert failed == {"wheel": str(bad), "error": completed.stderr.removeprefix("detpyc: ").rstrip("\n")}
    (interpreter,) = good.pop("interpreters")
    assert interpreter.keys() == {"release", "cache-tag", "magic-number", "path"}
    assert (interpreter["cache-tag"], interpreter["path"]) == (OWN_TAG, sys.executable)
    assert good == {
        "wheel": str(wheel),
        "output": str(wheel),
        "changed": True,
        "modules": len(MODULES) + MOVED,
        "pycs": len(MODULES) + MOVED,
        "kept": 0,
        "dropped": [],
        "skipped": {},
        "bytes-added": wheel.stat().st_size - size,
        "renamed-from": None,
        "loaded-by": ["{}.{}".format(*sys.version_info[:2])],
        "never-loaded": {},
        "missing": [],
        "changes": {},
    }


def test_several_wheels(tmp_path: Path) -> None:
    paths = [wheels.build(tmp_path, project=f"{name}-1.0") for name in ("one", "two", "three")]
    output = done("wheel", *paths).stdout
    assert [line.split(":")[0] for line in output.splitlines()] == [path.name for path in paths]
    assert all(pycs(path) for path in paths)


@pytest.mark.parametrize("command", [COMMAND, (str(Path(sys.executable).with_name("detpyc")),)])
def test_version(command: tuple[str, ...]) -> None:
    completed = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert completed.stdout == f"detpyc {__version__}\n"


def test_interpreters() -> None:
    document = json.loads(done("interpreters", "--json").stdout)
    own = [
        found
        for found in document["interpreters"]
        if os.path.realpath(found["path"]) == os.path.realpath(sys.executable)
    ]
    assert len(own) == 1
    assert own[0] == {
        "release": "{}.{}.{}".format(*sys.version_info[:3]),
        "implementation": "cpython",
        "cache-tag": OWN_TAG,
        "magic-number": own[0]["magic-number"],
        "path": own[0]["path"],
        "supported": True,
        "problem": None,
    }
    heads, *rows = done("interpreters").stdout.splitlines()
    assert heads.split() == ["RELEASE", "CACHE", "TAG", "MAGIC", "PATH"]
    assert len(rows) == len(document["interpreters"])
    for row, found in zip(rows, document["interpreters"], strict=True):
        assert row.split()[:4] == [found["release"], found["cache-tag"], str(found["magic-number"]), found["path"]]
        assert row.endswith("not supported") is not found["supported"]
