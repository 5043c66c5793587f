"""What a build asks for is read once, and holds from its start to its end."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import wheels
from detpyc.errors import DetpycError
from detpyc.hooks.pdm import DetpycBuildHook
from detpyc.hooks.request import BuildRequest
from detpyc.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "tool.detpyc"


def test_settings_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the environment changes while the backend works."""
    calls: list[Any] = []
    from_table = Settings.from_table

    def counted(*arguments: Any, **named: Any) -> Settings:
        calls.append(arguments)
        return from_table(*arguments, **named)

    monkeypatch.setattr(Settings, "from_table", counted)
    monkeypatch.delenv("DETPYC_OPTIMIZE", raising=False)
    hook, path = DetpycBuildHook(), wheels.build(tmp_path)
    context: Any = SimpleNamespace(
        config=SimpleNamespace(data={}, build_config={"hooks": {"detpyc": {"optimize": [1]}}}),
        builder=SimpleNamespace(config_settings={}),
    )
    hook.pdm_build_initialize(context)
    monkeypatch.setenv("DETPYC_OPTIMIZE", "2")
    hook.pdm_build_finalize(context, path)
    assert len(calls) == 1
    (entry,) = json.loads(wheels.read(path)["demo-1.0.dist-info/detpyc.json"])["bytecode"]
    assert entry["optimize"] == 1


def test_sourceless_build() -> None:
    request = BuildRequest.read({"layout": "sourceless"}, TABLE)
    assert request.sourceless
    assert request.prepare() == sys.version_info[:2]


def test_disabled_build_is_moved(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    content = path.read_bytes()
    (tmp_path / "output").mkdir()
    request = BuildRequest.read({}, TABLE, frontend={"disable": "1"})
    assert request.byte_compile(path, tmp_path / "output").name == path.name
    assert not path.exists()
    assert (tmp_path / "output" / path.name).read_bytes() == content


def test_disabled_build_that_cannot_be_moved(tmp_path: Path) -> None:
    path = wheels.build(tmp_path)
    request = BuildRequest.read({}, TABLE, frontend={"disable": "1"})
    with pytest.raises(DetpycError, match="cannot be written: ") as caught:
        request.byte_compile(path, tmp_path / "missing")
    assert caught.value.path == str(tmp_path / "missing" / path.name)
    assert path.exists()
