"""The tag of a wheel."""

from __future__ import annotations

import pytest
from packaging.tags import compatible_tags, cpython_tags, parse_tag

from detpyc.errors import WheelError
from detpyc.wheel.tags import is_for, renamed, retagged, sourceless_tag, tag_of

LINUX, WINDOWS = "manylinux_2_17_x86_64.manylinux2014_x86_64", "win_amd64"


@pytest.mark.parametrize("name", ["demo-1.0-py3-none-any.whl", "demo-1.0-1build-py3-none-any.whl"])
def test_name(name: str) -> None:
    assert tag_of(name) == "py3-none-any"
    assert renamed(name, "cp312-cp312-win32") == name.replace("py3-none-any", "cp312-cp312-win32")


@pytest.mark.parametrize(
    ("tag", "version", "expected"),
    [
        ("py3-none-any", (3, 12), "cp312-none-any"),
        ("py2.py3-none-any", (3, 8), "cp38-none-any"),
        ("py38-none-any", (3, 12), "cp312-none-any"),
        ("cp312-none-any", (3, 12), "cp312-none-any"),
        ("cp311.cp312-none-any", (3, 12), "cp312-none-any"),
        (f"py3-none-{LINUX}", (3, 10), f"cp310-none-{LINUX}"),
        (f"cp312-cp312-{LINUX}", (3, 12), f"cp312-cp312-{LINUX}"),
        (f"cp313-cp313t-{WINDOWS}", (3, 13), f"cp313-cp313t-{WINDOWS}"),
        (f"cp313-cp313d-{WINDOWS}", (3, 13), f"cp313-cp313d-{WINDOWS}"),
        (f"cp313-cp313.cp313t-{WINDOWS}", (3, 13), f"cp313-cp313.cp313t-{WINDOWS}"),
        (f"cp39-abi3-{WINDOWS}", (3, 12), f"cp312-none-{WINDOWS}"),
        (f"cp312-abi3-{WINDOWS}", (3, 12), f"cp312-none-{WINDOWS}"),
        (f"cp311.cp312-cp311.cp312-{WINDOWS}", (3, 12), f"cp312-cp312-{WINDOWS}"),
    ],
)
def test_sourceless(tag: str, version: tuple[int, int], expected: str) -> None:
    assert is_for(tag, version)
    assert sourceless_tag(tag, version) == expected
    assert sourceless_tag(expected, version) == expected


@pytest.mark.parametrize(
    "tag", ["py3-none-any", f"py3-none-{WINDOWS}", f"cp39-abi3-{WINDOWS}", f"cp312-cp312-{WINDOWS}"]
)
def test_sourceless_wheel_is_for_no_other(tag: str) -> None:
    """What installers ask: some other release accepts the wheel with its sources, and none the one without."""

    def accepts(minor: int, tag: str) -> bool:
        own, version = f"cp3{minor}", (3, minor)
        tags = {*cpython_tags(version, [own], [WINDOWS]), *compatible_tags(version, own, [WINDOWS])}
        return bool(tags & parse_tag(tag))

    releases = [minor for minor in range(8, 16) if accepts(minor, tag)]
    assert 12 in releases
    assert len(releases) > 1 or "cp312-cp312" in tag
    assert [minor for minor in range(8, 16) if accepts(minor, sourceless_tag(tag, (3, 12)))] == [12]


@pytest.mark.parametrize(
    "tag",
    [
        "py2-none-any",
        "py313-none-any",
        "cp311-none-any",
        "pp310-pypy310_pp73-any",
        f"cp311-cp311-{WINDOWS}",
        f"cp313-abi3-{WINDOWS}",
        f"cp312-cp311-{WINDOWS}",
    ],
)
def test_not_for_this_python(tag: str) -> None:
    assert not is_for(tag, (3, 12))
    with pytest.raises(WheelError, match=rf"its tag {tag} is not for CPython 3\.12, whose bytecode it would have"):
        sourceless_tag(tag, (3, 12))


@pytest.mark.parametrize("tag", ["", "any", "none-any", "1-py3-none-any"])
def test_not_a_tag(tag: str) -> None:
    with pytest.raises(WheelError, match="is not the tag of a wheel, such as py3-none-any"):
        sourceless_tag(tag, (3, 12))


@pytest.mark.parametrize(
    ("lines", "tag", "expected"),
    [
        (["A: b", "Tag: py3-none-any", "C: d"], "cp312-none-any", ["A: b", "Tag: cp312-none-any", "C: d"]),
        (["Tag: py2-none-any", "A: b", "TAG: py3-none-any"], "cp312-none-any", ["Tag: cp312-none-any", "A: b"]),
        (["A: b"], "cp312-none-any", ["A: b", "Tag: cp312-none-any"]),
        (["Tag: x-y-z"], "cp312-none-linux_b.linux_a", ["Tag: cp312-none-linux_a", "Tag: cp312-none-linux_b"]),
        (["A: b", "Tag: cp312-none-any"], "cp312-none-any", None),
        (["A: b", "Tag: cp312-none-linux_a", "Tag: cp312-none-linux_b"], "cp312-none-linux_b.linux_a", None),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_retagged(lines: list[str], tag: str, expected: list[str] | None, end: str) -> None:
    found = retagged("".join(f"{line}{end}" for line in lines).encode(), tag)
    assert found == (None if expected is None else "".join(f"{line}\n" for line in expected).encode())


def test_wheel_file_that_is_not_text() -> None:
    with pytest.raises(WheelError, match=r"WHEEL is not UTF-8: "):
        retagged(b"Tag: \xff\n", "cp312-none-any")
