"""A raw DICOM upper layer peer for the suites, written from PS3.8 alone: it sends what it is told, right or wrong."""

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VERIFICATION = "1.2.840.10008.1.1"
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
CLOSED = 0  # instead of a PDU type

RQ, AC, RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)


def item(kind: int, content: bytes) -> bytes:
    """An item of an association PDU."""
    return struct.pack(">BxH", kind, len(content)) + content


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU."""
    return struct.pack(">BxL", kind, len(body)) + body


def fixed(kind: int, *content: int) -> bytes:
    """A PDU of four bytes: reject, release, abort."""
    return pdu(kind, bytes(content or (0, 0, 0, 0)))


def proposal(context_id: int, abstract_syntax: str, *transfer_syntaxes: str) -> bytes:
    """A proposed presentation context."""
    syntaxes = b"".join(item(0x40, uid.encode()) for uid in transfer_syntaxes)
    return item(0x20, bytes((context_id, 0, 0, 0)) + item(0x30, abstract_syntax.encode()) + syntaxes)


def associate_rq(
    *contexts: bytes,
    called: str = "ANY-SCP",
    calling: str = "CONFORMANCE",
    user: bytes = b"",
    version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
) -> bytes:
    """An A-ASSOCIATE-RQ. `user`: further user information sub-items."""
    information = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3.4") + user
    head = struct.pack(">H2x", version) + called.encode().ljust(16) + calling.encode().ljust(16) + bytes(32)
    return pdu(RQ, head + item(0x10, application_context.encode()) + b"".join(contexts) + item(0x50, information))


def data_value(context_id: int, control: int, fragment: bytes) -> bytes:
    """A presentation data value. `control`: 1 command, 2 last fragment."""
    return struct.pack(">LBB", len(fragment) + 2, context_id, control) + fragment


def p_data(context_id: int, control: int, fragment: bytes) -> bytes:
    """A P-DATA-TF PDU with one presentation data value."""
    return pdu(DATA, data_value(context_id, control, fragment))


def command_set(elements: Mapping[int, int | str]) -> bytes:
    """A command set: element numbers of group 0000 with a number (US) or a UID or AE title."""
    body = b""
    for number in sorted(elements):
        value = elements[number]
        content = struct.pack("<H", value) if isinstance(value, int) else value.encode()
        content += (b" " if number in (0x0600, 0x1030) else b"\0") * (len(content) % 2)
        body += struct.pack("<HHL", 0, number, len(content)) + content
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def echo_command(message_id: int = 1) -> bytes:
    """A C-ECHO-RQ."""
    return command_set({0x0002: VERIFICATION, 0x0100: 0x0030, 0x0110: message_id, 0x0800: 0x0101})


def elements_of(command: bytes) -> dict[int, bytes]:
    """The elements of a command set."""
    found, position = {}, 0
    while position < len(command):
        group, number, length = struct.unpack_from("<HHL", command, position)
        assert group == 0
        found[number] = command[position + 8 : position + 8 + length]
        position += 8 + length
    return found


def number(elements: Mapping[int, bytes], element: int) -> int | None:
    """The value of a US element, None if there is none."""
    return int.from_bytes(elements[element], "little") if element in elements else None


# Each PDU by what tests call it: those of PS3.8 §9.3 but A-ABORT, and two that are none.
PDUS = {
    "A-ASSOCIATE-RQ": associate_rq(proposal(1, VERIFICATION, IMPLICIT)),
    "A-ASSOCIATE-AC": pdu(AC, associate_rq()[6:]),
    "A-ASSOCIATE-RJ": fixed(RJ, 0, 1, 1, 1),
    "P-DATA-TF": p_data(1, 3, echo_command()),
    "A-RELEASE-RQ": fixed(RELEASE_RQ),
    "A-RELEASE-RP": fixed(RELEASE_RP),
    "an unknown PDU": pdu(0x09, bytes(4)),
    "a PDU with wrong parameters": fixed(RELEASE_RQ, 0, 0),
}
# What does not belong into an established association (Sta6), and the reason that it is aborted with (table 9-26).
UNRECOGNIZED, UNEXPECTED, INVALID = 1, 2, 6
NOT_IN_STA6 = (
    ("A-ASSOCIATE-RQ", UNEXPECTED),
    ("A-ASSOCIATE-AC", UNEXPECTED),
    ("A-ASSOCIATE-RJ", UNEXPECTED),
    ("A-RELEASE-RP", UNEXPECTED),
    ("an unknown PDU", UNRECOGNIZED),
    ("a PDU with wrong parameters", INVALID),
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An A-ASSOCIATE-AC: (result, transfer syntax) by context, and the user information sub-items by type."""

    contexts: dict[int, tuple[int, str]]
    user: list[tuple[int, bytes]]

    def sub_items(self, kind: int) -> list[bytes]:
        """The contents of the sub-items of a type."""
        return [content for found, content in self.user if found == kind]


def items(body: bytes) -> list[tuple[int, bytes]]:
    """The items that follow each other."""
    found, position = [], 0
    while position < len(body):
        kind, length = struct.unpack_from(">BxH", body, position)
        found.append((kind, body[position + 4 : position + 4 + length]))
        position += 4 + length
    assert position == len(body)
    return found


def accepted(body: bytes) -> Accepted:
    """What an A-ASSOCIATE-AC says."""
    contexts, user = {}, []
    for kind, content in items(body[68:]):
        if kind == 0x21:
            syntaxes = [value for inner, value in items(content[4:]) if inner == 0x40]
            contexts[content[0]] = (content[2], syntaxes[0].decode().rstrip("\0") if syntaxes else "")
        elif kind == 0x50:
            user = items(content)
    return Accepted(contexts, user)


class Peer:
    """One TCP connection to the server under test."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *ignored: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; nothing if the server has closed already."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self, seconds: float = 10) -> tuple[int, bytes]:
        """The next PDU, (CLOSED, b"") where the connection is closed; TimeoutError if nothing comes."""
        self.socket.settimeout(seconds)
        head = self._exactly(6)
        if len(head) < 6:
            return CLOSED, b""
        kind, length = struct.unpack(">BxL", head)
        return kind, self._exactly(length)

    def associate(self, *contexts: bytes, user: bytes = b"") -> Accepted:
        """An association that must be accepted."""
        self.send(associate_rq(*(contexts or (proposal(1, VERIFICATION, IMPLICIT),)), user=user))
        kind, body = self.receive()
        assert kind == AC, f"PDU type {kind}: {body.hex()}"
        return accepted(body)

    def response(self) -> dict[int, bytes]:
        """The next command set, put together from its fragments; its data set, if any, is passed over."""
        command = self._message(1)
        elements = elements_of(command)
        if number(elements, 0x0800) != 0x0101:
            self._message(0)
        return elements

    def echo(self, context_id: int = 1, message_id: int = 1) -> int | None:
        """The status of a C-ECHO."""
        self.send(p_data(context_id, 3, echo_command(message_id)))
        return number(self.response(), 0x0900)

    def release(self) -> None:
        """Release; the server must agree and the connection end."""
        self.send(fixed(RELEASE_RQ))
        assert self.receive()[0] == RELEASE_RP

    def _message(self, command: int) -> bytes:
        whole = b""
        while True:
            kind, body = self.receive()
            assert kind == DATA, f"PDU type {kind}: {body.hex()}"
            for control, fragment in values(body):
                assert control & 1 == command
                whole += fragment
                if control & 2:
                    return whole

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            try:
                piece = self.socket.recv(length - len(data))
            except ConnectionResetError:
                piece = b""
            if not piece:
                break
            data += piece
        return data


def values(body: bytes) -> Sequence[tuple[int, bytes]]:
    """The presentation data values of a P-DATA-TF PDU: message control header and fragment."""
    found, position = [], 0
    while position < len(body):
        length, _context_id, control = struct.unpack_from(">LBB", body, position)
        found.append((control, body[position + 6 : position + 4 + length]))
        position += 4 + length
    return found
