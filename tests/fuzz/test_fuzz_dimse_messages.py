"""Sequences of whole messages, right and damaged ones, to a server that must answer or abort."""

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.fuzz_dimse_messages import CONTEXTS, Said, Target, as_bytes, messages_of, nothing_fails, opened, valid

_ELEMENT = struct.Struct("<HHL")
_VALID = valid()
_KNOWN = [
    *(0x0002, 0x0003, 0x0100, 0x0110, 0x0120, 0x0600, 0x0700, 0x0800, 0x0900, 0x0901),
    *(0x0902, 0x1000, 0x1001, 0x1002, 0x1005, 0x1008, 0x1020, 0x1030, 0x1031),
]
_FIELDS = [0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x0FFF]


def elements_of(command: bytes) -> list[tuple[int, int, bytes]]:
    """Group, element and content of each element, without the group length."""
    found, position = [], 0
    while position < len(command):
        group, element, length = _ELEMENT.unpack_from(command, position)
        position += 8
        found.append((group, element, command[position : position + length]))
        position += length
    return found[1:]


def encoded(elements: list[tuple[int, int, bytes]]) -> bytes:
    """With a group length."""
    body = b"".join(_ELEMENT.pack(group, element, len(content)) + content for group, element, content in elements)
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


_CONTENT = st.one_of(
    st.just(b""),
    st.integers(0, 0xFFFF).map(struct.Struct("<H").pack),
    st.sampled_from([field | answer for field in _FIELDS for answer in (0, 0x8000)]).map(struct.Struct("<H").pack),
    st.sampled_from(CONTEXTS).map(lambda uid: uid.encode() + b"\0" * (len(uid) % 2)),
    st.binary(max_size=20),
    st.sampled_from([b"1" * 70, b"X" * 20_000, b"1." + b"0" * 62, b"1..2", b"\xff\xfe" * 9, b"GONE", b"\0" * 1200]),
)
_ODD_ELEMENT = st.tuples(
    st.sampled_from([0, 0, 0, 0, 0, 0, 2, 8, 0xFFFE]), st.sampled_from(_KNOWN) | st.integers(0, 0xFFFF), _CONTENT
)


@st.composite
def commands(draw: st.DrawFn, right: bytes) -> bytes:
    """A right command set whose elements are wrong, missing, doubled, added or out of order; at times cut."""
    elements = elements_of(right)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, max(len(elements) - 1, 0)))
        change = draw(st.sampled_from(["drop", "double", "add", "content", "content", "move", "length"]))
        if change == "add" or not elements:
            elements.insert(place, draw(_ODD_ELEMENT))
        elif change == "drop":
            del elements[place]
        elif change == "double":
            elements.insert(place, elements[place])
        elif change == "move":
            elements.append(elements.pop(place))
        else:
            group, element, content = elements[place]
            content = content[: draw(st.integers(0, len(content)))] if change == "length" else draw(_CONTENT)
            elements[place] = group, element, content
    command = encoded(elements)
    return command[: draw(st.integers(0, len(command)))] if draw(st.integers(0, 15)) == 15 else command


@st.composite
def datasets(draw: st.DrawFn, right: bytes) -> bytes:
    """A right data set, cut, with other bytes in it, that of another message, or anything."""
    kind = draw(st.sampled_from(["right", "right", "cut", "bytes", "other", "anything"]))
    if kind == "cut":
        return right[: draw(st.integers(0, len(right)))]
    if kind == "bytes" and right:
        place = draw(st.integers(0, len(right) - 1))
        return right[:place] + draw(st.binary(min_size=1, max_size=8)) + right[place + draw(st.integers(0, 8)) :]
    if kind == "other":
        return draw(st.sampled_from(_VALID)).dataset
    return draw(st.binary(max_size=300)) if kind == "anything" else right


@st.composite
def messages(draw: st.DrawFn) -> Said:
    right = draw(st.sampled_from(_VALID))
    context = right.context if draw(st.integers(0, 7)) else draw(st.integers(0, len(CONTEXTS) - 1))
    return Said(context, draw(commands(right.command)), draw(datasets(right.dataset)), draw(st.integers(0, 19)) > 0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Target]]:
    """A server for all of them, on an event loop of its own."""
    folder: Path = tmp_path_factory.mktemp("messages")
    with asyncio.Runner() as runner:
        context = opened(folder)
        yield runner, runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


def said(running: tuple[asyncio.Runner, Target], *sequence: Said, window: int = 1, is_hasty: bool = False) -> None:
    runner, target = running
    with nothing_fails():
        runner.run(target.say(sequence, window, is_hasty=is_hasty))


def test_right_messages_are_answered(running: tuple[asyncio.Runner, Target]) -> None:
    for message in _VALID:
        said(running, message)
    said(running, *_VALID)
    assert list(messages_of(as_bytes(_VALID[:4]))) == _VALID[:4]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequence=st.lists(messages(), min_size=1, max_size=4), window=st.sampled_from([1, 4]), is_hasty=st.booleans())
def test_any_messages_are_answered_or_the_association_is_aborted(
    running: tuple[asyncio.Runner, Target], sequence: list[Said], window: int, is_hasty: bool
) -> None:
    said(running, *sequence, window=window, is_hasty=is_hasty)
