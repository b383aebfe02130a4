"""The targets for images, XML, composing and HTTP, on damaged seeds: a few seconds of what `make fuzz` does."""

import random
from types import ModuleType

import pytest

from tests.fuzz import (
    fuzz_compose,
    fuzz_creation,
    fuzz_data_sets,
    fuzz_decode_frame,
    fuzz_dicom_xml,
    fuzz_edit,
    fuzz_frames,
    fuzz_media_types,
    fuzz_multipart,
    fuzz_reencode,
    fuzz_remotes,
    fuzz_rendering,
    fuzz_request_headers,
    fuzz_rest_bodies,
    fuzz_stencil,
    fuzz_transcode,
)

TARGETS = (
    fuzz_frames,
    fuzz_decode_frame,
    fuzz_reencode,
    fuzz_edit,
    fuzz_stencil,
    fuzz_dicom_xml,
    fuzz_data_sets,
    fuzz_compose,
    fuzz_creation,
    fuzz_rendering,
    fuzz_transcode,
    fuzz_multipart,
    fuzz_media_types,
    fuzz_request_headers,
    fuzz_remotes,
    fuzz_rest_bodies,
)
ROUNDS = {
    fuzz_creation: 2000,
    fuzz_rendering: 600,
    fuzz_decode_frame: 1500,
    fuzz_transcode: 1000,
}  # what takes longer than parsing


def damaged(seed: bytes, chance: random.Random) -> bytes:
    """A seed with some bytes changed, a piece cut out or doubled."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(data))
        data[position] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.choice((0, 0, 1, 8, 100)))
    return bytes(data[:start] + data[end:] if chance.random() < 0.5 else data[:end] + data[start:])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_seeds_are_taken(target: ModuleType) -> None:
    for seed in target.seeds():
        target.fuzz(seed)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_damaged_seeds_do_no_harm(target: ModuleType) -> None:
    chance = random.Random(target.__name__)
    seeds = target.seeds()
    for _ in range(ROUNDS.get(target, 10_000)):
        seed = chance.choice(seeds)
        kept = 1 if target is fuzz_decode_frame else 0  # its first byte says what the rest is
        target.fuzz(seed[:kept] + damaged(seed[kept:], chance))
