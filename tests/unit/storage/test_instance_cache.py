"""InstanceCache: bounded, and never a word that is not true any more."""

import pytest

from dicomweb_server.ports.index import Scope, StoredInstance
from dicomweb_server.storage import instance_cache
from dicomweb_server.storage.instance_cache import InstanceCache


def stored(number: int, frames: bytes = b"") -> tuple[Scope, StoredInstance]:
    scope = Scope(f"1.{number % 2}", f"1.1.{number % 3}", f"1.1.1.{number}")
    instance = StoredInstance(
        scope.study_uid, str(scope.series_uid), str(scope.instance_uid), "", "", "", 0, b"", frames, 0
    )
    return scope, instance


def test_what_was_used_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_cache, "_INSTANCES_HELD", 3)
    cache = InstanceCache()
    for number in range(3):
        cache.put(*stored(number), cache.generation)
    assert cache.get(stored(0)[0]) is not None
    cache.put(*stored(3), cache.generation)
    assert [cache.get(stored(number)[0]) is not None for number in range(4)] == [True, False, True, True]


def test_it_is_bounded_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_cache, "_BYTES_HELD", 10_000)
    cache = InstanceCache()
    for number in range(10):
        cache.put(*stored(number, b"x" * 3000), cache.generation)
    assert sum(cache.get(stored(number)[0]) is not None for number in range(10)) == 2
    cache.forget([stored(number)[0] for number in range(10)])
    for number in range(2):
        cache.put(*stored(number, b"x" * 3000), cache.generation)
    assert sum(cache.get(stored(number)[0]) is not None for number in range(10)) == 2


def test_what_was_read_before_a_change_is_not_kept() -> None:
    cache = InstanceCache()
    before = cache.generation
    cache.forget([stored(0)[0]])
    cache.put(*stored(0), before)
    assert cache.get(stored(0)[0]) is None


def test_forgetting_goes_down() -> None:
    cache = InstanceCache()

    def fill() -> None:
        for number in range(12):
            cache.put(*stored(number), cache.generation)

    def left() -> list[int]:
        return [number for number in range(12) if cache.get(stored(number)[0]) is not None]

    fill()
    cache.forget([Scope("1.0")])
    assert left() == [1, 3, 5, 7, 9, 11]
    fill()
    cache.forget([Scope("1.1", "1.1.2")])
    assert left() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    cache.forget_all()
    assert left() == []
