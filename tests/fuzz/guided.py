"""Fuzz one target with atheris, guided by coverage: ``guided.py TARGET SECONDS DIRECTORY``."""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from pathlib import Path

SECONDS, MEGABYTES = 10, 1024  # for one input


def main(name: str, seconds: str, directory: str) -> None:
    """Fuzz until the time is over or an input fails, which is written to ``DIRECTORY/found-…``."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["detpyc", "targets"]):
        targets = importlib.import_module("targets")
        errors = importlib.import_module("detpyc.errors")
    target = targets.TARGETS[name]
    corpus, words = Path(directory, "corpus"), Path(directory, "words")
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(seed)
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words))

    def check(data: bytes) -> None:
        with suppress(errors.DetpycError):
            target.check(data)

    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SECONDS}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-artifact_prefix={directory}/found-",
        "-max_len=8192",
        "-print_final_stats=1",
        *([f"-dict={words}"] if target.words else []),
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
