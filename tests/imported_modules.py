"""Import the module that is named, and print all that were imported with it, one a line."""

from __future__ import annotations

import importlib
import sys

if __name__ == "__main__":
    importlib.import_module(sys.argv[1])
    sys.stdout.write("\n".join(sys.modules))
