"""Journal format: what one append to a journal holds, and how a chain of them is read back after a crash.

An append is a head, a list of instances in JSON, and their bytes, filled up to whole blocks. The head has a checksum of
itself and the list, the list one of each instance (XXH3, which takes a thirtieth of the time of SHA-256). All appends
since the file was last begun anew have the same random stamp and are numbered, so that what an earlier turn left behind
them is not taken for one of theirs.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_128_hexdigest

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import OnDuplicate

BLOCK = 4096
STAMP = 8  # bytes of a stamp
_MAGIC = b"DWJ2"
# How the bytes of an instance are checked, by the magic.
_CHECKSUMS: dict[bytes, Callable[[bytes], str]] = {
    b"DWJ1": lambda data: sha256(data).hexdigest(),
    _MAGIC: xxh3_128_hexdigest,
}
# Magic, checksum of what follows up to the end of the list, stamp, number, revision, lengths of the list and the bytes.
_HEAD = struct.Struct(f"<4sI{STAMP}sQQII")
_CHECKED = 8  # where the checksum begins


class Entry(NamedTuple):
    """One instance that was stored, with all that is needed to store it again."""

    key: str
    received: float
    on_duplicate: OnDuplicate
    origin: Origin
    data: bytes


class Group(NamedTuple):
    """What one transaction stored; `revision`: the last of the index's revisions that it has used.

    Or what one will store, as was promised: then `promise` is its number, beginning with 1, and `revision` one that the
    index had at that time.
    """

    revision: int
    entries: Sequence[Entry]
    promise: int = 0


def encode(group: Group, stamp: bytes, number: int) -> list[bytes]:
    """The pieces of an append."""
    described = [_described(entry) for entry in group.entries]
    listed = orjson.dumps({"promise": group.promise, "entries": described} if group.promise else described)
    length = sum([len(entry.data) for entry in group.entries])
    head = _HEAD.pack(_MAGIC, 0, stamp, number, group.revision, len(listed), length)
    checksum = zlib.crc32(listed, zlib.crc32(head[_CHECKED:]))
    head = head[:4] + checksum.to_bytes(4, "little") + head[_CHECKED:]
    fill = -(len(head) + len(listed) + length) % BLOCK
    return [head, listed, *[entry.data for entry in group.entries], bytes(fill)]


def decode(content: bytes) -> Iterator[Group]:
    """The groups at the beginning of a file, up to the first that is not whole: nobody was told of that."""
    start, first = 0, b""
    number = 0
    while (head := content[start : start + _HEAD.size]) and len(head) == _HEAD.size:
        magic, checksum, stamp, found, revision, listed_length, length = _HEAD.unpack(head)
        data_start = start + _HEAD.size + listed_length
        end = data_start + length
        checksum_of = _CHECKSUMS.get(magic)
        if checksum_of is None or found != number or stamp != (first or stamp) or end > len(content):
            return
        listed = content[start + _HEAD.size : data_start]
        if zlib.crc32(listed, zlib.crc32(head[_CHECKED:])) != checksum:
            return
        described = orjson.loads(listed)
        promise = 0
        if isinstance(described, dict):
            promise, described = described["promise"], described["entries"]
        entries = _entries(described, content[data_start:end], checksum_of)
        if entries is None:
            return
        yield Group(revision, entries, promise)
        start, first, number = end + -end % BLOCK, stamp, number + 1


def _described(entry: Entry) -> list[object]:
    origin = entry.origin
    return [
        *(entry.key, len(entry.data), xxh3_128_hexdigest(entry.data), entry.received, entry.on_duplicate.value),
        *(origin.protocol, origin.address, origin.calling_ae_title, origin.called_ae_title, origin.user),
        *origin.labels,
    ]


def _entries(
    described: Sequence[Sequence[Any]], content: bytes, checksum_of: Callable[[bytes], str]
) -> list[Entry] | None:
    """The instances of a list whose checksum is right; None if their bytes are not all there."""
    entries, start = [], 0
    for key, size, checksum, received, on_duplicate, *rest in described:
        data = content[start : start + size]
        start += size
        if checksum_of(data) != checksum:
            return None
        protocol, address, calling, called, user, *labels = rest
        origin = Origin(protocol, address, calling, called, user, tuple((level, label) for level, label in labels))
        entries.append(Entry(key, received, OnDuplicate(on_duplicate), origin, data))
    return entries
