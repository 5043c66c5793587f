"""Call a PEP 517 hook of a project's build backend, as a build frontend does, and print how the process differs.

Run as ``PYTHON build_wheel.py HOOK PROJECT OUTPUT``, with ``build_wheel``, ``build_editable`` or ``build_sdist`` as the
hook. The last line on standard output is JSON: the artifact's name, and what could influence it.
"""

from __future__ import annotations

import importlib
import json
import locale
import os
import sys
import time
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def circumstances() -> dict[str, object]:
    umask = os.umask(0)
    os.umask(umask)
    return {
        "directory": len(str(Path.cwd())),
        "hash": hash("detpyc"),
        "locale": locale.setlocale(locale.LC_CTYPE),
        "midnight": time.strftime("%H:%M", time.localtime(0)),
        "umask": umask,
    }


def main(hook: str, project: Path, output: Path) -> None:
    os.chdir(project)
    pyproject = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    backend = importlib.import_module(pyproject["build-system"]["build-backend"])
    artifact = getattr(backend, hook)(str(output))
    print(json.dumps({"artifact": artifact, **circumstances()}))  # noqa: T201 - the result


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).resolve())
