"""Command sets: two ways, against pynetdicom's, and wrong ones."""

import struct
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dsutils import decode as decode_dataset
from pynetdicom.dsutils import encode as encode_dataset

from dicomweb_server.dimse import message
from dicomweb_server.dimse.message import Command, CommandError, CommandField

CT = "1.2.840.10008.5.1.4.1.1.2"


def element(number: int, content: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHL", group, number, len(content)) + content


def us(number: int, value: int) -> bytes:
    return element(number, value.to_bytes(2, "little"))


ECHO = us(0x100, 0x30) + us(0x110, 1) + us(0x800, 0x101)


def test_every_field_of_a_command_has_an_element() -> None:
    assert {name for _, name, _ in message._ELEMENTS} == set(Command._fields)
    numbers = [number for number, _, _ in message._ELEMENTS]
    assert numbers == sorted(numbers)


def test_store_request_both_ways() -> None:
    command = Command(
        field=CommandField.C_STORE_RQ,
        has_dataset=True,
        affected_sop_class_uid=CT,
        affected_sop_instance_uid="1.2.3",
        message_id=65535,
        priority=0,
        move_originator_ae_title="MOVER",
        move_originator_message_id=9,
    )
    assert message.decode(message.encode(command)) == command


@pytest.mark.parametrize(
    "name", ["C_ECHO_RQ", "C_STORE_RQ", "C_FIND_RSP", "C_MOVE_RSP", "N_ACTION_RQ", "N_EVENT_REPORT_RQ"]
)
def test_pynetdicom_reads_ours_and_writes_the_same(name: str) -> None:
    command = {
        "C_ECHO_RQ": Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid="1.2.840.10008.1.1", message_id=7),
        "C_STORE_RQ": Command(
            field=CommandField.C_STORE_RQ,
            has_dataset=True,
            affected_sop_class_uid=CT,
            affected_sop_instance_uid="1.2.3.4",
            message_id=7,
            priority=2,
        ),
        "C_FIND_RSP": Command(
            field=CommandField.C_FIND_RSP,
            affected_sop_class_uid=CT,
            message_id_responded_to=7,
            status=0xA900,
            offending_elements=(0x00100010, 0x0020000D),
            error_comment="odd",
        ),
        "C_MOVE_RSP": Command(
            field=CommandField.C_MOVE_RSP,
            affected_sop_class_uid=CT,
            message_id_responded_to=7,
            status=0xFF00,
            remaining=3,
            completed=2,
            failed=1,
            warning=0,
        ),
        "N_ACTION_RQ": Command(
            field=CommandField.N_ACTION_RQ,
            has_dataset=True,
            requested_sop_class_uid="1.2.840.10008.1.20.1",
            requested_sop_instance_uid="1.2.840.10008.1.20.1.1",
            message_id=3,
            action_type_id=1,
        ),
        "N_EVENT_REPORT_RQ": Command(
            field=CommandField.N_EVENT_REPORT_RQ,
            has_dataset=True,
            affected_sop_class_uid="1.2.840.10008.1.20.1",
            affected_sop_instance_uid="1.2.840.10008.1.20.1.1",
            message_id=3,
            event_type_id=2,
        ),
    }[name]
    encoded = message.encode(command)
    decoded = decode_dataset(BytesIO(encoded), True, True)
    assert decoded.CommandGroupLength == len(encoded) - 12
    assert decoded.CommandField == command.field
    assert encode_dataset(decoded, True, True) == encoded


def test_absent_and_empty_are_the_same() -> None:
    decoded = message.decode(ECHO + element(0x0002, b"1.2\0") + element(0x0902, b""))
    assert decoded.error_comment is None
    assert decoded.affected_sop_class_uid == "1.2"


def test_elements_that_the_standard_does_not_have_are_passed_over() -> None:
    retired = element(0x0001, b"\0\0\0\0") + element(0x0010, b"ACR-NEMA 2.0")
    assert message.decode(retired + element(0x0002, b"1.2\0") + ECHO).message_id == 1


def test_a_field_that_the_standard_does_not_have_can_still_be_answered() -> None:
    command = message.decode(us(0x100, 0x7000) + us(0x110, 5) + us(0x800, 0x101))
    answer = message.decode(message.encode_response(command, 0x0211))
    assert (answer.field, answer.message_id_responded_to) == (0xF000, 5)


def test_response_repeats_what_it_answers() -> None:
    request = Command(
        field=CommandField.N_ACTION_RQ,
        requested_sop_class_uid="1.2",
        requested_sop_instance_uid="1.2.3",
        message_id=4,
        action_type_id=1,
    )
    answer = message.decode(message.encode_response(request, 0, action_type_id=1))
    assert answer.is_response
    assert (answer.message_id_responded_to, answer.action_type_id, answer.has_dataset) == (4, 1, False)
    assert (answer.sop_class_uid, answer.sop_instance_uid, answer.status) == ("1.2", "1.2.3", 0)


@pytest.mark.parametrize("instance", [None, "1.2.3", "1.2.34"])
@pytest.mark.parametrize(
    "more", [{}, {"error_comment": "odd"}, {"error_comment": "odd", "completed": 1, "error_id": 5}]
)
def test_a_response_is_the_command_that_it_stands_for(instance: str | None, more: dict[str, Any]) -> None:
    about: dict[str, Any] = {"affected_sop_class_uid": CT, "affected_sop_instance_uid": instance}
    request = Command(field=CommandField.C_STORE_RQ, message_id=4, has_dataset=True, **about)
    command = Command(
        field=CommandField.C_STORE_RSP, message_id_responded_to=4, status=0xB000, has_dataset=True, **about, **more
    )
    assert message.encode_response(request, 0xB000, has_dataset=True, **more) == message.encode(command)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no Command Field"),
        (b"\0\0\0", "cut off"),
        (element(0x0100, b"\x30"), "2 are defined"),
        (element(0x0100, b"\x30\0")[:-1], "declares"),
        (struct.pack("<HHL", 0, 0x0002, 2**32 - 1) + b"1.2", "declares"),
        (element(0x0018, b"1.2\0", group=8) + ECHO, "(0008,0018)"),
        (us(0x100, 0x01) + us(0x110, 1) + us(0x800, 1) + element(2, b"1.2\0"), "affected sop instance uid"),
        (us(0x100, 0x30) + us(0x800, 0x101) + element(2, b"1.2\0"), "message id"),
        (us(0x100, 0x30) + us(0x110, 1) + us(0x800, 0x101), "affected sop class uid"),
        (us(0x100, 0x21) + us(0x110, 1) + us(0x800, 1) + element(2, b"1.2\0"), "move destination"),
        (us(0x100, 0x0FFF) + us(0x800, 0x101), "message id responded to"),
        (us(0x100, 0x8001) + us(0x120, 1) + us(0x800, 0x101), "status"),
        (ECHO + element(0x0901, b"\0\0\0"), "multiple of 4"),
    ],
)
def test_wrong_command_sets(content: bytes, words: str) -> None:
    with pytest.raises(CommandError, match=words.replace("(", r"\(").replace(")", r"\)")):
        message.decode(content)


@given(st.binary(max_size=200))
def test_anything_is_decoded_or_refused(content: bytes) -> None:
    for whole in (content, ECHO + content):
        try:
            message.decode(whole)
        except CommandError:
            continue


TEXT = st.text("0123456789.", min_size=1, max_size=64).filter(lambda text: text.strip())


@given(TEXT, TEXT, st.integers(0, 65535), st.integers(0, 65535), st.booleans())
def test_commands_both_ways(sop_class: str, instance: str, message_id: int, priority: int, has_dataset: bool) -> None:
    command = Command(
        field=CommandField.C_STORE_RQ,
        has_dataset=has_dataset,
        affected_sop_class_uid=sop_class,
        affected_sop_instance_uid=instance,
        message_id=message_id,
        priority=priority,
    )
    encoded = message.encode(command)
    assert len(encoded) % 2 == 0
    assert message.decode(memoryview(encoded)) == command
