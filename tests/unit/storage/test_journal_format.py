"""What is read back from a journal: whole groups from its beginning, whatever became of the rest."""

import hashlib
import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import OnDuplicate
from dicomweb_server.storage.journal_format import BLOCK, STAMP, Entry, Group, decode, encode


def entry(
    data: bytes,
    key: str = "0" * 32,
    received: float = 1.5,
    address: str = "",
    labels: tuple[tuple[int, str], ...] = (),
) -> Entry:
    origin = Origin("dimse", address, "CALLING", "CALLED", "user", labels)
    return Entry(key, received, OnDuplicate.REPLACE, origin, data)


entries = st.builds(
    entry,
    st.binary(max_size=6000),
    st.uuids().map(lambda uuid: uuid.hex),
    st.floats(0, 2**40),
    st.text(max_size=20),
    st.lists(st.tuples(st.integers(0, 3), st.text("ab-_", min_size=1, max_size=9)), max_size=2).map(tuple),
)
groups = st.lists(
    st.builds(Group, st.integers(0, 2**63), st.lists(entries, min_size=1, max_size=3), st.integers(0, 2**63)),
    min_size=1,
    max_size=4,
)
stamps = st.binary(min_size=STAMP, max_size=STAMP)


def chain(groups: list[Group], stamp: bytes) -> bytes:
    return b"".join(piece for number, group in enumerate(groups) for piece in encode(group, stamp, number))


@given(groups, stamps)
def test_what_is_written_is_read(written: list[Group], stamp: bytes) -> None:
    content = chain(written, stamp)
    assert len(content) % BLOCK == 0
    assert list(decode(content)) == written
    assert list(decode(content + bytes(2 * BLOCK))) == written


@given(groups, stamps, st.data())
def test_a_torn_end_takes_the_last_group_only(written: list[Group], stamp: bytes, data: st.DataObject) -> None:
    content = chain(written, stamp)
    begin = len(chain(written[:-1], stamp))
    end = data.draw(st.integers(begin, len(content) - 1))
    torn = data.draw(st.booleans())
    found = list(decode(content[:end] + bytes(len(content) - end) if torn else content[:end]))
    assert found in (written[:-1], written)  # the last bytes may be zero, or filling, anyway


@given(groups, stamps, st.data())
def test_a_flipped_bit_never_makes_another_instance(written: list[Group], stamp: bytes, data: st.DataObject) -> None:
    content = bytearray(chain(written, stamp))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    found = list(decode(bytes(content)))
    assert found == written[: len(found)]
    assert len(chain(written[: len(found) + 1], stamp)) > position or len(found) == len(written)


@given(groups, groups, stamps, stamps)
def test_an_earlier_turn_is_not_taken_up(old: list[Group], new: list[Group], first: bytes, second: bytes) -> None:
    before, after = chain(old, first), chain(new, second)
    found = list(decode(after + before[len(after) :]))
    assert found == new or first == second


def test_lengths_that_lie_are_not_believed() -> None:
    [head, *rest] = encode(Group(1, [entry(b"x" * 100)]), b"s" * STAMP, 0)
    content = b"".join(rest)
    for position in range(len(head) - 8, len(head)):
        lying = bytearray(head)
        lying[position] = 0xFF
        assert list(decode(bytes(lying) + content)) == []


def test_an_earlier_format_is_read() -> None:
    """It had the SHA-256 of each instance, and knew no labels."""
    [_, listed, *data] = encode(written := Group(7, [entry(b"x" * 5000), entry(b"")], 3), b"s" * STAMP, 0)
    for one in written.entries:
        listed = listed.replace(xxh3_128_hexdigest(one.data).encode(), hashlib.sha256(one.data).hexdigest().encode())
    rest = struct.pack(f"<{STAMP}sQQII", b"s" * STAMP, 0, 7, len(listed), 5000) + listed
    content = b"DWJ1" + struct.pack("<I", zlib.crc32(rest)) + rest + b"".join(data)
    assert list(decode(content)) == [written]
    assert list(decode(content.replace(b"x", b"y", 1))) == []


def test_nothing_is_found_in_nothing() -> None:
    assert list(decode(b"")) == []
    assert list(decode(bytes(10 * BLOCK))) == []
