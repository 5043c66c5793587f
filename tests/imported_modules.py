"""Import the module named by the argument and print the names of all imported modules, one per line."""

from __future__ import annotations

import importlib
import sys

if __name__ == "__main__":
    importlib.import_module(sys.argv[1])
    sys.stdout.write("\n".join(sys.modules))
