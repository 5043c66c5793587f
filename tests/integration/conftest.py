"""Fixtures for the wheels of the test projects, built and installed, and for missing rights."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from installers import INSTALLERS
from projects import CHECKOUT, PROJECTS, build, check_run, copy_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def wheel_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that builds a project's wheel, once."""

    @cache
    def wheel(name: str) -> Path:
        directory = tmp_path_factory.mktemp(name)
        return build(copy_project(name, directory), directory / "dist").artifact

    return wheel


@pytest.fixture(scope="session", params=INSTALLERS)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel_of: Callable[[str], Path]
) -> Path:
    """Return a directory in which an installer has installed all projects."""
    site = tmp_path_factory.mktemp(request.param)
    options = ["--no-deps", "--no-index", "--target", str(site)]
    built = [str(wheel_of(project.name)) for project in PROJECTS]
    check_run([sys.executable, "-m", *INSTALLERS[request.param], *options, *built])
    return site


@pytest.fixture(scope="session")
def wheel_of_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of detpyc itself, which isolated builds require."""
    directory = tmp_path_factory.mktemp("detpyc")
    check_run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(CHECKOUT)])
    (wheel,) = directory.iterdir()
    return wheel


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Yield a command that runs another without root's rights to all files."""
    if sys.platform == "win32":
        pytest.skip("files have no such modes there")
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        assert shutil.which("setpriv"), "the tests must not run as root, or need setpriv"
        dropped = "-dac_override,-dac_read_search"
        prefix = ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")
    yield prefix
    for path in (tmp_path, *tmp_path.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
