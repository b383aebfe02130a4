"""Instances that are cut, lie about their lengths, nest without end or inflate without end."""

import struct
import zlib

import httpx
import pytest

from conformance import samples
from conformance.archive import Archive, build
from conformance.cost import Clock, at_most
from conformance.requirement import requires
from conformance.samples import Sample, element, make, raw_identity, raw_part10, raw_path, sample, text
from conformance.service import JSON, STORED, STORED_OCTETS, Service

REFUSED = (400, 409, 413)
MEGABYTE = 1 << 20
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
KINDS = ["ct", "colour", "bits", "pdf", "report", "implicit", "big_endian", "deflated", "floats", "japanese", "jpeg"]


@pytest.fixture(scope="module")
def sources() -> Archive:
    return build()


def one_of(archive: Archive, kind: str) -> Sample:
    if kind == "ct":
        return archive.ct[0]
    if kind == "jpeg":
        return archive.jpeg["several fragments, no table"]
    found = getattr(archive, kind)
    assert isinstance(found, Sample)
    return found


def look_at(service: Service, path: str) -> list[int]:
    """Statuses of everything that reads a stored instance; 404 throughout if it is not stored."""
    wanted = {
        path: STORED,
        path + "/metadata": JSON,
        path + "/frames/1": STORED_OCTETS,
        path + "/bulkdata": None,
        path + "/pixeldata": None,
    }
    return [service.get(url, accept=accept).status_code for url, accept in wanted.items()]


def refused_or_readable(service: Service, response: httpx.Response, path: str) -> bool:
    """A refusal; or a success, even with a warning, after which nothing that reads the instance fails."""
    if response.status_code in REFUSED:
        return True
    return response.status_code in (200, 202) and max(look_at(service, path)) < 500


@requires("Hostile input: truncated files", "B")
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_at_each_64th_is_refused_or_readable(
    service: Service, clock: Clock, sources: Archive, kind: str
) -> None:
    one = one_of(sources, kind)
    for cut in range(1, 64):
        with at_most(1, clock):
            response = service.store(one.data[: len(one.data) * cut // 64])
            assert refused_or_readable(service, response, one.path), f"{cut}/64: {response.status_code} {response.text}"


@requires("Hostile input: truncated files", "B")
def test_a_file_cut_at_each_byte_is_refused_or_readable(service: Service) -> None:
    one = sample(make())
    statuses = {service.store(one.data[:cut]).status_code for cut in range(0, len(one.data), 3)}
    assert statuses <= {200, 202, *REFUSED}
    assert max(look_at(service, one.path)) < 500


@requires("Hostile input: truncated files", "B")
def test_all_cuts_in_one_request_are_accounted_for(service: Service) -> None:
    one = sample(make())
    cuts = [one.data[: len(one.data) * cut // 64] for cut in range(1, 64)]
    found = service.store(*cuts).json()
    assert sum(len(found.get(tag, {}).get("Value", [])) for tag in ("00081199", "00081198", "0008119A")) == 63


LIES = {
    "a long value beyond the end": element(0x00420011, b"OB", bytes(1000), 1 << 30),
    "a long value of almost 4 GiB": element(0x00420011, b"OB", b"x", 0xFFFFFFFE),
    "a short value beyond the end": element(0x00081030, b"LO", b"x", 0xFFFE),
    "an undefined length where there is none": element(0x00081030, b"UT", b"x", 0xFFFFFFFF),
    "a sequence beyond the end": element(0x00081032, b"SQ", b"", 1 << 30),
    "a sequence without end": element(0x00081032, b"SQ", ITEM, 0xFFFFFFFF),
    "an item beyond its sequence": element(0x00081032, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 1 << 30)),
    "an item of the wrong tag": element(0x00081032, b"SQ", struct.pack("<HHI", 0x0008, 0x0018, 0)),
    "a group length beyond the end": element(0x00080000, b"UL", struct.pack("<I", 0xFFFFFFF0)),
    "a delimiter without sequence": SEQUENCE_END,
    "an item end without item": ITEM_END,
    "zeros": bytes(64),
    "half a tag": b"\x08",
}


@requires("Hostile input: element length lies", "B")
@pytest.mark.parametrize("name", list(LIES))
def test_an_element_that_lies_is_refused_or_readable(service: Service, clock: Clock, name: str) -> None:
    identity = raw_identity()
    with at_most(1, clock):
        response = service.store(raw_part10([*identity.values(), LIES[name]]))
        assert refused_or_readable(service, response, raw_path(identity)), f"{response.status_code} {response.text}"


@requires("Hostile input: element length lies", "B")
@pytest.mark.parametrize("length", [0, 1, 0xFFFFFFF0])
def test_a_wrong_length_of_the_file_meta_is_refused_or_readable(service: Service, length: int) -> None:
    identity = raw_identity()
    data = bytearray(raw_part10(list(identity.values())))
    data[140:144] = struct.pack("<I", length)
    assert refused_or_readable(service, service.store(bytes(data)), raw_path(identity))


def image(**changes: int) -> dict[int, bytes]:
    numbers = {"samples": 1, "rows": 4, "columns": 4, "bits": 8, **changes}
    identity = raw_identity()
    identity[0x00280002] = element(0x00280002, b"US", struct.pack("<H", numbers["samples"]))
    identity[0x00280008] = text(0x00280008, b"IS", str(numbers.get("frames", 1)))
    identity[0x00280010] = element(0x00280010, b"US", struct.pack("<H", numbers["rows"]))
    identity[0x00280011] = element(0x00280011, b"US", struct.pack("<H", numbers["columns"]))
    identity[0x00280100] = element(0x00280100, b"US", struct.pack("<H", numbers["bits"]))
    return identity


DIMENSIONS = [
    {"rows": 65535, "columns": 65535},
    {"rows": 0},
    {"columns": 0},
    {"frames": 2**31},
    {"frames": 2**63},
    {"frames": 0},
    {"frames": -1},
    {"bits": 0},
    {"bits": 3},
    {"bits": 65535},
    {"samples": 0},
    {"samples": 65535},
]


@requires("Hostile input: dimensions", "B")
@pytest.mark.parametrize("changes", DIMENSIONS, ids=[str(one) for one in DIMENSIONS])
def test_pixels_that_do_not_fit_are_refused_or_readable(service: Service, changes: dict[str, int]) -> None:
    identity = image(**changes)
    response = service.store(raw_part10([*identity.values(), element(0x7FE00010, b"OB", bytes(16))]))
    assert refused_or_readable(service, response, raw_path(identity))


def fragments(*contents: bytes, table: bytes = b"", end: bytes = SEQUENCE_END) -> bytes:
    items = [struct.pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in (table, *contents)]
    return element(0x7FE00010, b"OB", b"".join(items) + end, 0xFFFFFFFF)


PIXELS = {
    "no value": element(0x7FE00010, b"OB", b""),
    "no fragments": fragments(),
    "not even a table": element(0x7FE00010, b"OB", SEQUENCE_END, 0xFFFFFFFF),
    "empty fragments": fragments(b"", b"", b""),
    "no end": fragments(b"\xff\xd8\xff\xd9", end=b""),
    "a table beyond the end": fragments(b"\xff\xd8\xff\xd9", table=struct.pack("<I", 0xFFFFFFF0)),
    "a table of an odd length": fragments(b"\xff\xd8\xff\xd9", table=b"\0\0\0"),
    "a table that goes back": fragments(b"\xff\xd8" * 9, b"\xff\xd9" * 9, table=struct.pack("<3I", 0, 26, 0)),
    "a table of 100000 entries": fragments(b"\xff\xd8\xff\xd9", table=bytes(400_000)),
    "a fragment beyond the end": element(
        0x7FE00010, b"OB", struct.pack("<HHIHHI", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, 1 << 30), 0xFFFFFFFF
    ),
    "100000 fragments of one frame": fragments(*[b"ab"] * 100_000),
    "not compressed at all": element(0x7FE00010, b"OB", bytes(16)),
}


@requires("Hostile input: codec streams", "B")
@pytest.mark.parametrize("name", list(PIXELS))
@pytest.mark.parametrize("frames", [1, 3])
def test_broken_encapsulated_pixels_are_refused_or_readable(service: Service, name: str, frames: int) -> None:
    identity = image(frames=frames)
    data = raw_part10([*identity.values(), PIXELS[name]], transfer_syntax=samples.JPEG)
    assert refused_or_readable(service, service.store(data), raw_path(identity))


@requires("Hostile input: codec streams", "B")
@pytest.mark.parametrize("offset", [0, 2**40, 2**64 - 1])
def test_a_broken_extended_offset_table_is_refused_or_readable(service: Service, offset: int) -> None:
    identity = image(frames=2)
    tables = [
        element(0x7FE00001, b"OV", struct.pack("<2Q", 0, offset)),
        element(0x7FE00002, b"OV", struct.pack("<2Q", 2**64 - 1, 2**63)),
    ]
    data = raw_part10([*identity.values(), *tables, fragments(b"ab" * 9, b"cd")], transfer_syntax=samples.JPEG)
    assert refused_or_readable(service, service.store(data), raw_path(identity))


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    return opening * depth + closing * depth


EXPLICIT_NEST = element(0x0040A730, b"SQ", b"", 0xFFFFFFFF) + ITEM
UNKNOWN_NEST = element(0x0040A730, b"UN", b"", 0xFFFFFFFF) + ITEM
IMPLICIT_NEST = struct.pack("<HHI", 0x0040, 0xA730, 0xFFFFFFFF) + ITEM
CLOSING = ITEM_END + SEQUENCE_END


@requires("Hostile input: nesting", "B")
@pytest.mark.parametrize("depth", [100, 1000, 10_000, 200_000])
@pytest.mark.parametrize("closing", [CLOSING, b""], ids=["closed", "open"])
@pytest.mark.parametrize("opening", [EXPLICIT_NEST, UNKNOWN_NEST], ids=["sequences", "unknown"])
def test_deep_nesting_is_refused_or_readable(
    service: Service, clock: Clock, depth: int, opening: bytes, closing: bytes
) -> None:
    identity = raw_identity()
    with at_most(2, clock):
        response = service.store(raw_part10([*identity.values(), nested(depth, opening, closing)]))
        assert refused_or_readable(service, response, raw_path(identity))


@requires("Hostile input: nesting", "B")
def test_deep_nesting_in_implicit_vr_is_refused(service: Service) -> None:
    body = samples.without_meta(samples.part10(make(), samples.IMPLICIT)) + nested(10_000, IMPLICIT_NEST, CLOSING)
    data = samples.raw_file(body, samples.CT, samples.new_uid(), samples.IMPLICIT)
    assert service.store(data).status_code in REFUSED


@requires("Hostile input: nesting", "B")
def test_deep_nesting_by_defined_lengths_is_refused(service: Service) -> None:
    content = b""
    for _ in range(10_000):
        content = element(0x0040A730, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content)
    assert service.store(raw_part10([*raw_identity().values(), content])).status_code in REFUSED


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


@requires("Hostile input: deflate bombs", "B")
@pytest.mark.parametrize("megabytes", [100, 400])
def test_a_deflated_bomb_is_refused(service: Service, clock: Clock, megabytes: int) -> None:
    head = b"".join(raw_identity().values()) + element(0x7FE00010, b"OB", b"", megabytes * MEGABYTE)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(MEGABYTE)
    body = packer.compress(head) + b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()
    data = samples.raw_file(body, samples.CT, samples.new_uid(), samples.DEFLATED)
    with at_most(5, clock):
        assert service.store(data).status_code in REFUSED


@requires("Hostile input: deflate bombs", "B")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 100,
        deflated(b"".join(raw_identity().values()))[:-20],
        deflated(b""),
        zlib.compress(b"x" * 100),
    ],
    ids=["empty", "no deflate", "cut", "nothing inside", "a zlib header"],
)
def test_a_broken_deflated_body_is_refused(service: Service, body: bytes) -> None:
    data = samples.raw_file(body, samples.CT, samples.new_uid(), samples.DEFLATED)
    assert service.store(data).status_code in REFUSED


@requires("Hostile input: deflate bombs", "B")
def test_bytes_after_the_deflated_body_are_ignored_or_refused(service: Service) -> None:
    identity = raw_identity()
    body = deflated(b"".join(identity.values())) + b"garbage" * 10
    data = samples.raw_file(body, samples.CT, samples.new_uid(), samples.DEFLATED)
    assert refused_or_readable(service, service.store(data), raw_path(identity))


@requires("Hostile input: encoded bodies", "B")
def test_a_bomb_in_the_content_encoding_is_refused(service: Service) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(MEGABYTE)) for _ in range(200)) + packer.flush()
    headers = {"Content-Type": "application/dicom", "Content-Encoding": "gzip"}
    response = service.send("POST", "/studies", content=bomb, headers=headers)
    assert response.status_code in (400, 409, 413, 415)


NOT_DICOM = {
    "nothing": b"",
    "four letters": b"DICM",
    "zeros": bytes(132),
    "ones after the prefix": bytes(128) + b"DICM" + b"\xff" * 1000,
    "pdf": b"%PDF-1.4",
    "a program": b"MZ" + b"\x90" * 500,
    "html": b"<html>" * 100,
    "noise": bytes(range(256)) * 100,
    "lower case": bytes(128) + b"dicm" + bytes(100),
}


@requires("Hostile input: not DICOM", "B")
@pytest.mark.parametrize("data", list(NOT_DICOM.values()), ids=list(NOT_DICOM))
def test_what_is_not_dicom_is_refused(service: Service, data: bytes) -> None:
    assert service.store(data).status_code in REFUSED
