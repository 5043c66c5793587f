"""An interpreter that uv installs: by a real uv, from archives that are made here, without a network."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uv

from detpyc.compilation import installation
from detpyc.compilation.installation import install_interpreter, installable_releases
from detpyc.errors import InterpreterError

if sys.platform == "win32":
    pytest.skip("the archives are for POSIX, and so are the scripts called uv", allow_module_level=True)

from uv_downloads import archive, listing

if TYPE_CHECKING:
    from detpyc.compilation.interpreters import Interpreter


@pytest.fixture(scope="session")
def downloadable(pythons: dict[str, Interpreter], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A release, and its archive."""
    interpreter = next(iter(pythons.values()))
    return interpreter.release, archive(interpreter, tmp_path_factory.mktemp("archive"))


@pytest.fixture(autouse=True)
def managed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uv puts its interpreters, and a home of its own for everything else."""
    directory = tmp_path / "managed"
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(directory))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return directory


def offer(monkeypatch: pytest.MonkeyPatch, directory: Path, release: str, url: str, sha256: str | None = None) -> None:
    """Let uv know of one release."""
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(listing(directory, release, url, sha256)))


def put_on_path(directory: Path, script: str) -> Path:
    """Make an executable that is called uv."""
    path = directory / "bin" / "uv"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("named", ["release", "minor"])
def test_release_that_uv_has(
    named: str,
    downloadable: tuple[str, Path],
    managed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, download = downloadable
    request = release if named == "release" else release.rpartition(".")[0]
    offer(monkeypatch, tmp_path, release, download.as_uri())
    # A project that asks for another one, and a virtual environment, change nothing.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.99"\n')
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)

    interpreter = install_interpreter(request)

    assert interpreter.release == release
    assert Path(interpreter.path).is_relative_to(managed)
    assert not (tmp_path / "home" / ".local" / "bin").exists()
    download.rename(tmp_path / "gone")
    try:
        assert install_interpreter(request) == interpreter  # it is there already
    finally:
        (tmp_path / "gone").rename(download)


def test_uv_on_path_goes_first(tmp_path: Path) -> None:
    path = put_on_path(tmp_path, "exit 1")
    assert installation._find_uv("3.12.1") == str(path)  # noqa: SLF001 - the search alone
    path.unlink()
    assert installation._find_uv("3.12.1") == uv.find_uv_bin()  # noqa: SLF001


def test_releases_of_a_version(downloadable: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, download = downloadable
    version = tuple(map(int, release.split(".")[:2]))
    offer(monkeypatch, tmp_path, release, download.as_uri())
    assert installable_releases((version[0], version[1])) == (release,)
    assert installable_releases((3, 7)) == ()


def test_newest_releases_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of CPython, and no pre-releases."""
    monkeypatch.setattr(installation, "MAX_INSTALLED", 3)
    releases = ["3.12.9", "3.12.10", "3.12.0rc1", "3.12.1", "3.12.0"]
    entries = [{"version": release, "implementation": "cpython"} for release in releases]
    entries.append({"version": "3.12.99", "implementation": "graalpy"})
    put_on_path(tmp_path, f"echo '{json.dumps(entries)}'")
    assert installable_releases((3, 12)) == ("3.12.10", "3.12.9", "3.12.1")


def refused(release: str) -> str:
    with pytest.raises(InterpreterError) as caught:
        install_interpreter(release)
    return str(caught.value)


def test_release_that_uv_does_not_have(
    downloadable: tuple[str, Path], managed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, download = downloadable
    offer(monkeypatch, tmp_path, release, download.as_uri())
    first, *printed = refused("3.12.99").splitlines()
    assert first.startswith("CPython 3.12.99 cannot be installed: this uv has no CPython 3.12.99 for this system; ")
    assert printed[0].startswith("    error: No download found for request: cpython-3.12.99-")
    assert not list(managed.glob("cpython-*"))


def test_wrong_checksum(
    downloadable: tuple[str, Path], managed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, download = downloadable
    offer(monkeypatch, tmp_path, release, download.as_uri(), "0" * 64)
    assert refused(release).startswith(
        f"CPython {release} cannot be installed: the download does not have the checksum that uv expects, and was not"
        " installed; "
    )
    assert not list(managed.glob("cpython-*"))


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("UV_OFFLINE", "1", "uv is offline (UV_OFFLINE), and has not downloaded it before; "),
        ("UV_PYTHON_DOWNLOADS", "never", "the configuration of uv forbids it; "),
        ("UV_CACHE_DIR", "/dev/null", "uv failed. uv printed:\n    error: "),
        ("ALL_PROXY", "http://127.0.0.1:9", "uv cannot download it; check the network, "),
    ],
)
def test_download_that_fails(
    variable: str, value: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, tmp_path, "3.12.1", "https://example.invalid/python.tar.gz")
    monkeypatch.setenv(variable, value)
    assert refused("3.12.1").startswith(f"CPython 3.12.1 cannot be installed: {reason}")


def test_archive_that_is_not_an_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"not an archive")
    offer(monkeypatch, tmp_path, "3.12.1", (tmp_path / "x.tar.gz").as_uri())
    assert refused("3.12.1").startswith("CPython 3.12.1 cannot be installed: uv ")


def test_no_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    assert refused("3.12.1") == (
        "CPython 3.12.1 cannot be installed: there is no uv, which would download it; install uv and put it on PATH, or"
        " install the Python package uv beside detpyc"
    )


def test_package_without_its_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError("uv")

    monkeypatch.setattr(uv, "find_uv_bin", fail)
    assert "there is no uv" in refused("3.12.1")


@pytest.mark.parametrize(
    "complaint", ["error: unexpected argument '--managed-python' found", "error: unrecognized subcommand 'python'"]
)
def test_uv_that_is_too_old(complaint: str, tmp_path: Path) -> None:
    put_on_path(tmp_path, f'echo "{complaint}" >&2; exit 2')
    assert refused("3.12.1").startswith(
        "CPython 3.12.1 cannot be installed: this uv is too old; update it to 0.6.8 or later, "
    )


def test_uv_that_cannot_be_run(tmp_path: Path) -> None:
    path = put_on_path(tmp_path, "")
    path.write_text("#!/missing\n")
    assert refused("3.12.1") == (
        f"{path}: CPython 3.12.1 cannot be installed: uv cannot be run: No such file or directory"
    )


def test_uv_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_TIME_LIMIT", 0.1)
    put_on_path(tmp_path, "exec /bin/sleep 60")
    assert refused("3.12.1") == "CPython 3.12.1 cannot be installed: uv was not done within 0 seconds"


def test_uv_that_names_another_release(tmp_path: Path) -> None:
    other = "3.8.0"
    put_on_path(tmp_path, f"echo {sys.executable}")
    release = "{}.{}.{}".format(*sys.version_info[:3])
    assert refused(other) == f"{sys.executable}: uv installed CPython {release} for {other}"
