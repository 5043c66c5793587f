"""The picture in the README shows what detpyc prints."""

from __future__ import annotations

import sys

import pytest

import terminal


@pytest.mark.skipif(sys.platform != "linux", reason="the session uses GNU sed")
def test_picture_is_current() -> None:
    """Whichever versions and sizes it shows; ``nox -s manuals`` takes it again."""
    picture = terminal.take_picture()
    assert "differs" in "".join(terminal.shown(picture))
    assert terminal.shown(terminal.PICTURE.read_text(encoding="utf-8")) == terminal.shown(picture)
