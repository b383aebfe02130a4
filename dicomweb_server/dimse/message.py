"""PURE: DIMSE command sets (PS3.7 §9.3, §10.3, annex E), always implicit VR little endian. Never touches a data set."""

import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple

LARGEST_COMMAND = 64 * 1024
NO_DATASET = 0x0101  # (0000,0800); any other value: a data set follows
_RESPONSE = 0x8000
_ELEMENT = struct.Struct("<HHL")
_US = struct.Struct("<H")
_DATASET = 0x0001
_INSTANCE = 0x1000  # Affected SOP Instance UID
_GROUP_LENGTH = struct.Struct("<HHLL")
_RESPONSE_NUMBERS = struct.Struct("<" + 4 * "HHLH")  # field, message, data set and status of a response


class CommandField(IntEnum):
    """(0000,0100): which service, and whether it is asked or answered."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    C_CANCEL_RQ = 0x0FFF
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150


_OPERATIONS: Mapping[int, str] = {
    each.value: each.name.removesuffix("_RQ").replace("_", "-") for each in CommandField if not each.value & _RESPONSE
}


def operation_name(field: int) -> str:
    """What PS3.7 calls the operation of a request: "C-STORE" and the like."""
    return _OPERATIONS.get(field) or f"{field:04X}H"


class CommandError(ValueError):
    """A command set that cannot be understood, or that lacks what its service needs."""


class Command(NamedTuple):
    """One command set, its elements always given by name. An element that is absent is None.

    `field` is a CommandField, or the number of a service that PS3.7 does not have.
    """

    field: int
    has_dataset: bool = False
    affected_sop_class_uid: str | None = None
    requested_sop_class_uid: str | None = None
    message_id: int | None = None
    message_id_responded_to: int | None = None
    move_destination: str | None = None
    priority: int | None = None
    status: int | None = None
    offending_elements: tuple[int, ...] | None = None
    error_comment: str | None = None
    error_id: int | None = None
    affected_sop_instance_uid: str | None = None
    requested_sop_instance_uid: str | None = None
    event_type_id: int | None = None
    attributes: tuple[int, ...] | None = None
    action_type_id: int | None = None
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    move_originator_ae_title: str | None = None
    move_originator_message_id: int | None = None

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return self.field & _RESPONSE != 0

    @property
    def sop_class_uid(self) -> str:
        """The SOP class that a request is about, "" if it names none."""
        return self.affected_sop_class_uid or self.requested_sop_class_uid or ""

    @property
    def sop_instance_uid(self) -> str:
        """The SOP instance that a request is about, "" if it names none."""
        return self.affected_sop_instance_uid or self.requested_sop_instance_uid or ""


# Element by element in ascending order: tag, name in Command, VR.
_ELEMENTS: tuple[tuple[int, str, str], ...] = (
    (0x0002, "affected_sop_class_uid", "UI"),
    (0x0003, "requested_sop_class_uid", "UI"),
    (0x0100, "field", "US"),
    (0x0110, "message_id", "US"),
    (0x0120, "message_id_responded_to", "US"),
    (0x0600, "move_destination", "AE"),
    (0x0700, "priority", "US"),
    (0x0800, "has_dataset", "DS"),
    (0x0900, "status", "US"),
    (0x0901, "offending_elements", "AT"),
    (0x0902, "error_comment", "LO"),
    (0x0903, "error_id", "US"),
    (0x1000, "affected_sop_instance_uid", "UI"),
    (0x1001, "requested_sop_instance_uid", "UI"),
    (0x1002, "event_type_id", "US"),
    (0x1005, "attributes", "AT"),
    (0x1008, "action_type_id", "US"),
    (0x1020, "remaining", "US"),
    (0x1021, "completed", "US"),
    (0x1022, "failed", "US"),
    (0x1023, "warning", "US"),
    (0x1030, "move_originator_ae_title", "AE"),
    (0x1031, "move_originator_message_id", "US"),
)

_AFFECTED = ("affected_sop_class_uid", "message_id")
_REQUESTED = ("requested_sop_class_uid", "requested_sop_instance_uid", "message_id")
# What a request must have to be answered at all (PS3.7 tables 9.3-1 to 10.3-11); responses need the last two names.
_NEEDED: Mapping[int, tuple[str, ...]] = {
    CommandField.C_STORE_RQ: (*_AFFECTED, "affected_sop_instance_uid"),
    CommandField.C_FIND_RQ: _AFFECTED,
    CommandField.C_GET_RQ: _AFFECTED,
    CommandField.C_MOVE_RQ: (*_AFFECTED, "move_destination"),
    CommandField.C_ECHO_RQ: _AFFECTED,
    CommandField.C_CANCEL_RQ: ("message_id_responded_to",),
    CommandField.N_EVENT_REPORT_RQ: (*_AFFECTED, "affected_sop_instance_uid", "event_type_id"),
    CommandField.N_GET_RQ: _REQUESTED,
    CommandField.N_SET_RQ: _REQUESTED,
    CommandField.N_ACTION_RQ: (*_REQUESTED, "action_type_id"),
    CommandField.N_CREATE_RQ: _AFFECTED,
    CommandField.N_DELETE_RQ: _REQUESTED,
}
_NEEDED_RESPONSE = ("message_id_responded_to", "status")


def decode(data: bytes | memoryview) -> Command:
    """The command set in `data`. Elements that PS3.7 does not define are passed over; CommandError if one is wrong."""
    values: dict[str, object] = {}
    data = bytes(data)  # of which slices are cheap
    unpack, known = _ELEMENT.unpack_from, _DECODERS
    position, end = 0, len(data)
    while position < end:
        if end - position < 8:
            raise CommandError("the command set is cut off")
        group, element, length = unpack(data, position)
        position += 8
        if group:
            raise CommandError(f"({group:04X},{element:04X}) is in the command set")
        following = position + length
        if following > end:
            raise CommandError(f"(0000,{element:04X}) declares {length} bytes, {end - position} are there")
        if length and element in known:
            name, decoder = known[element]
            values[name] = decoder(element, data[position:following])
        position = following
    if "field" not in values:
        raise CommandError("the command set has no Command Field (0000,0100)")
    command = Command(**values)  # type: ignore[arg-type]
    _check(command)
    return command


def encode(command: Command) -> bytes:
    """The bytes of a command set, its group length first (PS3.7 §6.3.1)."""
    return _whole(_elements(command._asdict(), 0, 0xFFFF))


def encode_response(request: Command, status: int, *, has_dataset: bool = False, **more: object) -> bytes:
    """The response to a request: its service, message and SOP class are those of the request (PS3.7 §9.3)."""
    numbers = _RESPONSE_NUMBERS.pack(
        *(0, 0x0100, 2, request.field | _RESPONSE),
        *(0, 0x0120, 2, request.message_id or 0),
        *(0, 0x0800, 2, _DATASET if has_dataset else NO_DATASET),
        *(0, 0x0900, 2, status),
    )
    class_uid, instance_uid = request.sop_class_uid, request.sop_instance_uid
    sop_class = _element(0x0002, _encode_uid(class_uid)) if class_uid else b""
    instance = _element(_INSTANCE, _encode_uid(instance_uid)) if instance_uid else b""
    if not more:
        return _whole(sop_class + numbers + instance)
    before, behind = _elements(more, 0, _INSTANCE), _elements(more, _INSTANCE, 0xFFFF)
    return _whole(sop_class + numbers + before + instance + behind)


def _elements(values: Mapping[str, object], first: int, end: int) -> bytes:
    """Those with numbers from `first` to before `end`."""
    found = [(each, encoder(values[name])) for each, name, encoder in _ENCODED if values.get(name) is not None]
    return b"".join([_element(number, content) for number, content in found if first <= number < end])


def _element(number: int, content: bytes) -> bytes:
    return _ELEMENT.pack(0, number, len(content)) + content


def _whole(elements: bytes) -> bytes:
    return _GROUP_LENGTH.pack(0, 0, 4, len(elements)) + elements


def _check(command: Command) -> None:
    needed = _NEEDED_RESPONSE if command.is_response else _NEEDED.get(command.field, ("message_id",))
    for name in needed:
        if getattr(command, name) is None:
            raise CommandError(f"command {command.field:04X}H has no {name.replace('_', ' ')}")


def _us(element: int, content: bytes) -> int:
    if len(content) != 2:
        raise CommandError(f"(0000,{element:04X}) has {len(content)} bytes where 2 are defined")
    return int(_US.unpack(content)[0])


def _follows(element: int, content: bytes) -> bool:
    return _us(element, content) != NO_DATASET


def _text(element: int, content: bytes) -> str:
    del element
    return content.decode("latin-1").strip(" \0")


def _tags(element: int, content: bytes) -> tuple[int, ...]:
    if len(content) % 4:
        raise CommandError(f"(0000,{element:04X}) has {len(content)} bytes, no multiple of 4")
    return tuple((group << 16) | number for group, number in struct.iter_unpack("<HH", content))


def _encode_uid(value: str) -> bytes:
    return _encode_text(value, b"\0", 64)


def _encode_text(value: str, padding: bytes, longest: int) -> bytes:
    content = value.encode("latin-1", "replace")[:longest]
    return content + padding if len(content) % 2 else content


_DECODERS_BY_VR: Mapping[str, Callable[[int, bytes], object]] = {
    "US": _us,
    "UI": _text,
    "AE": _text,
    "LO": _text,
    "AT": _tags,
    "DS": _follows,
}
_DECODERS = {element: (name, _DECODERS_BY_VR[vr]) for element, name, vr in _ELEMENTS}
_ENCODERS: Mapping[str, Callable[..., bytes]] = {
    "US": _US.pack,
    "UI": _encode_uid,
    "AE": lambda value: _encode_text(value, b" ", 16),
    "LO": lambda value: _encode_text(value, b" ", 64),
    "AT": lambda value: b"".join([struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value]),
    "DS": lambda value: _US.pack(_DATASET if value else NO_DATASET),
}
_ENCODED = tuple([(element, name, _ENCODERS[vr]) for element, name, vr in _ELEMENTS])
