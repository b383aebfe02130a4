"""The target for searches, on seeds that are mixed and damaged: a few seconds of `make fuzz`."""

import random

from tests.fuzz import fuzz_search

_LETTERS = b"*?,-\\%=&.0129aZ\"'[]^ \xc3"


def test_seeds_are_taken() -> None:
    for seed in fuzz_search.seeds():
        fuzz_search.fuzz(seed)


def test_mixed_and_damaged_seeds_do_no_harm() -> None:
    chance = random.Random(fuzz_search.__name__)
    parameters = [parameter for seed in fuzz_search.seeds() for parameter in seed[1:].split(b"&")]
    for _ in range(1500):
        chosen = bytearray(b"&".join(chance.sample(parameters, chance.randint(1, 4))))
        for _ in range(chance.randint(0, 2)):
            position = chance.randrange(len(chosen))
            chosen[position : position + chance.randint(0, 2)] = bytes([chance.choice(_LETTERS)])
        fuzz_search.fuzz(bytes([chance.randrange(3)]) + bytes(chosen))
