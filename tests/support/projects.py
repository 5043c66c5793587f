"""The projects in ``test-projects``: what their wheels contain, and how to build and import copies of them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHECKOUT = Path(__file__).parents[2]
TEST_PROJECTS = CHECKOUT / "test-projects"
INTEGRATION = CHECKOUT / "tests" / "integration"
BUILD_WHEEL = INTEGRATION / "build_wheel.py"
IMPORT_MODULES = INTEGRATION / "import_modules.py"

# The variables that influence a build; the tests set those that they need.
OTHERS = ("DETPYC_", "HATCH_", "LANG", "LC_", "PDM_", "PIP_NO_COMPILE", "PYTHON", "SOURCE_DATE_EPOCH", "TZ", "UV_")

# In the main module of every project, which has a function ``answer`` to return it.
ANSWER, EDITED = b"ANSWER = 42", b"ANSWER = 43"
TABLE = re.compile(r"^\[tool\.(?:hatch|pdm)\.build\.(?:[a-z.]*\.)?hooks\.detpyc\]\n.*\Z", re.MULTILINE | re.DOTALL)

NEW_SYNTAX = {"generics": (3, 12), "matching": (3, 10), "templates": (3, 14)}


@dataclass(frozen=True, slots=True)
class Project:
    """The content of a project's wheel, with sources by their paths as installed.

    Attributes:
        name: of the project and its directory.
        compiled: the sources that have bytecode; the first is the main module's.
        plain: the sources that have none.
        skipped: the sources that have none because they do not compile.
        roots: for each source that is not at the root of the wheel, its directory in the wheel.
        levels: the optimization levels.

    """

    name: str
    compiled: tuple[str, ...]
    plain: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    roots: tuple[tuple[str, str], ...] = ()
    levels: tuple[int, ...] = (0,)

    @property
    def distribution(self) -> str:
        return self.name.replace("-", "_")

    @property
    def bytecode(self) -> list[tuple[str, int]]:
        """Every pair of a source that has bytecode and a level."""
        return [(source, level) for source in self.compiled for level in self.levels]

    @property
    def modules(self) -> list[str]:
        """Everything that can be imported, the main module first."""
        return [module_name(source) for source in (*self.compiled, *self.plain)]

    def in_wheel(self, source: str) -> str:
        return dict(self.roots).get(source, "") + source


def module_name(source: str) -> str:
    return source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def pyc_of(source: str, level: int = 0) -> str:
    """Name a pyc as the running interpreter looks for it."""
    return Path(cache_from_source(source, optimization=level or "")).as_posix()


def constants() -> Project:
    old = ("__init__", "lambdas", "letters", "nested", "numbers", "sets", "strings")
    new = sorted(NEW_SYNTAX)
    compiled = [*old, *(name for name in new if sys.version_info >= NEW_SYNTAX[name])]
    skipped = [name for name in new if name not in compiled]
    compiled, skipped = ([f"hatch_constants/{name}.py" for name in names] for names in (compiled, skipped))
    return Project("hatch-constants", tuple(compiled), skipped=tuple(skipped))


PROJECTS = [
    constants(),
    Project("hatch-editable", ("hatch_editable/__init__.py",)),
    Project(
        "hatch-encodings",
        tuple(
            f"hatch_encodings/{name}.py"
            for name in (
                *("__init__", "bom", "carriage_return", "comment", "cookie", "crlf", "cyrillic", "empty/__init__"),
                *("form_feed", "latin1", "no_newline"),
            )
        ),
    ),
    Project("hatch-flat", ("hatch_flat/__init__.py",), plain=("hatch_flat/_vendored/__init__.py",)),
    Project("hatch-generated", ("hatch_generated/__init__.py", "hatch_generated/_generated.py")),
    Project(
        "hatch-names",
        (
            *("größen/__init__.py", "größen/maße.py", "größen/数.py"),
            *("größen/with space.py", "größen/comma, semicolon; it's.py", 'größen/a "quoted", module.py'),
        ),
    ),
    Project("hatch-namespace", ("acme/tools/__init__.py", "acme/solo.py")),
    Project(
        "hatch-src",
        (
            *("hatch_src/__init__.py", "hatch_src/__main__.py"),
            *("hatch_src/nested/__init__.py", "hatch_src/nested/counting.py"),
        ),
    ),
    Project(
        "pdm-data",
        ("pdm_data/__init__.py", "pdm_data_platform.py", "pdm_data_pure/__init__.py", "pdm_data_pure/module.py"),
        roots=(
            ("pdm_data_platform.py", "pdm_data-1.0.data/platlib/"),
            ("pdm_data_pure/__init__.py", "pdm_data-1.0.data/purelib/"),
            ("pdm_data_pure/module.py", "pdm_data-1.0.data/purelib/"),
        ),
    ),
    Project("pdm-extension", ("pdm_extension/__init__.py",)),
    Project("pdm-generated", ("pdm_generated/__init__.py", "pdm_generated/_generated.py")),
    Project("pdm-module", ("pdm_module.py",)),
    Project(
        "pdm-src",
        (
            *("pdm_src/__init__.py", "pdm_src/__main__.py"),
            *("pdm_src/nested/__init__.py", "pdm_src/nested/asserting.py"),
        ),
        levels=(0, 1, 2),
    ),
    Project(
        "pdm-syntax-error-skipped",
        ("pdm_syntax_error_skipped/__init__.py",),
        skipped=("pdm_syntax_error_skipped/template.py",),
    ),
]
BY_NAME = {project.name: project for project in PROJECTS}


@dataclass(frozen=True, slots=True)
class Conditions:
    """The circumstances under which a project is copied and built."""

    hash_seed: str = "random"
    timezone: str = "UTC0"
    locale: str = "C.UTF-8"
    umask: int = 0o022
    jobs: str = ""
    mtime: int = 1_600_000_000
    last_file_first: bool = False

    def environment(self) -> dict[str, str]:
        return {
            "PYTHONHASHSEED": self.hash_seed,
            "TZ": self.timezone,
            "LC_ALL": self.locale,
            "LANG": self.locale,
            "DETPYC_JOBS": self.jobs,
        }


def environment(**variables: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)} | variables


def copy_project(name: str, directory: Path, conditions: Conditions = Conditions()) -> Path:
    """Copy a project file by file, in the order and with the times and modes of the conditions."""
    source, target = TEST_PROJECTS / name, directory / name
    files = sorted(path for path in source.rglob("*") if path.is_file())
    for path in reversed(files) if conditions.last_file_first else files:
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
        copied.chmod(0o666 & ~conditions.umask)
        os.utime(copied, (conditions.mtime, conditions.mtime))
    return target


def change(path: Path, old: bytes, new: bytes) -> None:
    """Change a file and restore its mtime; its size stays if the new bytes are as many."""
    content, status = path.read_bytes(), path.stat()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def add_settings(project: Path, toml: str) -> None:
    """Add keys to the table, which is the last one of every project's."""
    pyproject = project / "pyproject.toml"
    content = pyproject.read_text(encoding="utf-8")
    assert TABLE.search(content)
    pyproject.write_text(f"{content}{toml}\n", encoding="utf-8")


def remove_table(project: Path) -> None:
    pyproject = project / "pyproject.toml"
    content, count = TABLE.subn("", pyproject.read_text(encoding="utf-8"))
    assert count == 1
    pyproject.write_text(content, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Built:
    """What a build has made.

    Attributes:
        artifact: the file.
        output: all that was printed.
        circumstances: of the process that made it.

    """

    artifact: Path
    output: str
    circumstances: dict[str, Any]


def attempt(
    project: Path, output: Path, *, hook: str = "build_wheel", conditions: Conditions = Conditions(), **variables: str
) -> subprocess.CompletedProcess[str]:
    """Call a hook of a project's build backend, in a process of its own."""
    output.mkdir(exist_ok=True)
    command = [sys.executable, str(BUILD_WHEEL), hook, str(project), str(output)]
    variables = conditions.environment() | variables
    return run(command, cwd=project, umask=conditions.umask, variables=variables)


def build(
    project: Path, output: Path, *, hook: str = "build_wheel", conditions: Conditions = Conditions(), **variables: str
) -> Built:
    done = attempt(project, output, hook=hook, conditions=conditions, **variables)
    assert done.returncode == 0, done.stderr
    circumstances = json.loads(done.stdout.splitlines()[-1])
    return Built(output / circumstances.pop("artifact"), done.stdout + done.stderr, circumstances)


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    umask: int = -1,
    variables: Mapping[str, str] = {},
    request: str = "",
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=environment(**variables),
        umask=umask,
        input=request,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
    )


def check_run(command: Sequence[str], *, variables: Mapping[str, str] = {}, request: str = "") -> str:
    done = run(command, variables=variables, request=request)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: the answer, and the lines that ``python -v`` prints."""

    answer: str
    log: frozenset[str]

    def from_bytecode(self, site: Path, source: str, pyc: str) -> bool:
        """Return whether a module was loaded from its pyc, after the hash of its source was compared."""
        matches = f"# {site / pyc} matches {site / source}"
        return {matches, f"# code object from {str(site / pyc)!r}"} <= self.log and not self.from_source(site, source)

    def from_source(self, site: Path, source: str) -> bool:
        """Return whether a module's source was compiled."""
        return f"# code object from {site / source!s}" in self.log

    @property
    def written(self) -> set[str]:
        """The pycs that the interpreter wrote."""
        return {ast.literal_eval(line[10:]) for line in self.log if line.startswith("# created ")}


def import_modules(
    site: Path,
    modules: Sequence[str],
    *,
    function: str = "answer",
    python: str = sys.executable,
    options: Sequence[str] = (),
) -> Imported:
    """Import modules from a directory, and call a function of the first one."""
    command = [python, "-I", "-S", "-v", "-X", "utf8", *options, str(IMPORT_MODULES), str(site), function, *modules]
    done = run(command)
    assert done.returncode == 0, done.stderr
    return Imported(done.stdout.strip(), frozenset(done.stderr.splitlines()))
