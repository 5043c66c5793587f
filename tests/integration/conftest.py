"""The test projects' wheels, as built and as installed."""

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
    """Return a project's wheel, built once."""

    @cache
    def wheel(name: str) -> Path:
        directory = tmp_path_factory.mktemp(name)
        return build(copy_project(name, directory), directory / "dist").artifact

    return wheel


@pytest.fixture(scope="session", params=INSTALLERS)
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel_of: Callable[[str], Path]
) -> Path:
    """Install all projects in a directory, as each installer does."""
    site = tmp_path_factory.mktemp(request.param)
    options = ["--no-deps", "--no-index", "--target", str(site)]
    check_run(
        [sys.executable, "-m", *INSTALLERS[request.param], *options, *(str(wheel_of(each.name)) for each in PROJECTS)]
    )
    return site


@pytest.fixture(scope="session")
def wheel_of_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of detpyc itself, for isolated builds to require."""
    directory = tmp_path_factory.mktemp("detpyc")
    check_run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(CHECKOUT)])
    (wheel,) = directory.iterdir()
    return wheel
