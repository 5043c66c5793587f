"""A PEP 517 and PEP 660 build backend that wraps any other, and byte-compiles the wheels that it builds.

In ``pyproject.toml``::

    [build-system]
    requires = ["detpyc", "setuptools"]
    build-backend = "detpyc.backend"

    [tool.detpyc]
    build-backend = "setuptools.build_meta"

The other keys of ``[tool.detpyc]`` are the settings; ``backend-path`` is as in ``[build-system]``, for a backend in the
source tree. Every hook but `build_wheel` is the wrapped backend's own. Of the settings that a frontend passes,
``detpyc.KEY=VALUE`` goes before the table and before the environment, and the rest to the wrapped backend.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from detpyc.errors import DetpycError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LOCATION = "tool.detpyc"
_BACKEND, _PATH = "build-backend", "backend-path"
_BACKEND_KEY, _PATH_KEY = f"{LOCATION}.{_BACKEND}", f"{LOCATION}.{_PATH}"
_OWN_PREFIX = "detpyc."

# All hooks of PEP 517 and PEP 660 but build_wheel. A frontend asks which of them a backend has.
_PASSED_THROUGH = frozenset(
    {
        "build_editable",
        "build_sdist",
        "get_requires_for_build_editable",
        "get_requires_for_build_sdist",
        "get_requires_for_build_wheel",
        "prepare_metadata_for_build_editable",
        "prepare_metadata_for_build_wheel",
    }
)
# What a backend may raise from build_sdist (PEP 517); a frontend looks for it as the backend's attribute.
_UNSUPPORTED = "UnsupportedOperation"


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel by the wrapped backend and byte-compile it (PEP 517).

    The wheel is built in a directory of its own, so that none without bytecode is left if something fails.

    Args:
        wheel_directory: where to put the wheel; made if it is not there.
        config_settings: those of the frontend; ``detpyc.KEY`` are ours, and the others are handed on.
        metadata_directory: handed on.

    Returns:
        The wheel's name.

    Raises:
        SystemExit: if it cannot be built or byte-compiled; the message is for the user.

    """
    own, passed = _divide(config_settings)
    hook = getattr(_wrapped(), "build_wheel", None)
    if hook is None:
        _abort(f"{_BACKEND_KEY} is {_name()}, which has no build_wheel, and so is no build backend")
    from detpyc.hooks import byte_compile_artifact, prepare  # noqa: PLC0415 - a frontend imports this for other hooks too

    table, reserved = _table(), {_BACKEND, _PATH}
    try:
        prepare(table, LOCATION, reserved, frontend=own)
    except DetpycError as error:
        _abort(error)
    output = Path(wheel_directory)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".detpyc-", dir=output) as directory:
        built = _call(hook, "build_wheel", directory, passed, metadata_directory)
        if not isinstance(built, str):
            _abort(f"the wrapped backend {_name()} has returned {built!r}, which is no name of a wheel")
        try:
            line, name = byte_compile_artifact(
                Path(directory, built), table, LOCATION, reserved, frontend=own, output_dir=output
            )
        except DetpycError as error:
            _abort(str(error).replace(f"{Path(directory)}{os.sep}", ""))  # which nobody can look into any more
    print(line)  # noqa: T201 - a frontend shows its backend's output
    return name


def __getattr__(name: str) -> Any:  # noqa: ANN401 - hooks of any signature
    """Give the wrapped backend's hook; PEP 517 makes most of them optional, so that it may have none."""
    if name not in _PASSED_THROUGH and name != _UNSUPPORTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(_wrapped(), name)
    if name == _UNSUPPORTED:
        return found

    @functools.wraps(found)
    def pass_through(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        return _call(
            found,
            name,
            *map(_without_own, arguments),
            **{key: _without_own(value) for key, value in named.items()},
        )

    return pass_through


def _call(hook: Any, name: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - likewise
    """Call a hook of the wrapped backend; if it fails, say so after a traceback that is only its own."""
    if name in _running:
        _abort_for_wrapping_itself()
    _running.add(name)
    try:
        return hook(*arguments, **named)
    except Exception as error:
        if isinstance(error, getattr(_wrapped(), _UNSUPPORTED, ())):
            raise
        traceback.print_exception(error.with_traceback(_of_others(error.__traceback__)))
        _abort(f"the wrapped backend {_name()} has failed in {name}: {type(error).__name__}: {error}")
    finally:
        _running.remove(name)


# The names of the hooks that are being called.
_running: set[str] = set()


def _of_others(frames: TracebackType | None) -> TracebackType | None:
    """Leave out our own frames at the beginning of a traceback."""
    while frames is not None and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    return frames


def _divide(config_settings: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Divide a frontend's settings into ours, without their prefix, and the wrapped backend's."""
    if config_settings is None:
        return {}, None
    own = {
        key.removeprefix(_OWN_PREFIX): value for key, value in config_settings.items() if key.startswith(_OWN_PREFIX)
    }
    passed = {key: value for key, value in config_settings.items() if not key.startswith(_OWN_PREFIX)}
    return own, passed


def _without_own(argument: Any) -> Any:  # noqa: ANN401 - any argument of a hook
    """Leave our settings out of a hook's argument; only the frontend's settings are a dictionary."""
    return _divide(argument)[1] if isinstance(argument, dict) else argument


def _table() -> dict[str, Any]:
    """Read the table from the project's ``pyproject.toml``; a frontend calls the hooks in its directory."""
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - only here
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        document = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _abort(f"pyproject.toml cannot be read: {error}")
    tool = document.get("tool", {})
    table = tool.get("detpyc", {}) if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        _abort(f"{LOCATION} must be a table")
    return table


def _name() -> str:
    """Return the name of the wrapped backend, as ``[build-system]`` would have it."""
    name = _table().get(_BACKEND)
    if not isinstance(name, str) or not name:
        _abort(f'{_BACKEND_KEY} must name the backend to wrap, e.g. "setuptools.build_meta"')
    return name


def _wrapped() -> Any:  # noqa: ANN401 - a module or any object, as PEP 517 has it
    """Import the wrapped backend."""
    name = _name()
    module_name, _, attributes = name.partition(":")
    directories = [each for each in _directories() if each not in sys.path]
    sys.path[:0] = directories
    try:
        found: Any = importlib.import_module(module_name)
        for attribute in attributes.split(".") if attributes else ():
            found = getattr(found, attribute)
    except Exception as error:  # noqa: BLE001 - importing runs any code
        missing = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        advice = "; add what provides it to build-system.requires, or name the directory it is in in " + _PATH_KEY
        _abort(
            f"{_BACKEND_KEY} is {name}, which cannot be imported: {type(error).__name__}: {error}"
            f"{advice if missing else ''}"
        )
    if found is sys.modules[__name__] or getattr(found, "build_wheel", None) is build_wheel:
        _abort_for_wrapping_itself()
    return found


def _directories() -> list[str]:
    """Return the directories of the source tree that the wrapped backend is imported from."""
    paths = _table().get(_PATH, [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        _abort(f"{_PATH_KEY} must be a list of strings")
    root = Path.cwd().resolve()
    directories = [(root / path).resolve() for path in paths]
    for path, directory in zip(paths, directories, strict=True):
        if not directory.is_relative_to(root):
            _abort(f"{_PATH_KEY} has {path!r}, which is outside of the source tree")
        if not directory.is_dir():
            _abort(f"{_PATH_KEY} has {path!r}, which is no directory")
    return [os.fspath(directory) for directory in directories]


def _abort_for_wrapping_itself() -> NoReturn:
    _abort(f"{_BACKEND_KEY} is {_name()}, which wraps detpyc again; name the backend that builds")


def _abort(reason: DetpycError | str) -> NoReturn:
    """End the build without a traceback: a frontend shows the message and the exit status."""
    sys.exit(f"detpyc: {reason}")
