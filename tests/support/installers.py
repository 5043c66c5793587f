"""The installers that install what the tests build, as commands for ``python -m``."""

from __future__ import annotations

import sys

INSTALLERS = {
    "pip": ["pip", "install", "--no-compile"],
    "uv": ["uv", "pip", "install", "--offline", "--no-cache", "--no-compile-bytecode", "--python", sys.executable],
}
