"""Adapters to build systems and execution engines, which bring the machines: Bazel, and any executor."""

from __future__ import annotations

TYPE_CHECKING = False  # as in the package above
if TYPE_CHECKING:
    from detpyc.engines.batch import verify_many

__all__ = ["verify_many"]


def __getattr__(name: str) -> object:
    """Import the public name when it is used: Bazel's worker needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from detpyc.engines import batch  # noqa: PLC0415

    return getattr(batch, name)
