"""PURE: a message cut into P-DATA-TF PDUs (PS3.8 §9.3.5, annex E). Never copies a data set that it cuts."""

from collections.abc import Iterator

from dicomweb_server.dimse.pdu import COMMAND_FRAGMENT, HEADER, LAST_FRAGMENT, PDV_HEADER, PduType

_PDV_OVERHEAD = 6
_SMALLEST = 256  # what a peer announces below this is a mistake, and would make a header for every few bytes
_UNLIMITED = 1 << 18


def largest_fragment(peer_maximum: int) -> int:
    """How much of a message goes into one PDU to a peer that announced this maximum length, 0 being no limit."""
    return (max(peer_maximum or _UNLIMITED, _SMALLEST) - _PDV_OVERHEAD) & ~1  # fragments are even (PS3.8 §E.1)


def command_pdus(context_id: int, command: bytes, largest: int) -> bytes:
    """The PDUs of a command set."""
    if len(command) <= largest:
        return _header(context_id, COMMAND_FRAGMENT | LAST_FRAGMENT, len(command)) + command
    return b"".join(_cut(context_id, COMMAND_FRAGMENT, memoryview(command), largest, last=True))


def message_pdus(context_id: int, command: bytes, dataset: bytes, largest: int) -> bytes:
    """The PDUs of a command set and its (small) data set."""
    head = command_pdus(context_id, command, largest)
    if len(dataset) <= largest:
        return b"".join((head, _header(context_id, LAST_FRAGMENT, len(dataset)), dataset))
    return head + b"".join(_cut(context_id, 0, memoryview(dataset), largest, last=True))


def data_pdus(context_id: int, chunk: bytes | memoryview, largest: int, *, last: bool) -> list[bytes | memoryview]:
    """The PDUs of a part of a data set, headers and views of it by turns; `last`: nothing follows this part."""
    return list(_cut(context_id, 0, memoryview(chunk), largest, last=last))


def _cut(
    context_id: int, control: int, content: memoryview, largest: int, *, last: bool
) -> Iterator[bytes | memoryview]:
    end = len(content)
    if not end and last:
        yield _header(context_id, control | LAST_FRAGMENT, 0)
    for start in range(0, end, largest):
        fragment = content[start : start + largest]
        ends = last and start + largest >= end
        yield _header(context_id, control | LAST_FRAGMENT if ends else control, len(fragment))
        yield fragment


def _header(context_id: int, control: int, length: int) -> bytes:
    return HEADER.pack(PduType.P_DATA, length + _PDV_OVERHEAD) + PDV_HEADER.pack(length + 2, context_id, control)
