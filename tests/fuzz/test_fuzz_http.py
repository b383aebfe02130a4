"""The targets for what comes by HTTP, on damaged seeds: a few seconds of `make fuzz`."""

import random
from types import ModuleType

import pytest

from tests.fuzz import fuzz_media_types, fuzz_multipart, fuzz_remotes, fuzz_request_headers, fuzz_rest_bodies
from tests.fuzz.test_fuzz_images import damaged

TARGETS = (fuzz_multipart, fuzz_media_types, fuzz_request_headers, fuzz_remotes, fuzz_rest_bodies)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_seeds_are_taken(target: ModuleType) -> None:
    for seed in target.seeds():
        target.fuzz(seed)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_damaged_seeds_do_no_harm(target: ModuleType) -> None:
    chance = random.Random(target.__name__)
    seeds = target.seeds()
    for _ in range(10_000):
        target.fuzz(damaged(chance.choice(seeds), chance))
