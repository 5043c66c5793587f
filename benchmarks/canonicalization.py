"""Print the time of canonicalization, as a share of compiling and marshalling the same sources in one process.

Run as ``canonicalization.py PACKAGE_DIRECTORY WHEEL``, under any CPython from 3.8 on; the first argument is the
directory that contains the ``detpyc`` package.
"""

from __future__ import annotations

import marshal
import sys
import time
import warnings
import zipfile

if __name__ == "__main__":
    _, directory, wheel = sys.argv
    sys.path.insert(0, directory)
    from detpyc.bytecode.canonical import canonicalize

    warnings.simplefilter("ignore")
    compiling = canonicalizing = 0.0
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith(".py"):
                continue
            source = archive.read(name)
            start = time.process_time()
            try:
                payload = marshal.dumps(compile(source, name, "exec", dont_inherit=True))
            except SyntaxError:
                continue
            middle = time.process_time()
            canonicalize(payload, sys.version_info[:2])
            compiling += middle - start
            canonicalizing += time.process_time() - middle
    print(canonicalizing / compiling)
