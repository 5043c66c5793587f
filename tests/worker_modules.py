"""Print the modules of detpyc that a worker has loaded after its requests, one a line.

Run as ``INTERPRETER -I -S -B worker_modules.py WORKER``: standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import importlib.util
import sys

if __name__ == "__main__":
    specification = importlib.util.spec_from_file_location("worker", sys.argv[1])
    assert specification is not None
    assert specification.loader is not None
    worker = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(worker)
    worker.adopt_package()
    status, digest, payload = worker.compile_source("module.py", b"\0", b"x = 1 in {1, 2}\n")
    assert status == worker.COMPILED
    header = importlib.util.MAGIC_NUMBER + b"\3\0\0\0" + digest
    assert worker.is_current(header + payload, digest, "module.py")
    sys.stdout.writelines(name + "\n" for name in sorted(sys.modules) if name.startswith("detpyc."))
