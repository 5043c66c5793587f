"""Deterministic, canonical bytecode for wheels and directory trees.

The names in ``__all__`` are the public API, which docs/api.md describes; everything else may change. Each name is
imported when it is first used (PEP 562), so that importing the package, or a build hook, costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the typing module would slow every start
if TYPE_CHECKING:
    from detpyc.byte_compile.tree import TreeOptions, TreeReport, byte_compile_tree
    from detpyc.byte_compile.wheel import WheelOptions, WheelReport, byte_compile_wheel
    from detpyc.bytecode.canonical import canonicalize, canonicalize_pyc
    from detpyc.compare import Comparison, compare_artifacts
    from detpyc.compilation.interpreters import Interpreter, find_interpreter, find_interpreters
    from detpyc.errors import (
        BytecodeError,
        CompilationError,
        DetpycError,
        InterpreterError,
        MissingInterpreterError,
        SettingsError,
        TooLargeError,
        UnsupportedBytecodeError,
        WheelError,
    )
    from detpyc.explain.difference import Difference
    from detpyc.inspect import Inspection, inspect_pyc
    from detpyc.normalize import NormalizationReport, normalize_artifact
    from detpyc.reproduce import Reproduction, reproduce_wheel
    from detpyc.settings import Settings
    from detpyc.strip import StripReport, strip_artifact
    from detpyc.verify.artifacts import verify_artifact
    from detpyc.verify.reports import Finding, Status, VerificationReport
    from detpyc.wheel.problems import Problem, Rule

__all__ = [
    "BytecodeError",
    "Comparison",
    "CompilationError",
    "DetpycError",
    "Difference",
    "Finding",
    "Inspection",
    "Interpreter",
    "InterpreterError",
    "MissingInterpreterError",
    "NormalizationReport",
    "Problem",
    "Reproduction",
    "Rule",
    "Settings",
    "SettingsError",
    "Status",
    "StripReport",
    "TooLargeError",
    "TreeOptions",
    "TreeReport",
    "UnsupportedBytecodeError",
    "VerificationReport",
    "WheelError",
    "WheelOptions",
    "WheelReport",
    "byte_compile_tree",
    "byte_compile_wheel",
    "canonicalize",
    "canonicalize_pyc",
    "compare_artifacts",
    "find_interpreter",
    "find_interpreters",
    "inspect_pyc",
    "normalize_artifact",
    "reproduce_wheel",
    "strip_artifact",
    "verify_artifact",
]

__version__ = "0.1.0"

# The public names by the module that defines them.
_EXPORTS = {
    "bytecode.canonical": ("canonicalize", "canonicalize_pyc"),
    "byte_compile.tree": ("TreeOptions", "TreeReport", "byte_compile_tree"),
    "byte_compile.wheel": ("WheelOptions", "WheelReport", "byte_compile_wheel"),
    "compare": ("Comparison", "compare_artifacts"),
    "compilation.interpreters": ("Interpreter", "find_interpreter", "find_interpreters"),
    "errors": (
        "BytecodeError",
        "CompilationError",
        "DetpycError",
        "InterpreterError",
        "MissingInterpreterError",
        "SettingsError",
        "TooLargeError",
        "UnsupportedBytecodeError",
        "WheelError",
    ),
    "explain.difference": ("Difference",),
    "inspect": ("Inspection", "inspect_pyc"),
    "normalize": ("NormalizationReport", "normalize_artifact"),
    "reproduce": ("Reproduction", "reproduce_wheel"),
    "settings": ("Settings",),
    "strip": ("StripReport", "strip_artifact"),
    "verify.artifacts": ("verify_artifact",),
    "verify.reports": ("Finding", "Status", "VerificationReport"),
    "wheel.problems": ("Problem", "Rule"),
}
_MODULES = {name: module for module, names in _EXPORTS.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - it takes longer than the rest of this module

    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names as well, whether they have been used or not."""
    return sorted({*globals(), *__all__})
