"""Import modules from a directory of installed packages and print the result of a function of the first one.

Run as ``INTERPRETER -I -S import_modules.py DIRECTORY FUNCTION MODULE...``. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import sys
from importlib import import_module
from site import addsitedir


def main(directory: str, function: str, *names: str) -> None:
    addsitedir(directory)
    modules = [import_module(name) for name in names]
    print(getattr(modules[0], function)())  # noqa: T201 - the result


if __name__ == "__main__":
    main(*sys.argv[1:])
