"""The build backend that ``[tool.detpyc]`` wraps: find it, import it, call its hooks.

It can be any code: its attributes may be missing, have any type, or raise any exception when they are accessed.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from detpyc.errors import DetpycError, SettingsError
from detpyc.pyproject import PYPROJECT, WRAPPED, read_pyproject

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType

__all__ = ["UNSUPPORTED", "WrappedBackend"]

_BACKEND, _PATH = "build-backend", "backend-path"
_BACKEND_KEY, _PATH_KEY = f"{WRAPPED}.{_BACKEND}", f"{WRAPPED}.{_PATH}"

# What a backend may raise from build_sdist (PEP 517); a frontend looks for it as an attribute of the backend.
UNSUPPORTED = "UnsupportedOperation"

_running: set[str] = set()  # the names of the hooks that are being called


class WrappedBackend(NamedTuple):
    """The backend of a project.

    Attributes:
        name: its name, as ``[build-system]`` would have it, e.g. ``package.module:object``.
        table: the project's ``[tool.detpyc]``.
        backend: a module or any other object.
        document: the project's ``pyproject.toml``.

    """

    name: str
    table: dict[str, Any]
    backend: object
    document: Mapping[str, Any]

    @classmethod
    def load(cls) -> WrappedBackend:
        """Import the backend that the project in the current directory wraps, as frontends call hooks there.

        Raises:
            DetpycError: if the project does not name one, or it cannot be imported.

        """
        document = read_pyproject(Path(PYPROJECT))
        table = _table(document)
        name = table.get(_BACKEND)
        if not isinstance(name, str) or not name:
            raise SettingsError(f'{_BACKEND_KEY} must name the backend to wrap, e.g. "setuptools.build_meta"')
        directories = _directories(table.get(_PATH, []))
        sys.path[:0] = [directory for directory in directories if directory not in sys.path]
        wrapped = cls(name, table, _import(name), document)
        if wrapped.backend is sys.modules.get("detpyc.backend"):
            raise wrapped.wraps_itself()
        return wrapped

    def attribute(self, name: str) -> Any:  # noqa: ANN401 - it has any type
        """Return an attribute of the backend; None if it is missing.

        Raises:
            DetpycError: if the backend raises something else than AttributeError.

        """
        try:
            return getattr(self.backend, name, None)
        except Exception as error:
            raise self._failed(f"getting its attribute {name}", error) from error

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - hooks of any signature
        """Call a hook.

        Raises:
            DetpycError: if the hook is missing, or if it fails, after the traceback without our own frames is printed.
            Exception: the backend's UnsupportedOperation.

        """
        hook = self.attribute(name)
        if hook is None:
            raise DetpycError(f"{_BACKEND_KEY} is {self.name}, which has no {name}")
        unsupported = self.unsupported_operation()
        if name in _running:
            raise self.wraps_itself()
        _running.add(name)
        try:
            return hook(*arguments, **named)
        except Exception as error:
            if unsupported is not None and isinstance(error, unsupported):
                raise
            traceback.print_exception(error.with_traceback(_without_own_frames(error.__traceback__)))
            raise self._failed(name, error) from error
        finally:
            _running.remove(name)

    def unsupported_operation(self) -> type[Exception] | None:
        """Return the exception that the backend raises where it cannot build an sdist; None if it has none."""
        found = self.attribute(UNSUPPORTED)
        return found if isinstance(found, type) and issubclass(found, Exception) else None

    def wraps_itself(self) -> DetpycError:
        """Return the error for a backend that calls this one."""
        return DetpycError(f"{_BACKEND_KEY} is {self.name}, which wraps detpyc again; name the backend that builds")

    def _failed(self, where: str, error: Exception) -> DetpycError:
        return DetpycError(f"the wrapped backend {self.name} failed in {where}: {_described(error)}")


def _table(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``[tool.detpyc]``, empty if there is none."""
    tool = document.get("tool", {})
    table = tool.get("detpyc", {}) if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        raise SettingsError(f"{WRAPPED} must be a table")
    return table


def _import(name: str) -> object:
    """Import a module, or an object in it."""
    module_name, _, attributes = name.partition(":")
    try:
        found: object = importlib.import_module(module_name)
        for attribute in attributes.split(".") if attributes else ():
            found = getattr(found, attribute)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        advice = f"; add its distribution to build-system.requires, or its directory to {_PATH_KEY}" if missing else ""
        raise DetpycError(f"{_BACKEND_KEY} is {name}, which cannot be imported: {_described(error)}{advice}") from error
    return found


def _directories(paths: object) -> Collection[str]:
    """Return the directories of the source tree to import the backend from."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise SettingsError(f"{_PATH_KEY} must be a list of strings")
    root = Path.cwd().resolve()
    found = []
    for path in paths:
        try:
            directory = (root / path).resolve()
        except ValueError:  # a null character
            directory = root.parent
        if not directory.is_relative_to(root):
            raise SettingsError(f"{_PATH_KEY} has {path!r}, which is outside the source tree")
        if not directory.is_dir():
            raise SettingsError(f"{_PATH_KEY} has {path!r}, which is not a directory")
        found.append(os.fspath(directory))
    return found


def _described(error: Exception) -> str:
    """Return the type and the message of an exception, whose own ``__str__`` may fail."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - any code may run
        return type(error).__name__


def _without_own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of this module at its start."""
    while frames is not None and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    return frames
