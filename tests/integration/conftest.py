"""Fixtures for the wheels of the test projects, built and installed."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from installers import INSTALLERS
from projects import CHECKOUT, PROJECTS, build, check_run, copy_project

if TYPE_CHECKING:
    from collections.abc import Callable
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
