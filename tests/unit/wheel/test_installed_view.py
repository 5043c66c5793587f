"""Where the members of a wheel go when it is installed, and which of them could become one file."""

from __future__ import annotations

import pytest

from detpyc.wheel.installed_view import installed_view

INFO, DATA = "demo-1.0.dist-info", "demo-1.0.data"
CORE, PYC = "demo/core.py", "demo/__pycache__/core.cpython-312.pyc"


def problems(*names: str) -> tuple[str, ...]:
    return installed_view([*names, f"{INFO}/RECORD"], INFO).problems


def test_importable() -> None:
    names = {
        "demo.py": "demo.py",
        "demo/": "demo/",
        CORE: CORE,
        f"{INFO}/x.py": None,
        f"{DATA}/purelib/{CORE}": CORE,
        f"{DATA}/platlib/x.so": "x.so",
        "other.data/purelib/y.py": "y.py",
        f"{DATA}/scripts/tool.py": None,
        f"{DATA}/headers/x.h": None,
        f"{DATA}/data/x.py": None,
        f"{DATA}/purelib": None,
        f"{DATA}/unknown/x.py": None,
        "sub/x.data/purelib/z.py": "sub/x.data/purelib/z.py",
    }
    assert installed_view(names, INFO).importable == {name: path for name, path in names.items() if path}


@pytest.mark.parametrize(
    "names",
    [
        (CORE, PYC),
        (CORE, f"{DATA}/platlib/demo/native.so"),
        (CORE, f"{DATA}/purelib/other/core.py", f"{DATA}/data/etc/demo.conf", f"{DATA}/headers/demo.h"),
        # Nothing is known of a source that two installers would take from different places but the source itself.
        ("bin/tool.py", f"{DATA}/scripts/tool.py"),
        (f"{DATA}/data/share/demo/example.py", f"{DATA}/data/share/demo/__pycache__/example.cpython-312.pyc"),
        ("LC_MESSAGES/Demo.mo", "Demo/Core.py"),
        ("core~.py", "demo/data.~1~"),
        (f"{DATA}/scripts/tool", f"{DATA}/data/bin/other"),
        ("README.DATA", "x.dist-info.txt"),
        ("demo/", CORE, f"{DATA}/purelib/demo/", f"{DATA}/purelib/demo/x.py"),
    ],
)
def test_harmless(names: tuple[str, ...]) -> None:
    assert problems(*names) == ()


@pytest.mark.parametrize(
    "name",
    [
        f"{DATA}/purelib/{CORE}",
        f"{DATA}/platlib/{CORE}",
        f"other-2.data/purelib/{CORE}",
        f"{DATA}/purelib/demo/CORE.PY",
        f"{DATA}/purelib/Demo./core.py",
        f"{DATA}/platlib/demo/core.py::$DATA",
        f"{DATA}/data/{CORE}",
        f"{DATA}/data/lib/python/{CORE}",
        f"{DATA}/data/lib64/python/{CORE}",
        f"{DATA}/purelib/{PYC}",
        f"{DATA}/data/{PYC}",
    ],
)
def test_overwritten(name: str) -> None:
    victim = PYC if name.endswith(".pyc") else CORE
    assert f"{name}: could be installed over {victim}, or the other way round" in problems(CORE, PYC, name)


def test_overwritten_between_data_directories() -> None:
    names = [f"{DATA}/scripts/tool", "other.data/scripts/TOOL"]
    assert problems(*names) == (f"{names[1]}: could be installed over {names[0]}, or the other way round",)
    names = [f"{DATA}/data/etc/x.conf", "other.data/data/etc/x.conf"]
    assert problems(*names) == (f"{names[1]}: could be installed over {names[0]}, or the other way round",)
    names = [f"{DATA}/data/bin/tool", f"{DATA}/scripts/tool"]
    assert problems(*names) == (f"{names[1]}: could be installed over {names[0]}, or the other way round",)


def test_script_over_a_module_with_bytecode() -> None:
    names = ["bin/tool.py", "bin/__pycache__/tool.cpython-312.pyc", f"{DATA}/scripts/tool.py"]
    assert problems(*names) == (f"{names[2]}: could be installed over {names[0]}, or the other way round",)


def test_header_over_a_module_with_bytecode() -> None:
    names = ["include/demo/x.py", "include/demo/__pycache__/x.cpython-312.pyc", f"{DATA}/headers/x.py"]
    assert problems(*names) == (f"{names[2]}: could be installed over {names[0]}, or the other way round",)


def test_file_in_the_place_of_a_directory() -> None:
    assert problems(CORE, PYC, f"{DATA}/purelib/demo/__pycache__") == (
        f"{DATA}/purelib/demo/__pycache__: would be installed where {PYC} needs a directory",
    )


def test_record_is_not_overwritten() -> None:
    assert problems(f"{DATA}/purelib/{INFO}/RECORD") != ()


@pytest.mark.parametrize(
    "directory", ["lib/python3.12/site-packages", "Lib/Site-Packages", "lib/python3/dist-packages"]
)
@pytest.mark.parametrize("file", ["core.py", "core.pyc", "x/core.pyd", "core.so", "evil.pth", "core.pyw", "CORE.PY"])
def test_modules_among_the_data(directory: str, file: str) -> None:
    name = f"{DATA}/data/{directory}/{file}"
    assert problems(name) == (
        f"{name}: would be installed among the modules, though it is data; only some installers do that",
    )


def test_data_among_the_modules_is_harmless() -> None:
    assert problems(f"{DATA}/data/lib/python3.12/site-packages/demo/data.txt") == ()


@pytest.mark.parametrize("place", ["scripts", "headers", "data/bin", "data/Scripts", "data/BIN/__pycache__"])
def test_bytecode_where_no_modules_are(place: str) -> None:
    name = f"{DATA}/{place}/tool.pyc"
    assert f"{name}: is bytecode where no modules are" in problems(name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("demo/core.PYC", "is a name that some systems or unpackers take for that of a pyc, core.pyc"),
        ("demo/core.pyc.", "is a name that some systems or unpackers take for that of a pyc, core.pyc"),
        ("demo/core.pyc ", "is a name that some systems or unpackers take for that of a pyc, core.pyc"),
        ("demo/core.pyc::$DATA", "is a name that some systems or unpackers take for that of a pyc, core.pyc"),
        ("demo/__PYCACHE__/x.pyc", "is in a directory that some systems or unpackers take for __pycache__"),
        ("demo/__pycache__./x.txt", "is in a directory that some systems or unpackers take for __pycache__"),
        ("demo/__pycache__ /", "is in a directory that some systems or unpackers take for __pycache__"),
        (f"{DATA}/scripts/tool.PYC", "is a name that some systems or unpackers take for that of a pyc, tool.pyc"),
        ("CORE_L~1.PY", "has the form of a short name, by which Windows could know another file"),
        ("__PYCA~1/x.txt", "has the form of a short name, by which Windows could know another file"),
        ("demo-1.0.DATA/x.txt", "is in a directory that only some systems or unpackers take for a .data directory"),
        ("demo-1.0.data./x.txt", "is in a directory that only some systems or unpackers take for a .data directory"),
        (
            "demo-1.0.Dist-Info/x.txt",
            "is in a directory that only some systems or unpackers take for a .dist-info directory",
        ),
        (f"{DATA}/PureLib/x.txt", "is in a directory that only some systems or unpackers take for purelib"),
    ],
)
def test_names_that_systems_map(name: str, problem: str) -> None:
    assert f"{name}: {problem}" in problems(name)
