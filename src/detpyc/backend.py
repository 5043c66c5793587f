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
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from detpyc.errors import DetpycError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCATION = "tool.detpyc"
_BACKEND, _PATH = "build-backend", "backend-path"
_OWN_PREFIX = "detpyc."
_OWN_NAME = "detpyc.backend"

# All that PEP 517 and PEP 660 define but build_wheel. A frontend asks which of them a backend has.
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


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel by the wrapped backend and byte-compile it (PEP 517)."""
    own, passed = _divide(config_settings)
    name: str = _hook("build_wheel")(wheel_directory, passed, metadata_directory)
    from detpyc.hooks import byte_compile_artifact  # noqa: PLC0415 - a frontend imports this for other hooks as well

    try:
        report, path = byte_compile_artifact(
            Path(wheel_directory, name), _table(), LOCATION, {_BACKEND, _PATH}, frontend=own, rename=True
        )
    except DetpycError as error:
        _abort(error)
    print(report)  # noqa: T201 - a frontend shows its backend's output
    return path.name


def __getattr__(name: str) -> Any:  # noqa: ANN401 - hooks of any signature
    """Give the wrapped backend's hook; PEP 517 makes most of them optional, so that it may have none."""
    if name not in _PASSED_THROUGH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    hook = getattr(_wrapped(), name, None)
    if hook is None:
        raise AttributeError(f"the wrapped backend has no {name}")

    @functools.wraps(hook)
    def pass_through(*arguments: Any, config_settings: dict[str, Any] | None = None, **others: Any) -> Any:  # noqa: ANN401
        if config_settings is not None:
            others["config_settings"] = _divide(config_settings)[1]
        return hook(*(_divide(each)[1] if isinstance(each, dict) else each for each in arguments), **others)

    return pass_through


def _hook(name: str) -> Any:  # noqa: ANN401 - likewise
    hook = getattr(_wrapped(), name, None)
    if hook is None:
        _abort(SettingsError(f"{LOCATION}.{_BACKEND} names a module that has no {name}, and so is no build backend"))
    return hook


def _divide(config_settings: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Divide a frontend's settings into ours, without their prefix, and the wrapped backend's."""
    if config_settings is None:
        return {}, None
    own = {
        key.removeprefix(_OWN_PREFIX): value for key, value in config_settings.items() if key.startswith(_OWN_PREFIX)
    }
    passed = {key: value for key, value in config_settings.items() if not key.startswith(_OWN_PREFIX)}
    return own, passed


@functools.lru_cache(maxsize=1)
def _document() -> dict[str, Any]:
    """Read the project's ``pyproject.toml``; a frontend calls the hooks in its directory."""
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - only here
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        return tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _abort(SettingsError(f"pyproject.toml cannot be read: {error}"))


def _table() -> dict[str, Any]:
    table = _document().get("tool", {}).get("detpyc", {})
    if not isinstance(table, dict):
        _abort(SettingsError(f"{LOCATION} must be a table"))
    return table


@functools.lru_cache(maxsize=1)
def _wrapped() -> Any:  # noqa: ANN401 - a module or any object, as PEP 517 has it
    """Import the wrapped backend."""
    table = _table()
    name, paths = table.get(_BACKEND), table.get(_PATH, [])
    if not isinstance(name, str) or not name:
        _abort(SettingsError(f'{LOCATION}.{_BACKEND} must name the backend to wrap, e.g. "setuptools.build_meta"'))
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        _abort(SettingsError(f"{LOCATION}.{_PATH} must be a list of strings"))
    module_name, _, attributes = name.partition(":")
    if module_name == _OWN_NAME:
        _abort(SettingsError(f"{LOCATION}.{_BACKEND} is {name}, which wraps itself; name the backend that builds"))
    root = Path.cwd()
    directories = [(root / path).resolve() for path in paths]
    for path, directory in zip(paths, directories, strict=True):
        if not directory.is_relative_to(root.resolve()):
            _abort(SettingsError(f"{LOCATION}.{_PATH} has {path!r}, which is outside of the source tree"))
    sys.path[:0] = map(os.fspath, directories)
    try:
        found: Any = importlib.import_module(module_name)
        for attribute in attributes.split(".") if attributes else ():
            found = getattr(found, attribute)
    except ImportError as error:
        _abort(
            SettingsError(
                f"{LOCATION}.{_BACKEND} is {name}, which cannot be imported: {error}; is it in build-system.requires?"
            )
        )
    except AttributeError as error:
        _abort(SettingsError(f"{LOCATION}.{_BACKEND} is {name}: {error}"))
    return found


def _abort(error: DetpycError) -> NoReturn:
    """End the build without a traceback: a frontend shows the message and the exit status."""
    sys.exit(f"detpyc: {error}")
