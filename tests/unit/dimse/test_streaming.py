"""Fragments to messages: whatever the fragments, whatever the order of reading; and back through our own PDUs."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomweb_server.dimse.ending import AssociationLostError
from dicomweb_server.dimse.fragmenting import command_pdus, data_pdus, largest_fragment, message_pdus
from dicomweb_server.dimse.framing import Framer
from dicomweb_server.dimse.message import Command, CommandField, encode
from dicomweb_server.dimse.negotiation import Context
from dicomweb_server.dimse.pdu import AbortReason, PduError, fragments
from dicomweb_server.dimse.streaming import WAKE_AT, DataStream, Inbox, Message
from dicomweb_server.pause import Pause

CT = "1.2.840.10008.5.1.4.1.1.2"
STORE = encode(
    Command(
        field=CommandField.C_STORE_RQ,
        has_dataset=True,
        affected_sop_class_uid=CT,
        affected_sop_instance_uid="1.2.3",
        message_id=1,
    )
)
ECHO = encode(Command(field=CommandField.C_ECHO_RQ, affected_sop_class_uid="1.2.840.10008.1.1", message_id=2))
FOUND = encode(Command(field=CommandField.C_FIND_RSP, has_dataset=True, message_id_responded_to=1, status=0xFF00))
COMMAND, LAST = 1, 2


def inbox(waiting: list[int] | None = None) -> Inbox:
    made = Inbox((waiting if waiting is not None else []).append)
    made.contexts = {1: Context(1, CT, "1.2.840.10008.1.2"), 3: Context(3, "1.2.840.10008.1.1", "1.2.840.10008.1.2")}
    return made


def feed(target: Inbox, pdus: bytes) -> None:
    framer = Framer(1 << 20)
    while pdus:
        buffer = framer.get_buffer()
        count = min(len(buffer), len(pdus))
        buffer[:count] = pdus[:count]
        pdus = pdus[count:]
        framer.received(count)
        while (pdu := framer.next_pdu()) is not None:
            for context_id, control, fragment in fragments(pdu[1]):
                target.feed(context_id, control, fragment)
        target.resume()


async def content(message: Message | None) -> bytes:
    assert message is not None
    assert message.data is not None
    found = await message.data.whole(1 << 30)
    assert found is not None
    return found


@settings(deadline=None)
@given(st.binary(max_size=20_000), st.integers(1, 5000), st.binary(max_size=300), st.integers(2, 50))
def test_what_we_cut_is_put_together_again(dataset: bytes, size: int, small: bytes, small_size: int) -> None:
    async def run() -> None:
        target = inbox()
        feed(target, message_pdus(1, STORE, dataset, size))
        feed(target, message_pdus(1, STORE, small, small_size))
        feed(target, command_pdus(3, ECHO, size))
        assert await content(await target.receive()) == dataset
        assert await content(await target.receive()) == small
        echo = await target.receive()
        assert echo is not None
        assert echo.data is None
        assert echo.command.message_id == 2
        assert not target.in_message

    asyncio.run(run())


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=8), st.integers(2, 1000))
def test_a_data_set_sent_in_parts(parts: list[bytes], size: int) -> None:
    async def run() -> None:
        target = inbox()
        feed(target, command_pdus(1, STORE, size))
        for number, part in enumerate(parts):
            feed(target, b"".join(data_pdus(1, part, size, last=number == len(parts) - 1)))
        assert await content(await target.receive()) == b"".join(parts)

    asyncio.run(run())


def test_largest_fragments() -> None:
    assert largest_fragment(16384) == 16378
    assert largest_fragment(16383) == 16376  # fragments are even
    assert largest_fragment(0) > 100_000
    assert largest_fragment(1) == 250


async def test_fragments_of_one_byte_do_not_cost_an_object_each() -> None:
    target = inbox()
    target.feed(1, COMMAND | LAST, memoryview(STORE))
    for value in b"0123456789" * 500:
        target.feed(1, 0, memoryview(bytes((value,))))
    target.feed(1, LAST, memoryview(b"."))
    message = await target.receive()
    assert message is not None
    assert message.data is not None
    chunks = await message.data.read()
    assert len(chunks) == 1
    assert len(chunks[0]) == 5001


async def test_a_large_data_set_can_be_read_before_it_is_whole() -> None:
    waiting: list[int] = []
    target = inbox(waiting)
    target.feed(1, COMMAND | LAST, memoryview(STORE))
    message = await target.receive()  # there is something to do before the first fragment
    assert message is not None
    assert message.data is not None
    reading = asyncio.ensure_future(message.data.read())
    await asyncio.sleep(0)
    target.feed(1, 0, memoryview(bytes(WAKE_AT - 1)))
    target.resume()
    assert not reading.done()
    target.feed(1, 0, memoryview(b"x"))
    target.resume()
    assert sum(map(len, await reading)) == WAKE_AT
    assert waiting[-1] == 0
    reading = asyncio.ensure_future(message.data.read())
    await asyncio.sleep(0)
    assert not reading.done()
    target.feed(1, LAST, memoryview(b"end"))
    target.resume()
    assert await reading == [b"end"]
    assert await message.data.read() == []


async def test_a_reader_is_told_at_once_of_more_than_it_takes() -> None:
    target = inbox()
    target.feed(1, COMMAND | LAST, memoryview(STORE))
    message = await target.receive()
    assert message is not None
    assert message.data is not None
    reading = asyncio.ensure_future(message.data.whole(1000))
    await asyncio.sleep(0)
    target.feed(1, 0, memoryview(bytes(1000)))
    target.resume()
    await asyncio.sleep(0)
    assert not reading.done()
    target.feed(1, 0, memoryview(b"x"))
    target.resume()
    assert await reading is None


async def test_a_response_is_delivered_when_there_is_something_to_look_at() -> None:
    target = inbox()
    answered: list[Message] = []
    target.answered = answered.append
    target.feed(1, COMMAND | LAST, memoryview(FOUND))
    assert not answered
    target.feed(1, LAST, memoryview(b"match"))
    assert await content(answered[0]) == b"match"


async def test_waiting_bytes_are_counted_until_they_are_taken() -> None:
    waiting: list[int] = []
    target = inbox(waiting)
    for _ in range(3):
        target.feed(1, COMMAND | LAST, memoryview(STORE))
        target.feed(1, LAST, memoryview(bytes(10_000)))
    assert waiting[-1] > 30_000
    for _ in range(3):
        await content(await target.receive())
    assert waiting[-1] == 0


async def test_dropped_data_is_not_kept() -> None:
    waiting: list[int] = []
    target = inbox(waiting)
    target.feed(1, COMMAND | LAST, memoryview(STORE))
    target.feed(1, 0, memoryview(bytes(WAKE_AT)))
    message = await target.receive()
    assert message is not None
    assert message.data is not None
    message.data.drop()
    target.feed(1, LAST, memoryview(bytes(WAKE_AT)))
    assert waiting[-1] == 0
    assert message.data.size == 2 * WAKE_AT
    assert await message.data.read() == []


async def test_an_identifier_has_a_limit() -> None:
    stream = DataStream(lambda count: None, [])
    stream.feed(memoryview(bytes(1000)), last=True)
    assert await stream.whole(999) is None


async def test_a_lost_association_fails_the_reader_and_keeps_what_is_whole() -> None:
    target = inbox()
    target.feed(3, COMMAND | LAST, memoryview(ECHO))
    target.feed(1, COMMAND | LAST, memoryview(STORE))
    target.feed(1, 0, memoryview(bytes(WAKE_AT)))
    target.close(AssociationLostError("gone"))
    assert (await target.receive()).command.field == CommandField.C_ECHO_RQ  # type: ignore[union-attr]
    store = await target.receive()
    assert store is not None
    assert store.data is not None
    with pytest.raises(AssociationLostError):
        await store.data.read()
    assert await target.receive() is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([(1, 4, STORE)], AbortReason.INVALID_PARAMETER),
        ([(5, 3, STORE)], AbortReason.INVALID_PARAMETER),
        ([(0, 3, STORE)], AbortReason.INVALID_PARAMETER),
        ([(1, 2, b"data first")], AbortReason.UNEXPECTED_PARAMETER),
        ([(3, 3, ECHO), (3, 2, b"a data set that was not announced")], AbortReason.UNEXPECTED_PARAMETER),
        ([(1, 3, STORE), (1, 3, STORE)], AbortReason.UNEXPECTED_PARAMETER),
        ([(1, 3, STORE), (3, 2, b"in another context")], AbortReason.UNEXPECTED_PARAMETER),
        ([(1, 1, STORE[:20]), (1, 2, b"data within a command")], AbortReason.UNEXPECTED_PARAMETER),
        ([(1, 3, b"garbage")], AbortReason.INVALID_PARAMETER),
        ([(1, 1, bytes(40_000)), (1, 1, bytes(40_000))], AbortReason.INVALID_PARAMETER),
    ],
)
async def test_what_cannot_come_here(values: list[tuple[int, int, bytes]], reason: AbortReason) -> None:
    target = inbox()
    *before, (context_id, control, fragment) = values
    for each in before:
        target.feed(each[0], each[1], memoryview(each[2]))
    with pytest.raises(PduError) as caught:
        target.feed(context_id, control, memoryview(fragment))
    assert caught.value.reason is reason


async def test_a_data_set_that_nobody_reads_is_passed_by() -> None:
    taken: list[int] = []
    over: list[Pause] = []
    data = DataStream(taken.append, over)
    data.feed(memoryview(b"1234"), last=False)
    passing = asyncio.ensure_future(data.pass_by())
    await asyncio.sleep(0)
    assert data.feed(memoryview(bytes(2 * WAKE_AT)), last=False) == 0
    assert (passing.done(), over, sum(taken)) == (False, [], 4)
    data.feed(memoryview(b""), last=True)
    for pause in over:
        pause.end()
    await passing


async def test_a_data_set_that_is_passed_by_may_be_lost() -> None:
    over: list[Pause] = []
    data = DataStream(lambda _: None, over)
    passing = asyncio.ensure_future(data.pass_by())
    await asyncio.sleep(0)
    data.fail(AssociationLostError("gone"))
    for pause in over:
        pause.end()
    with pytest.raises(AssociationLostError, match="gone"):
        await passing
