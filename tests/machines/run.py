"""Compare what workers on other machines write with what they write on this one.

Run by ``nox -s machines``, with ``spec`` in PYTHONPATH. It needs Debian or a derivative with apt-get and dpkg-deb, an
x86-64 machine, and the network. Nothing is installed: packages of Debian's Pythons for each architecture are unpacked
below the cache directory, and so is ``qemu-user``. The packages come from the mirror that the system's own
``debian.sources`` names.

On each machine, the same release of CPython compiles the same modules of its standard library in the worker, and
``detpyc.bytecode`` converts every test vector.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from detpyc.compilation import interpreters
from detpyc.compilation.pool import Compiled, Source, byte_compile

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SYSTEM_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
NATIVE = "amd64"
QEMU = {"arm64": "aarch64", "s390x": "s390x", "riscv64": "riscv64", "i386": "i386", "armhf": "arm"}
LIBRARIES = ("libc6", "libgcc-s1", "zlib1g", "libexpat1", "libssl3t64", "libffi8", "libbz2-1.0", "liblzma5")
TIME_LIMIT = 600.0  # seconds for a module
# What the specification says depends on the machine: it may differ.
FOLDED = {
    "NaN": b"x = 1e400 - 1e400\n",
    "power": b"x = 2.5 ** 0.3, 1.1 ** 1.7, 0.1 ** 3.3, (1 + 2j) ** 2.5, 7.7 ** 0.7, (0.3 + 0.7j) ** 1.9\n",
    "huge product": b"x = () * (1 << 40)\n",
}


class Apt:
    """apt-get for one suite and one architecture, with lists and a cache of its own."""

    def __init__(self, suite: str, architecture: str, directory: Path) -> None:
        self.directory = directory
        lists, cache, sources = (directory / name for name in ("lists", "cache", "sources.list"))
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        (cache / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        described = SYSTEM_SOURCES.read_text("utf-8")
        (mirror, *_), (key, *_) = (
            re.findall(rf"^{field}: *(\S+)", described, re.MULTILINE) for field in ("URIs", "Signed-By")
        )
        sources.write_text(f"deb [arch={architecture} signed-by={key}] {mirror} {suite} main\n")
        options = {
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
            "Dir::Etc::sourcelist": str(sources),
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": str(lists),
            "Dir::State::status": "/dev/null",
            "Dir::Cache": str(cache),
        }
        self.command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]

    def unpack(self, packages: list[str], target: Path) -> None:
        """Download packages and unpack them."""
        debs = self.directory / "debs"
        debs.mkdir(exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run([*self.command, "update"], check=True)
        subprocess.run([*self.command, "download", *packages], cwd=debs, check=True)
        for deb in sorted(debs.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(deb), str(target)], check=True)


def emulator(architecture: str, suite: str, directory: Path) -> list[str]:
    """Return the command that runs programs of an architecture; unpack it if necessary."""
    if architecture == NATIVE:
        return []
    target = directory / "qemu"
    name = f"qemu-{QEMU[architecture]}"
    if not target.exists():
        Apt(suite, NATIVE, directory / "qemu-packages").unpack(["qemu-user"], target)
    return [str(target / "usr" / "bin" / name)]


def python(architecture: str, suite: str, version: str, directory: Path) -> Interpreter:
    """Return an interpreter of an architecture; unpack it if necessary."""
    root = directory / suite / architecture
    wrapper = root / "usr" / "bin" / f"python{version}"
    executable = wrapper.with_suffix(wrapper.suffix + ".executable")
    if not executable.exists():
        minimal = [f"python{version}-minimal", f"libpython{version}-minimal", f"libpython{version}-stdlib"]
        Apt(suite, architecture, directory / f"{suite}-{architecture}").unpack([*LIBRARIES, *minimal], root)
        (root / "lib").symlink_to("usr/lib")  # which another package makes
        wrapper.rename(executable)
        # Started under the wrapper's name, the interpreter finds its library beside it, and itself.
        command: list[object] = [*emulator(architecture, suite, directory)]
        if command:
            command += ["-L", root, "-0", wrapper, executable]
        else:
            libraries = root / "lib" / "x86_64-linux-gnu"
            loader = libraries / "ld-linux-x86-64.so.2"
            command += [loader, "--library-path", libraries, "--argv0", wrapper, executable]
        started = shlex.join(map(str, command))
        wrapper.write_text(f'#!/bin/sh\nexec {started} "$@"\n')
        wrapper.chmod(0o755)
    return interpreters.describe(wrapper)


def modules(architecture: str, suite: str, version: str, directory: Path) -> dict[str, bytes]:
    """Return the modules of a standard library by path."""
    library = directory / suite / architecture / "usr" / "lib" / f"python{version}"
    paths = sorted(path for path in library.rglob("*.py") if path.is_file())
    return {path.relative_to(library).as_posix(): path.read_bytes() for path in paths}


def compiled(interpreter: Interpreter, sources: dict[str, bytes]) -> dict[str, object]:
    """Return what the worker makes of each module: its payload, or the reason why there is none."""
    outcomes = byte_compile(
        interpreter,
        [Source(name, content) for name, content in sources.items()],
        [0],
        lambda _, outcome: outcome.payloads[0] if isinstance(outcome, Compiled) else str(outcome),
        time_limit=TIME_LIMIT,
    )
    return dict(zip(sources, outcomes, strict=True))


def main() -> int:
    """Compare, print a line for each architecture, and return 1 if any differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suite", default="trixie", help="of Debian (default: %(default)s)")
    parser.add_argument("--python", default="3.13", help="the version in that suite (default: %(default)s)")
    parser.add_argument("--directory", type=Path, default=Path(".nox/machines"), help="where packages are unpacked")
    parser.add_argument("--step", type=int, default=1, help="compile one module in so many (default: all)")
    parser.add_argument("architectures", nargs="*", metavar="ARCHITECTURE", help=f"default: {', '.join(QEMU)}")
    options = parser.parse_args()
    where = (options.suite, options.python, options.directory.resolve())
    native = python(NATIVE, *where)
    sources = dict(list(modules(NATIVE, *where).items())[:: options.step])
    expected = compiled(native, sources | FOLDED)
    status = 0
    for architecture in options.architectures or QEMU:
        start = time.monotonic()
        found = compiled(interpreter := python(architecture, *where), sources | FOLDED)
        different = [name for name in sources if found[name] != expected[name]]
        checked = subprocess.run(
            [interpreter.path, "-I", "-S", "-B", str(HERE / "vectors.py"), str(ROOT)],
            capture_output=True,
            text=True,
            check=False,
        )
        print(
            f"{architecture}, CPython {interpreter.release}: {len(sources) - len(different)} of {len(sources)} modules"
            f" are the same; vectors: {checked.stdout.strip() or checked.stderr.strip()[-300:]};"
            f" {time.monotonic() - start:.0f} s",
            flush=True,
        )
        for name in different:
            print(f"    {name}", flush=True)
        folded = [name for name in FOLDED if found[name] != expected[name]]
        print(f"    what depends on the machine: {', '.join(folded) or 'nothing'} of {len(FOLDED)}", flush=True)
        status |= bool(different or checked.returncode)
    return status


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
