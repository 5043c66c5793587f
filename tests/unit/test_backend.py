"""The wrapping backend, called as frontends call it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyproject_hooks import BuildBackendHookCaller, HookMissing, UnsupportedOperation

import wheels
from detpyc import backend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BACKENDS = Path(__file__).with_name("wrapped_backend.py")
NAME = "demo-1.0-py3-none-any.whl"
SDIST = "demo-1.0.tar.gz"
PYC = f"demo/__pycache__/core.{sys.implementation.cache_tag}.pyc"
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}-none-any"


class Frontend:
    """A build frontend for a project whose backend wraps one of `wrapped_backend`'s."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.output = project / "dist"
        self.output.mkdir()
        self.printed = ""
        self.environment: dict[str, str] = {}
        self.hooks = BuildBackendHookCaller(str(project), "detpyc.backend", runner=self.run)
        self.configure('build-backend = "wrapped_backend:Whole"', 'backend-path = ["backends"]')

    def configure(self, *lines: str) -> None:
        text = "\n".join(["[tool.detpyc]", *lines, ""])
        (self.project / "pyproject.toml").write_text(text, encoding="utf-8")

    def wrap(self, name: str, *lines: str) -> None:
        self.configure(f'build-backend = "wrapped_backend:{name}"', 'backend-path = ["backends"]', *lines)

    def run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DETPYC_")}
        done = subprocess.run(
            cmd,
            cwd=cwd,
            env={**environment, **self.environment, **(extra_environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        self.printed = done.stdout + done.stderr
        done.check_returncode()

    def build(self, config_settings: dict[str, Any] | None = None) -> Path:
        return self.output / self.hooks.build_wheel(str(self.output), config_settings)

    def fail(self, hook: str = "build_wheel", config_settings: dict[str, Any] | None = None) -> str:
        """Call a hook that fails; return the only message, which is the last line printed."""
        with pytest.raises(subprocess.CalledProcessError) as caught:
            getattr(self.hooks, hook)(str(self.output), config_settings)
        assert caught.value.returncode == 1
        assert str(Path("detpyc", "backend.py")) not in self.printed
        assert str(Path("hooks", "wrapped.py")) not in self.printed
        before, _, message = self.printed.rstrip().rpartition("detpyc: ")
        assert "detpyc: " not in before
        return message

    def called(self) -> list[Any]:
        """Return the arguments that the wrapped hook prints."""
        (line,) = (line for line in self.printed.splitlines() if line.startswith("called: "))
        return list(json.loads(line.removeprefix("called: ")))

    def left(self) -> list[str]:
        return sorted(path.name for path in self.output.iterdir())


@pytest.fixture
def frontend(tmp_path: Path) -> Frontend:
    project = tmp_path / "project"
    (project / "backends").mkdir(parents=True)
    shutil.copy(BACKENDS, project / "backends")
    wheels.build(project)
    return Frontend(project)


def test_wheel_is_byte_compiled(frontend: Frontend) -> None:
    path = frontend.build()
    assert path.name == NAME
    assert PYC in wheels.read(path)
    assert frontend.left() == [NAME]
    assert f"detpyc: {NAME}: 2 modules byte-compiled by CPython {platform.python_version()}; +" in frontend.printed
    (unchanged,) = frontend.project.glob("*.whl")
    assert PYC not in wheels.read(unchanged)


def test_wheel_of_before_is_replaced(frontend: Frontend) -> None:
    (frontend.output / NAME).write_bytes(b"old")
    assert PYC in wheels.read(frontend.build())


def test_directory_is_made(frontend: Frontend) -> None:
    frontend.output.rmdir()
    assert PYC in wheels.read(frontend.build())


def test_other_hooks_are_the_wrapped_backends(frontend: Frontend) -> None:
    hooks, output = frontend.hooks, str(frontend.output)
    assert hooks.get_requires_for_build_wheel() == ["wheel-requirement", "null"]
    assert hooks.get_requires_for_build_sdist({"a": "b"}) == ["sdist-requirement", '{"a": "b"}']
    assert hooks.get_requires_for_build_editable({"detpyc.jobs": "1"}) == ["editable-requirement", "{}"]
    assert hooks.build_sdist(output) == SDIST
    assert hooks.build_editable(output) == NAME
    assert (frontend.output / NAME).read_bytes() == (frontend.project / NAME).read_bytes()
    for prepare in (hooks.prepare_metadata_for_build_wheel, hooks.prepare_metadata_for_build_editable):
        assert prepare(output, _allow_fallback=False) == "demo-1.0.dist-info"
        (frontend.output / "demo-1.0.dist-info").rmdir()
    assert hooks._supported_features() == ["build_editable"]  # noqa: SLF001 - it has no public name


def test_hooks_that_the_wrapped_backend_lacks(frontend: Frontend) -> None:
    frontend.wrap("Bare")
    hooks, output = frontend.hooks, str(frontend.output)
    assert hooks.get_requires_for_build_wheel() == []
    assert hooks._supported_features() == []  # noqa: SLF001 - as above
    with pytest.raises(HookMissing):
        hooks.build_editable(output)
    with pytest.raises(HookMissing):
        hooks.prepare_metadata_for_build_wheel(output, _allow_fallback=False)
    assert hooks.prepare_metadata_for_build_wheel(output) == "demo-1.0.dist-info"  # out of the wheel


def test_no_sdist_can_be_made(frontend: Frontend) -> None:
    """A frontend does not treat this as a failure (PEP 517)."""
    frontend.wrap("Unable")
    with pytest.raises(UnsupportedOperation, match="no sources here"):
        frontend.hooks.build_sdist(str(frontend.output))


def test_config_settings(frontend: Frontend) -> None:
    """Ours override the table and the environment; only the others are passed to the wrapped backend."""
    frontend.wrap("Bare", "optimize = [0]", 'on-syntax-error = "skip"')
    frontend.environment = {"DETPYC_OPTIMIZE": "1", "DETPYC_INVALIDATION_MODE": "unchecked-hash"}
    settings = {"detpyc.optimize": "2", "--other": ["a", "b"], "detpyc": "x"}
    members = wheels.read(frontend.build(settings))
    assert frontend.called() == ["build_wheel", {"--other": ["a", "b"], "detpyc": "x"}, None]
    (entry,) = json.loads(members["demo-1.0.dist-info/detpyc.json"])["bytecode"]
    assert (entry["optimize"], entry["invalidation-mode"]) == (2, "unchecked-hash")
    frontend.hooks.build_sdist(str(frontend.output), settings)
    assert frontend.called() == ["build_sdist", {"--other": ["a", "b"], "detpyc": "x"}]


@pytest.mark.parametrize(
    ("environment", "config_settings"), [({"DETPYC_DISABLE": "1"}, None), ({}, {"detpyc.disable": "true"})]
)
def test_disabled(environment: dict[str, str], config_settings: dict[str, str] | None, frontend: Frontend) -> None:
    frontend.environment = environment
    assert frontend.build(config_settings).read_bytes() == (frontend.project / NAME).read_bytes()
    assert frontend.left() == [NAME]
    assert "detpyc: disabled" in frontend.printed


def test_sourceless_wheel_has_another_name(frontend: Frontend) -> None:
    path = frontend.build({"detpyc.layout": "sourceless"})
    assert path.name == f"demo-1.0-{TAG}.whl"
    assert frontend.left() == [path.name]
    members = wheels.read(path)
    assert "demo/core.pyc" in members
    assert f"Tag: {TAG}\n" in members["demo-1.0.dist-info/WHEEL"].decode()


@pytest.mark.parametrize("hook", ["build_wheel", "build_sdist"])
def test_failing(hook: str, frontend: Frontend) -> None:
    """The message names the wrapped backend and quotes its error, and there is no wheel without bytecode."""
    frontend.wrap("Failing")
    message = frontend.fail(hook)
    assert message.startswith(f"the wrapped backend wrapped_backend:Failing failed in {hook}: ValueError: no luck")
    assert "wrapped_backend.py" in frontend.printed
    assert frontend.left() == []


def test_exiting(frontend: Frontend) -> None:
    """As backends do that have printed a message of their own."""
    frontend.wrap("Exiting")
    with pytest.raises(subprocess.CalledProcessError):
        frontend.build()
    assert frontend.printed.strip() == "no luck"
    assert frontend.left() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such exit status there")
def test_terminated(frontend: Frontend) -> None:
    """The process ends by the signal, and no temporary directory stays."""
    frontend.wrap("Terminated")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        frontend.build()
    assert caught.value.returncode == -signal.SIGTERM
    assert frontend.printed == ""
    assert frontend.left() == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("Mute", "the wrapped backend wrapped_backend:Mute failed in build_wheel: Unprintable"),
        ("guarded", "wrapped_backend:guarded failed in getting its attribute build_wheel: ValueError: no attributes"),
        ("Odd", "the wrapped backend wrapped_backend:Odd failed in build_wheel: ValueError: no luck"),
        ("Without", "tool.detpyc.build-backend is wrapped_backend:Without, which has no build_wheel"),
        ("Same", "wraps detpyc again; name the backend that builds"),
        ("Again", "wraps detpyc again; name the backend that builds"),
        ("Absent", "cannot be imported: AttributeError: "),
    ],
)
def test_bad_backends(name: str, fault: str, frontend: Frontend) -> None:
    frontend.wrap(name)
    assert fault in frontend.fail()
    assert frontend.left() == []


WRONG_NAMES = {
    "Nothing": "returned an object of type NoneType from build_wheel; it must return the file name of the wheel",
    "Object": "returned an object of type Unprintable from build_wheel; it must return the file name of the wheel",
    "Empty": "returned '' from build_wheel, and there is no such file in the directory",
    "Dot": "returned '.' from build_wheel",
    "Null": f"returned '{NAME}\\x00' from build_wheel",
    "Below": f"returned 'below/{NAME}' from build_wheel",
    "Above": f"returned '../../{NAME}' from build_wheel",
    "Surrogate": r"returned '\udc80.whl' from build_wheel",
    "Missing": "returned 'demo-2.0-py3-none-any.whl' from build_wheel",
}


@pytest.mark.parametrize("disabled", ["", "1"])
@pytest.mark.parametrize("name", WRONG_NAMES)
def test_backends_that_return_something_else(name: str, disabled: str, frontend: Frontend) -> None:
    """Also where the wheel is not byte-compiled."""
    frontend.environment = {"DETPYC_DISABLE": disabled}
    frontend.wrap(name)
    message = frontend.fail()
    assert message.startswith(f"the wrapped backend wrapped_backend:{name} {WRONG_NAMES[name]}")
    assert frontend.printed == f"detpyc: {message}\n"
    assert frontend.left() == []


@pytest.mark.parametrize(("name", "fault"), [("guarded", "no attributes"), ("Odd", "'int' object is not callable")])
def test_other_hooks_that_are_bad(name: str, fault: str, frontend: Frontend) -> None:
    frontend.wrap(name)
    assert fault in frontend.fail("build_sdist")


def test_wrapping_again_in_another_hook(frontend: Frontend) -> None:
    frontend.wrap("Again")
    assert "wraps detpyc again" in frontend.fail("build_sdist")


NO_NAME = 'tool.detpyc.build-backend must name the backend to wrap, e.g. "setuptools.build_meta"'
NOT_FOUND = (
    "tool.detpyc.build-backend is {}, which cannot be imported: ModuleNotFoundError: No module named {!r}; add its"
    " distribution to build-system.requires, or its directory to tool.detpyc.backend-path"
)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], NO_NAME),
        (["build-backend = 1"], NO_NAME),
        (['build-backend = "no_such.thing"'], NOT_FOUND.format("no_such.thing", "no_such")),
        (['build-backend = "wrapped_backend:Bare"'], NOT_FOUND.format("wrapped_backend:Bare", "wrapped_backend")),
        (
            ['build-backend = "detpyc.backend"'],
            "tool.detpyc.build-backend is detpyc.backend, which wraps detpyc again; name the backend that builds",
        ),
        (
            ['build-backend = "detpyc:backend"'],
            "tool.detpyc.build-backend is detpyc:backend, which wraps detpyc again; name the backend that builds",
        ),
        (
            ['build-backend = "x"', 'backend-path = "."'],
            "tool.detpyc.backend-path must be a list of strings",
        ),
        (
            ['build-backend = "x"', 'backend-path = [".."]'],
            "tool.detpyc.backend-path has '..', which is outside the source tree",
        ),
        (
            ['build-backend = "x"', 'backend-path = ["none"]'],
            "tool.detpyc.backend-path has 'none', which is not a directory",
        ),
    ],
)
def test_wrong_table(lines: list[str], fault: str, frontend: Frontend) -> None:
    frontend.configure(*lines)
    assert frontend.fail() == fault
    assert frontend.fail("build_sdist") == fault
    assert frontend.left() == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", NO_NAME),
        ("tool = 1\n", "tool.detpyc must be a table"),
        ("[tool]\ndetpyc = 1\n", "tool.detpyc must be a table"),
        ("[tool.detpyc\n", "pyproject.toml: not valid TOML: "),
    ],
)
def test_wrong_pyproject(content: str, fault: str, frontend: Frontend) -> None:
    (frontend.project / "pyproject.toml").write_text(content, encoding="utf-8")
    assert frontend.fail().startswith(fault)


def test_wrong_settings(frontend: Frontend) -> None:
    frontend.wrap("Bare", "optimise = [0]")
    message = frontend.fail(config_settings={"detpyc.layouts": "flat"})
    assert message.splitlines() == [
        "unknown setting detpyc.layouts; did you mean layout?",
        "unknown setting tool.detpyc.optimise; did you mean optimize?",
    ]
    assert frontend.left() == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("optimise = [0]", "unknown setting tool.detpyc.optimise"),
        ('interpreters = ["3.8.99"]', 'no interpreter for "3.8.99"'),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_build(line: str, fault: str, frontend: Frontend) -> None:
    """The wrapped backend may take long."""
    frontend.wrap("Bare", line)
    assert frontend.fail().startswith(fault)
    assert "called: " not in frontend.printed


def test_wheel_is_named_alone(frontend: Frontend) -> None:
    """The directory that it was built in is gone when the message is read."""
    frontend.wrap("Broken")
    assert frontend.fail().startswith(f"{NAME}: ")


def test_backend_that_fails_when_imported(frontend: Frontend) -> None:
    (frontend.project / "backends" / "broken.py").write_text("import no_such_thing\n", encoding="utf-8")
    frontend.configure('build-backend = "broken"', 'backend-path = ["backends"]')
    assert frontend.fail() == (
        "tool.detpyc.build-backend is broken, which cannot be imported: ModuleNotFoundError: No module named"
        " 'no_such_thing'"
    )


@pytest.mark.parametrize("call", [lambda module: module.no_such_hook, lambda module: module.__path__])
def test_other_attributes(call: Callable[[object], object]) -> None:
    with pytest.raises(AttributeError, match="has no attribute"):
        call(backend)
