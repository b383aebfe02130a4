"""Stencil: what the instances of a series have in common, with holes for the elements that vary; reads the next one.

An instance fits if its bytes are, one behind the other, those of the stencil and elements of the holes' tags and VRs,
each as long as it says. That is how `reading` would go through them, so what it would find is known; of an instance
that does not fit nothing is said. One comparison for each stretch: no cost grows faster than the bytes.
"""

from collections.abc import Mapping
from struct import Struct
from typing import NamedTuple

from dicomweb_server.dicom.charset import Charset
from dicomweb_server.dicom.encoding import Buffer
from dicomweb_server.dicom.frames import index_frames, moved
from dicomweb_server.dicom.header import FRAME_TAGS, Header
from dicomweb_server.dicom.memo import MAX_KEY, Conditions
from dicomweb_server.dicom.part10 import PREAMBLE_LENGTH
from dicomweb_server.dicom.reading import Reading, go_on_reading
from dicomweb_server.dicom.values import ToJson, ToText
from dicomweb_server.errors import ServerError

LONGEST = 1 << 16  # bytes of a sequence or binary value in a hole, or of all that a stencil is cut from
NOT_FOUND = -1
# A limit for all that is read beside a stencil, so that no instance fits that has too many elements for the reader.
_BUDGET = 10_000


class Said:
    """What an instance says: members of the JSON, values of the row, the raw values that frames need."""

    __slots__ = ("layout", "members", "values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.members: list[bytes] = []
        self.values = dict(values)
        self.layout: dict[int, bytes] = {}


class Hole(NamedTuple):
    """A place for an element of which the instances have another value each, or that some have not.

    `head`: the tag, and the VR if that is explicit, before a length in `form`. `member`: of the JSON, up to the value.
    """

    form: Struct
    head: bytes
    tag: int
    member: bytes
    column: str | None
    charset: Charset
    to_json: ToJson
    to_text: ToText

    def take(self, buffer: Buffer, position: int, said: Said) -> int:
        """Add what the element says; where to go on, or `NOT_FOUND` if that cannot be told."""
        form, head, tag, member, column, charset, to_json, to_text = self
        found, length = form.unpack_from(buffer, position)
        if found != head:
            return position
        following: int = position + 8 + length
        if length > MAX_KEY:
            return NOT_FOUND
        raw = buffer[position + 8 : following]
        said.members.append(b"%b%b}" % (member, to_json(raw, charset, "<")))
        if column is not None:
            text = to_text(raw, charset, "<") if column else ""
            if text.strip("\\"):
                said.values[column] = text
            if tag in FRAME_TAGS:
                said.layout[tag] = raw
        return following


class RareHole(NamedTuple):
    """The same for what is not plain text or numbers: sequences, binary values, private elements in implicit VR."""

    head: bytes
    conditions: Conditions
    creators: dict[int, str]

    def take(self, buffer: Buffer, position: int, said: Said) -> int:
        """As `Hole.take`; the element is read as any other would be."""
        if buffer[position : position + len(self.head)] != self.head:
            return position
        try:
            reading = go_on_reading(Reading(buffer, _BUDGET), self.conditions, self.creators)
            (member, note), following = reading.read_one(position)
        except ServerError:
            return NOT_FOUND
        if following - position > LONGEST:
            return NOT_FOUND
        if member:
            said.members.append(member)
        if note is not None:
            if note.column and note.text:
                said.values[note.column] = note.text
            if note.tag in FRAME_TAGS:
                said.layout[note.tag] = note.raw
        return following


class SilentHole(NamedTuple):
    """The same for an element of which nothing is told."""

    form: Struct
    head: bytes

    def take(self, buffer: Buffer, position: int, said: Said) -> int:
        """As `Hole.take`."""
        del said
        found, length = self.form.unpack_from(buffer, position)
        if found != self.head:
            return position
        following: int = position + 8 + length
        return following if length <= MAX_KEY else NOT_FOUND


AnyHole = Hole | RareHole | SilentHole


class Step(NamedTuple):
    """Bytes that all instances have next, their JSON, and the hole behind them, but for the last step."""

    encoded: bytes
    json: bytes
    hole: AnyHole | None


class Tail(NamedTuple):
    """The end of an instance like that of the one the stencil was cut from: the head of native pixel data, or nothing.

    `size`: of the pixels; `frames`: the packed index, in which only their offset varies.
    """

    encoded: bytes
    json: bytes
    size: int
    frames: bytes


class Alike(NamedTuple):
    """What an instance that fits says: its JSON, what the index keeps of it, and its packed frame index."""

    json: bytes
    values: dict[str, str]
    transfer_syntax_uid: str
    frames: bytes


class Stencil(NamedTuple):
    """The stencil of a series. What is behind its steps is the tail, or is read: under `conditions`, with `creators`.

    `header`: of an instance, without bytes and pixels; its layout is what holes do not say. `last_tag`: of the steps.
    """

    steps: tuple[Step, ...]
    tail: Tail | None
    values: Mapping[str, str]
    header: Header
    conditions: Conditions
    creators: dict[int, str]
    last_tag: int

    def read(self, buffer: Buffer) -> Alike | None:
        """What a Part 10 file says, if it fits."""
        said = Said(self.values)
        add = said.members.append
        position, last = PREAMBLE_LENGTH, len(buffer) - 8
        for encoded, json, hole in self.steps:
            start, position = position, position + len(encoded)
            if buffer[start:position] != encoded:
                return None
            if json:
                add(json)
            if hole is not None:
                position = hole.take(buffer, position, said) if position <= last else NOT_FOUND
                if position < 0:
                    return None
        frames = self._usual_end(buffer, position, said)
        if frames is None:
            frames = self._other_end(buffer, position, said)
            if frames is None:
                return None
        json = b"{" + b",".join(said.members) + b"}"
        return Alike(json, said.values, self.header.transfer_syntax_uid, frames)

    def _usual_end(self, buffer: Buffer, position: int, said: Said) -> bytes | None:
        if self.tail is None:
            return None
        encoded, json, size, frames = self.tail
        pixels = position + len(encoded)
        if pixels + size != len(buffer) or buffer[position:pixels] != encoded:
            return None
        if not encoded:
            return frames
        said.members.append(json)
        return moved(frames, pixels)

    def _other_end(self, buffer: Buffer, position: int, said: Said) -> bytes | None:
        """Read what is left as it would be read without a stencil."""
        end = len(buffer)
        if position > end:
            return None
        reading = Reading(buffer, _BUDGET)
        data_set = go_on_reading(reading, self.conditions, dict(self.creators))
        try:
            data_set.read(position, end, open_ended=False)
        except ServerError:
            return None
        members = list(filter(None, data_set.fragments))
        if not data_set.in_order or (members and int(members[0][1:9], 16) <= self.last_tag):
            return None
        said.members += members
        said.values |= {column: text for column, text in reading.values.items() if text}
        layout = {**self.header.layout, **said.layout, **reading.layout}
        header = self.header._replace(buffer=buffer, end=end, pixel_data=reading.pixel_data, layout=layout)
        return index_frames(header).pack()
