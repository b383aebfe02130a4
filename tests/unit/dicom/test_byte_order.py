"""Byte order: what is swapped, and in words of which size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_server.dicom.byte_order import swap, word_size


@pytest.mark.parametrize(
    ("vr", "size"),
    [("OB", 1), ("UN", 1), ("LO", 1), ("OW", 2), ("AT", 2), ("FL", 4), ("OF", 4), ("OL", 4), ("FD", 8), ("UV", 8)],
)
def test_words_have_the_size_of_their_vr(vr: str, size: int) -> None:
    assert word_size(vr) == size


@given(st.binary(max_size=40), st.sampled_from([1, 2, 4, 8]))
def test_words_are_swapped_and_the_rest_is_kept(data: bytes, size: int) -> None:
    whole = len(data) // size * size
    expected = b"".join(data[at : at + size][::-1] for at in range(0, whole, size)) + data[whole:]
    assert swap(data, size) == expected
    assert swap(swap(data, size), size) == data
    assert swap(memoryview(data), size) == expected
