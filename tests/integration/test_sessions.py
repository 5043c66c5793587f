"""The sessions of nox that nothing else runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from detpyc.compilation import interpreters
from projects import CHECKOUT, check_run
from uv_downloads import archive, listing

if sys.platform == "win32":
    pytest.skip("the archives are for POSIX", allow_module_level=True)


def test_pythons(tmp_path: Path) -> None:
    """What it installs is found by the sessions after it, after all other interpreters."""
    for name in ("noxfile.py", "pyproject.toml"):
        shutil.copy(CHECKOUT / name, tmp_path)
    here = interpreters.current()
    url = archive(here, tmp_path).as_uri()
    variables = {"UV_PYTHON_DOWNLOADS_JSON_URL": str(listing(tmp_path, here.release, url))}
    nox = [sys.executable, "-m", "nox", "-f", str(tmp_path / "noxfile.py")]
    check_run([*nox, "-s", "pythons", "--", here.release], variables=variables)

    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import os, noxfile; print(os.environ['PATH'])"
    *before, last = check_run([sys.executable, "-c", script]).strip().split(os.pathsep)
    assert before == os.environ["PATH"].split(os.pathsep)
    assert Path(last).is_relative_to(tmp_path)
    found = interpreters.describe(Path(last, "python{}.{}".format(*here.version)))
    assert (found.release, found.problem) == (here.release, None)
