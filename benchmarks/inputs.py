"""The inputs of the benchmark: wheels of an index, generated wheels, and what is made of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from detpyc.wheel.record import RecordEntry, serialize
from measuring import Command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REQUIREMENTS = ("Django==5.1.4", "sympy==1.14.0", "mpmath==1.3.0", "rich==15.0.0")
DETPYC = [sys.executable, "-m", "detpyc"]


class Inputs:
    """The inputs, in a working directory.

    Attributes:
        directory: where all of them are.
        wheels: by the names of their projects.

    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory)]
        subprocess.run([*command, *REQUIREMENTS], check=True)
        self.wheels = {wheel.name.partition("-")[0].lower(): wheel for wheel in directory.glob("*.whl")}

    def tree(self, name: str, *projects: str) -> Path:
        """Unpack wheels into one directory."""
        tree = self.directory / name
        for project in projects:
            with zipfile.ZipFile(self.wheels[project]) as archive:
                archive.extractall(tree)
        return tree

    def byte_compile(self, wheel: Path, *options: str, environment: Mapping[str, str] | None = None) -> Command:
        """Return the command that byte-compiles a fresh copy of a wheel."""
        copy = self.directory / "work" / wheel.name

        def prepare() -> None:
            shutil.rmtree(copy.parent, ignore_errors=True)
            copy.parent.mkdir()
            shutil.copy(wheel, copy)

        return Command([*DETPYC, "wheel", "--quiet", "--jobs", "2", *options, str(copy)], prepare, environment)

    def make_wheel(self, modules: int) -> Path:
        """Write a wheel of many modules, all of the same size."""
        name = f"made{modules}"
        path = self.directory / f"{name}-1-py3-none-any.whl"
        body = "".join(
            f"def function_{i}(a, b=({i}, 'text {i}')):\n    return [a, b, {{'key': a}}]\n\n" for i in range(12)
        )
        files = {f"{name}/module_{number:05}.py": f"NUMBER = {number}\n\n{body}" for number in range(modules)}
        info = f"{name}-1.dist-info"
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        rows = []
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, text in files.items():
                archive.writestr(member, text)
                rows.append(RecordEntry.of(member, hashlib.sha256(text.encode()).digest(), len(text.encode())))
            archive.writestr(f"{info}/RECORD", serialize([*rows, RecordEntry(f"{info}/RECORD")]))
        return path


def fresh(tree: Path, copy: Path) -> None:
    """Make a copy of a tree anew. Its files are links, as making thousands of them takes long."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(tree, copy, copy_function=os.link)
