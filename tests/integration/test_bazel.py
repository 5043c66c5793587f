"""The persistent worker under a real Bazel, and for long; the nox session ``bazel`` runs these."""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import detpyc
import trees
from bazel_driver import Driver, arguments, run_once
from command_line import done
from pages import blocks_for
from projects import TEST_PROJECTS, run

pytestmark = pytest.mark.skipif(
    not os.environ.get("DETPYC_TEST_BAZEL"), reason="takes minutes, and needs Bazel: run the nox session bazel"
)

REQUESTS = 1000
RULE = """\
# As python/private/precompile.bzl of rules_python.
def _pyc_impl(ctx):
    precompiler = ctx.attr.precompiler
    pycs = []
    for src in ctx.files.srcs:
        stem = src.basename[:-len(".py")]
        pyc = ctx.actions.declare_file("__pycache__/%s.%s.pyc" % (stem, ctx.attr.tag), sibling = src)
        request = ctx.actions.args()
        request.use_param_file("@%s", use_always = True)
        request.set_param_file_format("multiline")
        request.add("--invalidation_mode", "checked_hash")
        request.add("--src", src)
        request.add("--src_name", src.short_path)
        request.add("--pyc", pyc)
        request.add("--optimize", 0)
        request.add("--python_version", ctx.attr.version)
        ctx.actions.run(
            executable = precompiler[DefaultInfo].files_to_run,
            arguments = [ctx.actions.args(), request],
            inputs = [src],
            outputs = [pyc],
            mnemonic = "PyCompile",
            env = {"PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"},
            # Of testing.ExecutionInfo, which Bazel 4 cannot look up.
            execution_requirements = {
                "requires-worker-protocol": "json",
                "supports-multiplex-workers": ctx.attr.multiplex,
                "supports-workers": "1",
            },
        )
        pycs.append(pyc)
    return [DefaultInfo(files = depset(pycs))]

pyc = rule(
    implementation = _pyc_impl,
    attrs = {
        "multiplex": attr.string(),
        "precompiler": attr.label(cfg = "exec", executable = True),
        "srcs": attr.label_list(allow_files = [".py"]),
        "tag": attr.string(),
        "version": attr.string(),
    },
)
"""
BUILD = """\
load("//rules:pyc.bzl", "pyc")
pyc(
    name = "p",
    srcs = glob(["**/*.py"]),
    multiplex = "{}",
    precompiler = "//tools/detpyc:precompiler",
    tag = "{}",
    version = "{}.{}",
)
"""
TOOLS = """\
load(":precompiler.bzl", "detpyc_precompiler")
detpyc_precompiler(
    name = "precompiler",
    detpyc = "//third_party:detpyc",
    interpreter = "python3",
    visibility = ["//visibility:public"],
)
"""
FILES = 'filegroup(name = "detpyc", srcs = glob(["detpyc/**"]), visibility = ["//visibility:public"])\n'
OPTIONS = ("--experimental_worker_allow_json_protocol", "--strategy=PyCompile=worker", "--show_result=0")


def workspace(directory: Path, multiplex: str) -> Path:
    (rule,) = blocks_for("test_bazel")
    trees.write(
        directory,
        {
            "WORKSPACE": b"",
            "rules/BUILD": b"",
            "rules/pyc.bzl": RULE.encode(),
            "pkg/BUILD": BUILD.format(multiplex, sys.implementation.cache_tag, *sys.version_info).encode(),
            "third_party/BUILD": FILES.encode(),
            "tools/detpyc/BUILD": TOOLS.encode(),
            "tools/detpyc/precompiler.bzl": rule.content.encode(),
            "tools/detpyc/python3": f'#!/bin/sh\nexec {sys.executable} "$@"\n'.encode(),
        },
    )
    (directory / "tools" / "detpyc" / "python3").chmod(0o755)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(detpyc.__file__).parent, directory / "third_party" / "detpyc", ignore=ignored)
    for project in ("hatch-constants", "hatch-encodings"):
        shutil.copytree(TEST_PROJECTS / project / "src", directory / "pkg" / project, ignore=ignored)
    return directory


def compilable(directory: Path) -> None:
    """Remove the sources that do not compile with this Python."""
    for source in directory.rglob("*.py"):
        try:
            compile(source.read_bytes(), "", "exec")
        except SyntaxError:
            source.unlink()


def pycs(directory: Path) -> dict[str, bytes]:
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*.pyc")}


def kinds(summary: str) -> dict[str, int]:
    """Return how many processes of each kind Bazel counts; it calls a disk cache a remote one, up to some version."""
    return {
        kind: int(number)
        for number, kind in re.findall(r"(\d+) (?:remote |disk )?(internal|worker|cache hit)", summary)
    }


@pytest.mark.parametrize("multiplex", ["0", "1"])
def test_bazel(tmp_path: Path, multiplex: str) -> None:
    bazel = shutil.which("bazel")
    if bazel is None:
        pytest.skip("Bazel is missing")
    found = []
    for name in ("first", "second"):
        directory = workspace(tmp_path / name / "workspace", multiplex)
        compilable(directory / "pkg")
        startup = [bazel, f"--output_base={tmp_path / name / 'base'}"]
        command = [*startup, "build", *OPTIONS, f"--disk_cache={tmp_path / 'cache'}", "//pkg:p"]
        try:
            built = run(command, cwd=directory)
        finally:
            run([*startup, "shutdown"], cwd=directory)
        print(built.stderr)  # noqa: T201 - the nox session shows it
        assert built.returncode == 0, built.stderr
        (summary,) = re.findall(r"INFO: (\d+ processes: .*)", built.stderr)
        found.append((pycs(directory / "bazel-bin" / "pkg"), summary))
    (first, first_summary), (second, second_summary) = found
    sources = [*(directory / "pkg").rglob("*.py")]
    assert first == second
    assert len(first) == len(sources) > 10
    assert kinds(first_summary) == {"internal": 4, "worker": len(sources)}
    assert kinds(second_summary) == {"internal": 4, "cache hit": len(sources)}

    done("compile", "--no-cache", "--include", "/pkg/", ".", cwd=directory)
    assert pycs(directory / "pkg") == first


def test_thousand_requests_in_random_order_equal_fresh_processes(tmp_path: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    sources = [path for path in sorted(library.rglob("*.py")) if not {"site-packages", "bad"} & {*path.parts}]
    rng = random.Random(15)  # noqa: S311 - an order
    asked = rng.choices([str(path) for path in sources if "lib2to3" not in path.parts], k=REQUESTS)

    def fresh(number: int) -> tuple[int, bytes]:
        directory = tmp_path / str(number)
        directory.mkdir()
        status = run_once(directory, arguments(asked[number], "one.pyc")).returncode
        return status, (directory / "one.pyc").read_bytes() if not status else b""

    with Driver(tmp_path) as worker:
        worker.write(
            *({"requestId": number, "arguments": arguments(source, f"{number}.pyc")}
              for number, source in enumerate(asked, 1))
        )  # fmt: skip
        statuses = worker.read(REQUESTS)
        assert worker.end() == (0, "")
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        alone = [*executor.map(fresh, range(REQUESTS))]
    together = []
    for number in range(1, REQUESTS + 1):
        status = statuses[number]["exitCode"]
        together.append((status, (tmp_path / f"{number}.pyc").read_bytes() if not status else b""))
    assert together == alone
    assert sum(not status for status, _ in alone) > REQUESTS * 0.95
