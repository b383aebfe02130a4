"""MemoryCache: bounded, the oldest goes first, nothing too large is kept."""

from dicomweb_server.services.memory_cache import MemoryCache


def test_what_is_put_is_there() -> None:
    cache = MemoryCache(100)
    cache.put("a", b"1")
    assert (cache.get("a"), cache.get("b")) == (b"1", None)


def test_the_one_not_asked_for_the_longest_goes() -> None:
    cache = MemoryCache(100)
    for name in "abcd":
        cache.put(name, bytes(25))
    assert cache.get("a") is not None
    cache.put("e", bytes(25))
    assert [name for name in "abcde" if cache.get(name) is not None] == ["a", "c", "d", "e"]


def test_large_values_would_drive_out_all_others() -> None:
    cache = MemoryCache(100)
    cache.put("a", bytes(26))
    assert cache.get("a") is None
    nothing = MemoryCache(0)
    nothing.put("a", b"1")
    assert nothing.get("a") is None


def test_a_value_may_be_replaced() -> None:
    cache = MemoryCache(100)
    for size in (20, 10, 25):
        cache.put("a", bytes(size))
    for name in "bcd":
        cache.put(name, bytes(25))
    assert all(cache.get(name) for name in "abcd")
