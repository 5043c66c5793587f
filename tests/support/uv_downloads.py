"""What uv downloads, made here: an archive of an interpreter that is installed, and the list that names it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

# Of the standard library, what neither uv's questions nor a worker need.
LEFT_OUT = frozenset(
    {"__pycache__", "dist-packages", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tests", "tkinter"}
)
WHERE = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('stdlib'), sep='\\n')"


def archive(interpreter: Interpreter, directory: Path) -> Path:
    """Write the archive that uv unpacks: a small copy of an interpreter, below ``python/``."""
    command = [interpreter.path, "-I", "-S", "-c", WHERE]
    base, library = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    name = "python{}.{}".format(*interpreter.version)
    path = directory / f"{interpreter.release}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as stream:
        stream.add(Path(base, "bin", name), f"python/bin/{name}")
        stream.add(library, f"python/lib/{name}", filter=needed)
    return path


def needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = member.name.rpartition("/")[2]
    elsewhere = member.issym() and member.linkname.startswith("/")  # as Debian's sitecustomize.py, and uv refuses it
    return None if name in LEFT_OUT or name.startswith("config-") or elsewhere else member


def listing(directory: Path, release: str, url: str, sha256: str | None = None) -> Path:
    """Write the list of what uv can download, of one release: ``UV_PYTHON_DOWNLOADS_JSON_URL``."""
    major, minor, patch = map(int, release.split("."))
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    system, libc = ("macos", "none") if sys.platform == "darwin" else ("linux", "gnu")
    entry = {
        "name": "cpython",
        "arch": {"family": machine, "variant": None},
        "os": {"macos": "darwin"}.get(system, system),
        "libc": libc,
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "url": url,
        "sha256": sha256,
        "variant": None,
        "build": "20240107",
    }
    path = directory / "downloads.json"
    path.write_text(json.dumps({f"cpython-{release}-{system}-{machine}-{libc}": entry}))
    return path
