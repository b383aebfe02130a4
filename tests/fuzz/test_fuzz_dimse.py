"""The targets for DIMSE, on seeds that are mixed and damaged: a few seconds of `make fuzz`."""

import random
from types import ModuleType

import pytest

from tests.fuzz import fuzz_dimse, fuzz_dimse_peer, fuzz_identifier, fuzz_procedure_steps, fuzz_without_bulk_data

TARGETS = pytest.mark.parametrize(
    "target",
    [fuzz_dimse, fuzz_dimse_peer, fuzz_identifier, fuzz_procedure_steps, fuzz_without_bulk_data],
    ids=lambda target: target.__name__,
)


@TARGETS
def test_seeds_are_taken(target: ModuleType) -> None:
    for seed in target.seeds():
        target.fuzz(seed)


@TARGETS
def test_mixed_and_damaged_seeds_do_no_harm(target: ModuleType) -> None:
    chance = random.Random(target.__name__)
    seeds = target.seeds()
    for _ in range(1500):
        parts = chance.sample(seeds, chance.randint(1, 2))
        data = bytearray(parts[0] + b"".join(part[1:] for part in parts[1:]))
        for _ in range(chance.randint(0, 4)):
            position = chance.randrange(len(data))
            if chance.random() < 0.7:
                data[position] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
            else:
                del data[position : position + chance.randint(1, 20)]
                data = data or bytearray(b"\0")
        target.fuzz(bytes(data))
