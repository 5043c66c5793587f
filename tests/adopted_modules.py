"""Import modules as the worker does.

Run as ``INTERPRETER adopted_modules.py WORKER MODULE...``. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import importlib
import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(sys.argv[1]))  # noqa: PTH120 - as in the worker
    importlib.import_module("worker").adopt_package()
    del sys.path[0]
    for name in sys.argv[2:]:
        importlib.import_module(name)
