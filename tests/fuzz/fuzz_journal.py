"""Whatever became of a journal: what is read of it is whole, and reads the same when it is written again."""

from dicomweb_server.dicom.origin import Origin
from dicomweb_server.ports.index import OnDuplicate
from dicomweb_server.storage.journal_format import STAMP, Entry, Group, decode, encode


def fuzz(data: bytes) -> None:
    """Read, write anew, and read again."""
    groups = list(decode(data))
    stamp = bytes(STAMP)
    again = b"".join(piece for number, group in enumerate(groups) for piece in encode(group, stamp, number))
    assert list(decode(again)) == groups


def seeds() -> list[bytes]:
    """Chains of one and of two groups, one of them with what an earlier turn has left."""
    entries = [
        Entry(f"{n:032x}", 1.0 + n, OnDuplicate.KEEP, Origin("stow", user="u"), data)
        for n, data in enumerate((b"", b"a" * 50, b"b" * 5000))
    ]
    one = b"".join(encode(Group(1, entries[:1]), b"1" * STAMP, 0))
    two = b"".join(encode(Group(3, entries), b"2" * STAMP, 0) + encode(Group(4, entries[1:]), b"2" * STAMP, 1))
    return [one, two, one + two[len(one) :]]
