"""A PEP 517 and PEP 660 build backend that wraps any other, and byte-compiles the wheels that it builds.

In ``pyproject.toml``::

    [build-system]
    requires = ["detpyc", "setuptools"]
    build-backend = "detpyc.backend"

    [tool.detpyc]
    build-backend = "setuptools.build_meta"

The other keys of ``[tool.detpyc]`` are the settings; ``backend-path`` is as in ``[build-system]``, for a backend in the
source tree. Every hook but `build_wheel` is the wrapped backend's own. Of the settings that a user passes to the
frontend, ``detpyc.KEY=VALUE`` takes precedence over the table and the environment; the others are passed to the wrapped
backend.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detpyc.errors import DetpycError
from detpyc.hooks.wrapped import UNSUPPORTED, WrappedBackend
from detpyc.pyproject import RESERVED, WRAPPED
from detpyc.settings import FRONTEND
from detpyc.temporaries import working_directory
from detpyc.termination import terminable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detpyc.hooks.request import BuildRequest, BuildResult

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


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel with the wrapped backend and byte-compile it (PEP 517).

    The wheel is built in a temporary directory, so that a failure leaves no wheel without bytecode.

    Args:
        wheel_directory: where to put the wheel; created if missing.
        config_settings: the frontend's settings; ``detpyc.KEY`` are ours, the others are passed on.
        metadata_directory: passed on.

    Returns:
        The file name of the wheel.

    Raises:
        SystemExit: if the wheel cannot be built or byte-compiled; the message is for the user.

    """
    from detpyc.hooks.request import BuildRequest, unread  # noqa: PLC0415 - a frontend imports this for other hooks too

    settings = (config_settings or {}).items()
    own = {key.removeprefix(FRONTEND): value for key, value in settings if key.startswith(FRONTEND)}
    with _exiting_on_errors():
        wrapped = WrappedBackend.load()
        request = BuildRequest.read(wrapped.table, WRAPPED, RESERVED[WRAPPED], frontend=own)
        request.prepare()
        output = Path(wheel_directory)
        with terminable(resend=True), working_directory(output) as directory:
            built = wrapped.call("build_wheel", directory, _without_own(config_settings), metadata_directory)
            result = _byte_compile(request, _artifact(wrapped, directory, built), output)
    print(result.summary)  # noqa: T201 - a frontend shows its backend's output
    for warning in (*unread(wrapped.document, WRAPPED), *result.warnings):
        print(warning, file=sys.stderr)  # noqa: T201
    return result.name


def __getattr__(name: str) -> Any:  # noqa: ANN401 - hooks of any signature
    """Return the wrapped backend's hook; PEP 517 makes most of them optional, so it may be missing."""
    found = None
    if name in _PASSED_THROUGH or name == UNSUPPORTED:
        with _exiting_on_errors():
            wrapped = WrappedBackend.load()
            found = wrapped.unsupported_operation() if name == UNSUPPORTED else wrapped.attribute(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == UNSUPPORTED:
        return found

    def pass_through(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        with _exiting_on_errors():
            return WrappedBackend.load().call(
                name,
                *map(_without_own, arguments),
                **{key: _without_own(value) for key, value in named.items()},
            )

    return pass_through


@contextmanager
def _exiting_on_errors() -> Iterator[None]:
    """End the build without a traceback: a frontend shows the message and the exit status."""
    try:
        yield
    except DetpycError as error:
        sys.exit(f"detpyc: {error}")


def _artifact(wrapped: WrappedBackend, directory: str, built: object) -> Path:
    """Return the wheel that a backend built.

    Args:
        wrapped: the backend.
        directory: the directory that it was to build in.
        built: what its hook returned.

    Raises:
        DetpycError: if that is not the name of a file in the directory.

    """
    if not isinstance(built, str):
        raise DetpycError(
            f"the wrapped backend {wrapped.name} returned an object of type {type(built).__name__} from build_wheel;"
            " it must return the file name of the wheel"
        )
    artifact = Path(directory, built)
    if artifact.parent != Path(directory) or artifact.name != built or not artifact.is_file():
        raise DetpycError(
            f"the wrapped backend {wrapped.name} returned {built!r} from build_wheel, and there is no such file in the"
            " directory that it was to build in"
        )
    return artifact


def _byte_compile(request: BuildRequest, artifact: Path, output: Path) -> BuildResult:
    """Byte-compile a wheel; an error names it without the temporary directory, which is gone when it is read."""
    try:
        return request.byte_compile(artifact, output)
    except DetpycError as error:
        if error.path == str(artifact):
            error.path = artifact.name
        raise


def _without_own(argument: Any) -> Any:  # noqa: ANN401 - any argument of a hook
    """Return an argument of a hook without our settings; only the frontend's settings are a dictionary."""
    if not isinstance(argument, dict):
        return argument
    return {key: value for key, value in argument.items() if not key.startswith(FRONTEND)}
