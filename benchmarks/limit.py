"""Compile every source of a wheel and marshal the result, in memory: the lower limit of any byte-compiler's time.

Run as ``limit.py WHEEL PROCESSES``.
"""

from __future__ import annotations

import marshal
import multiprocessing
import sys
import warnings
import zipfile


def work(wheel: str, share: int, shares: int) -> None:
    """Compile one share of the sources."""
    warnings.simplefilter("ignore")
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(
            (name for name in archive.namelist() if name.endswith(".py")),
            key=lambda name: archive.getinfo(name).file_size,
        )
        for name in names[share::shares]:
            marshal.dumps(compile(archive.read(name), name, "exec", dont_inherit=True))


if __name__ == "__main__":
    _, wheel, processes = sys.argv
    shares = int(processes)
    workers = [multiprocessing.Process(target=work, args=(wheel, share, shares)) for share in range(shares)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(any(worker.exitcode for worker in workers))
