"""The fuzzing targets accept their own seeds, so that the fuzzers start from valid inputs."""

from __future__ import annotations

import pytest

from targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_valid(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for seed in seeds:
        TARGETS[name].check(seed)
