"""``python -m detpyc``."""

from __future__ import annotations

import sys

from detpyc.cli import main

if __name__ == "__main__":
    sys.exit(main())
