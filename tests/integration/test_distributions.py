"""Packages of real wheels, built by the programs of the distributions; the nox session ``rpmbuild`` runs these."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pages import blocks_for
from projects import CHECKOUT, pyc_of, run

PACKAGES = os.environ.get("DETPYC_TEST_PACKAGES")
pytestmark = pytest.mark.skipif(
    not PACKAGES, reason="needs rpmbuild and wheels of an index: run the nox session rpmbuild"
)
WHEELS = sorted(Path(PACKAGES).glob("*.whl")) if PACKAGES else []
DETPYC = Path(sys.executable).with_name("detpyc")
EPOCH = "1767225600"
BYTECOMPILE = Path("/usr/lib/rpm/brp-python-bytecompile")
VERSION = "{}.{}".format(*sys.version_info)


def require(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing")


def build_rpm(top: Path, wheel: Path, *lines: str, prefix: str = "/usr") -> Path:
    """Build the package of the page for a wheel, with other definitions in the spec."""
    (block,) = blocks_for("test_rpmbuild")
    spec = block.content.replace("demo-1.0-py3-none-any.whl", wheel.name)
    if lines:
        spec = spec.replace("%global __brp_detpyc_options --compile", "\n".join(lines))
    (top / "SOURCES").mkdir(parents=True)
    shutil.copy(wheel, top / "SOURCES")
    (top / "demo.spec").write_text(spec)
    definitions = {"_topdir": top, "__detpyc": DETPYC, "python3": sys.executable, "_prefix": prefix}
    command = ["rpmbuild", "-bb", f"--load={CHECKOUT / 'rpm' / 'macros.detpyc'}", "--nodeps"]
    command += [f"--define={name} {value}" for name, value in definitions.items()]
    done = run([*command, "demo.spec"], cwd=top, variables={"SOURCE_DATE_EPOCH": EPOCH})
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = top.rglob("*.rpm")
    return package


def digest(package: Path) -> str:
    command = ["rpm", "-qp", "--nosignature", "--qf", "%{PAYLOADDIGESTALT}", str(package)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert re.fullmatch("[0-9a-f]{64}", found)
    return found


def files(package: Path) -> list[str]:
    command = ["rpm", "-qpl", "--nosignature", str(package)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def unpacked(package: Path, directory: Path) -> Path:
    directory.mkdir()
    command = f"rpm2cpio {shlex.quote(str(package))} | cpio --quiet -idm"
    subprocess.run(["sh", "-euc", command], check=True, cwd=directory)
    return directory


@pytest.mark.parametrize("wheel", WHEELS, ids=lambda wheel: wheel.name.partition("-")[0])
@pytest.mark.parametrize("mode", ["checked-hash", "timestamp"])
def test_rpmbuild(tmp_path: Path, wheel: Path, mode: str) -> None:
    require("rpmbuild")
    option = f"%global __brp_detpyc_options --compile --invalidation-mode {mode}"
    tops = (tmp_path / "first", tmp_path / "second" / "and" / "deeper")
    packages = [build_rpm(top, wheel, option) for top in tops]
    digests = {digest(package) for package in packages}
    print(wheel.name, mode, *digests)  # noqa: T201 - the nox session shows it
    assert len(digests) == 1
    names = files(packages[0])
    sources = [name for name in names if name.endswith(".py") and "/lib/python" in name]
    assert sources
    assert {pyc_of(name, level) for name in sources for level in (0, 1)} == {n for n in names if n.endswith(".pyc")}

    root = unpacked(packages[0], tmp_path / "root")
    assert [path for path in root.rglob("*.pyc") if os.fsencode(tmp_path) in path.read_bytes()] == []
    verified = run([str(DETPYC), "verify", str(root)])
    assert verified.returncode == 0, verified.stdout


@pytest.mark.parametrize("wheel", WHEELS, ids=lambda wheel: wheel.name.partition("-")[0])
def test_pycs_of_the_own_policy_of_rpm_are_normalized(tmp_path: Path, wheel: Path) -> None:
    """Debian's one looks for versions of one digit, so it compiles only what is elsewhere, with the default Python."""
    require("rpmbuild")
    if not BYTECOMPILE.exists():
        pytest.skip(f"{BYTECOMPILE} is missing")
    # With SOURCE_DATE_EPOCH, it would write hash-based pycs; Fedora's writes timestamp pycs anyway.
    policy = f"%global __os_install_post env -u SOURCE_DATE_EPOCH {BYTECOMPILE} {sys.executable} 1 1"
    digests: dict[str, set[str]] = {}
    for kind, lines in {"stock": [policy, "%global __brp_detpyc %{nil}"], "normalized": [policy]}.items():
        packages = [build_rpm(tmp_path / kind / name, wheel, *lines, prefix="/opt/demo") for name in ("a", "b/c")]
        assert [name for name in files(packages[0]) if name.endswith(".opt-1.pyc")]
        digests[kind] = {digest(package) for package in packages}
    print(wheel.name, digests)  # noqa: T201
    assert (len(digests["stock"]), len(digests["normalized"])) == (2, 1)


CONTROL = """\
Source: python3-demo
Maintainer: Demo <demo@example.org>
Build-Depends: debhelper-compat (= 13)

Package: python3-demo
Architecture: all
Description: Demo
 Demo.
"""
CHANGELOG = """\
python3-demo (1.0) unstable; urgency=medium

  * Demo.

 -- Demo <demo@example.org>  Thu, 01 Jan 2026 00:00:00 +0000
"""
RULES = """\
#!/usr/bin/make -f
%:
	dh $@ --with python3 --buildsystem=none

override_dh_auto_install:
	{} -m installer --no-compile-bytecode --destdir debian/python3-demo --prefix /usr {}

"""


@pytest.mark.parametrize("wheel", WHEELS, ids=lambda wheel: wheel.name.partition("-")[0])
def test_debhelper(tmp_path: Path, wheel: Path) -> None:
    require("dh_python3")
    (block,) = blocks_for("test_debhelper")
    packages = []
    for name in ("first", "second/and/deeper"):
        debian = tmp_path / name / "debian"
        debian.mkdir(parents=True)
        (debian / "control").write_text(CONTROL)
        (debian / "changelog").write_text(CHANGELOG)
        rules = RULES.format(sys.executable, wheel) + block.content.replace("/usr/bin/python3", sys.executable)
        (debian / "rules").write_text(rules)
        (debian / "rules").chmod(0o755)
        path = os.pathsep.join([str(DETPYC.parent), os.environ["PATH"]])
        done = run(["debian/rules", "binary"], cwd=debian.parent, variables={"PATH": path})
        assert done.returncode == 0, done.stdout + done.stderr
        (package,) = debian.parent.parent.glob("*.deb")
        packages.append(package.read_bytes())
    assert packages[0] == packages[1]
    listing = subprocess.run(["dpkg-deb", "-c", package], check=True, capture_output=True, text=True).stdout
    assert listing.count(".pyc\n") == listing.count(".py\n") > 10
