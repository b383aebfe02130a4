"""PS3.18 §10.4.1.1.6: frames, native and encapsulated."""

import numpy as np
import pytest
from pydicom.encaps import encapsulate

from conformance.archive import BITS, FRAME_COUNT, ODD_FRAMES, Archive, jpeg_frames
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.samples import JPEG, JPEG_LOSSLESS, add_pixels, make, sample
from conformance.service import OCTETS, STORED_OCTETS, Service, is_problem

STORED_JPEG = f'multipart/related; type="image/jpeg"; transfer-syntax={JPEG}'
VARIANTS = [
    "basic offset table",
    "empty offset table",
    "several fragments, offset table",
    "several fragments, no table",
    "extended offset table",
]


def frames(service: Service, path: str, numbers: str, accept: str = OCTETS) -> list[bytes]:
    return [part.body for part in decode(service.get(f"{path}/frames/{numbers}", accept=accept))]


@requires("PS3.18 §10.4.1.1.6")
@pytest.mark.parametrize(("numbers", "expected"), [("1", [1]), ("1,2,3", [1, 2, 3]), ("2,3", [2, 3]), ("3", [3])])
def test_the_listed_frames_come(service: Service, archive: Archive, numbers: str, expected: list[int]) -> None:
    assert frames(service, archive.odd.path, numbers) == [ODD_FRAMES[number - 1] for number in expected]


@requires("PS3.18 §10.4.1.1.6")
def test_frames_of_an_unordered_list_can_be_told_apart(service: Service, archive: Archive) -> None:
    parts = decode(service.get(archive.odd.path + "/frames/3,1", accept=OCTETS))
    by_number = {part.headers["content-location"].rsplit("/", 1)[1]: part.body for part in parts}
    assert by_number == {"3": ODD_FRAMES[2], "1": ODD_FRAMES[0]}


@requires("PS3.18 §10.4.3")
def test_the_content_location_of_a_frame_gives_the_same_bytes(service: Service, archive: Archive) -> None:
    part = decode(service.get(archive.odd.path + "/frames/2", accept=OCTETS))[0]
    again = decode(service.get(service.relative(part.headers["content-location"]), accept=OCTETS))[0]
    assert again.body == part.body


@requires("PS3.18 §10.4.1.1.6")
def test_a_percent_encoded_comma_separates_too(service: Service, archive: Archive) -> None:
    assert frames(service, archive.odd.path, "1%2C2") == list(ODD_FRAMES[:2])


@requires("PS3.18 §10.4.1.1.6", "B")
def test_all_frames_come_without_a_list(service: Service, archive: Archive) -> None:
    parts = decode(service.get(archive.odd.path + "/frames", accept=OCTETS))
    assert [part.body for part in parts] == list(ODD_FRAMES)


@requires("PS3.18 §10.4.1.1.6")
@pytest.mark.parametrize("numbers", ["0", "-1", "x", "1.5", "1,,2", "1,x", "1;2", "%20"])
def test_ill_formed_frame_numbers_answer_400(service: Service, archive: Archive, numbers: str) -> None:
    assert service.get(f"{archive.odd.path}/frames/{numbers}", accept=OCTETS).status_code == 400


@requires("PS3.18 §10.4.1.1.6")
@pytest.mark.parametrize("numbers", ["4", "1,4", "99999999999999999999"])
def test_frames_beyond_the_last_answer_404_or_400(service: Service, archive: Archive, numbers: str) -> None:
    assert service.get(f"{archive.odd.path}/frames/{numbers}", accept=OCTETS).status_code in (400, 404)


@requires("PS3.18 §10.4.1.1.6")
def test_frames_of_an_instance_without_pixels_answer_404(service: Service, archive: Archive) -> None:
    assert service.get(archive.report.path + "/frames/1", accept=OCTETS).status_code in (400, 404, 406)


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("accept", [None, OCTETS, STORED_OCTETS])
def test_native_frames_are_little_endian(service: Service, archive: Archive, accept: str | None) -> None:
    part = decode(service.get(archive.ct[2].path + "/frames/1", accept=accept))[0]
    assert part.body == archive.ct[2].dataset.PixelData


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("name", ["implicit", "big_endian", "deflated"])
def test_frames_stored_otherwise_are_little_endian(service: Service, archive: Archive, name: str) -> None:
    expected = (np.arange(30, dtype="<i2") * 257 - 300).tobytes()
    assert frames(service, getattr(archive, name).path, "1") == [expected]


@requires("PS3.5 §8.2")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_colour_frames_keep_the_order_of_samples(service: Service, archive: Archive, number: int) -> None:
    pixels = archive.colour.dataset.PixelData
    assert frames(service, archive.colour.path, str(number)) == [pixels[(number - 1) * 72 : number * 72]]


@requires("PS3.5 §8.1.1")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_bit_frames_begin_at_a_byte(service: Service, archive: Archive, number: int) -> None:
    body = frames(service, archive.bits.path, str(number))[0]
    found = np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")[:25]
    assert tuple(bool(bit) for bit in found) == BITS[number - 1]


@requires("PS3.5 §A.4")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_encapsulated_frames_are_joined_from_their_fragments(
    service: Service, archive: Archive, variant: str, number: int
) -> None:
    found = frames(service, archive.jpeg[variant].path, str(number), STORED_JPEG)
    assert [one.rstrip(b"\0") for one in found] == [jpeg_frames()[number - 1].rstrip(b"\0")]


@requires("PS3.18 §8.7.3.3")
@pytest.mark.parametrize(
    "accept",
    [
        STORED_JPEG,
        STORED_OCTETS,
        'multipart/related; type="application/octet-stream"; transfer-syntax="*"',
        'multipart/related; type="*/*"; transfer-syntax=*',
    ],
)
def test_stored_compression_comes_in_its_media_type(service: Service, archive: Archive, accept: str) -> None:
    part = decode(service.get(archive.jpeg["basic offset table"].path + "/frames/1", accept=accept))[0]
    assert (part.content_type, part.parameter("transfer-syntax")) in [
        ("image/jpeg", JPEG),
        ("image/jpeg", None),
        ("application/octet-stream", JPEG),
    ]


@requires("PS3.18 §8.7.3.3")
def test_a_compression_without_transfer_syntax_is_any_of_its_media_type(service: Service, archive: Archive) -> None:
    accept = 'multipart/related; type="image/jpeg"'
    part = decode(service.get(archive.jpeg["basic offset table"].path + "/frames/1", accept=accept))[0]
    assert (part.content_type, part.parameter("transfer-syntax") in (None, JPEG, JPEG_LOSSLESS)) == ("image/jpeg", True)


@requires("PS3.18 §8.7.3.3", "B")
def test_uncompressed_frames_of_a_compressed_instance_come_or_are_refused_with_a_reason(
    service: Service, archive: Archive
) -> None:
    accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'
    response = service.get(archive.jpeg["basic offset table"].path + "/frames/1", accept=accept)
    assert response.status_code == 200 or (response.status_code == 406 and is_problem(response))


@requires("PS3.18 §8.7.3.5.2", "B")
def test_one_frame_comes_as_a_single_part_when_asked(service: Service, archive: Archive) -> None:
    response = service.get(archive.odd.path + "/frames/2", accept="application/octet-stream")
    assert (response.headers["content-type"].split(";")[0], response.content) == (
        "application/octet-stream",
        ODD_FRAMES[1],
    )


@requires("PS3.18 §8.7.3.5.2", "B")
def test_one_compressed_frame_comes_as_a_single_part_when_asked(service: Service, archive: Archive) -> None:
    response = service.get(archive.jpeg["basic offset table"].path + "/frames/2", accept="image/jpeg")
    assert response.headers["content-type"].split(";")[0] == "image/jpeg"
    assert response.content.rstrip(b"\0") == jpeg_frames()[1].rstrip(b"\0")


@requires("PS3.18 §8.7.3.5.2", "B")
def test_several_frames_as_a_single_part_answer_406(service: Service, archive: Archive) -> None:
    response = service.get(archive.odd.path + "/frames/1,2", accept="application/octet-stream")
    assert response.status_code == 406


@requires("PS3.18 §10.4.1.1.6", "B")
def test_a_frame_asked_twice_comes_twice_or_is_refused(service: Service, archive: Archive) -> None:
    response = service.get(archive.odd.path + "/frames/1,1", accept=OCTETS)
    assert response.status_code == 400 or len(decode(response)) in (1, 2)


@requires("PS3.18 §10.4.1.1.6", "B")
def test_frames_are_counted_as_the_attribute_says(service: Service, archive: Archive) -> None:
    metadata = service.metadata(archive.odd.path)[0]
    assert [int(number) for number in metadata["00280008"]["Value"]] == [FRAME_COUNT]


@requires("PS3.18 §8.7.3.4", "O")
@pytest.mark.parametrize(
    ("transfer_syntax", "media_type"),
    [
        ("1.2.840.10008.1.2.4.100", "video/mpeg"),
        ("1.2.840.10008.1.2.4.102", "video/mp4"),
        ("1.2.840.10008.1.2.4.107", "video/H265"),
    ],
)
def test_a_video_comes_as_its_whole_stream(service: Service, transfer_syntax: str, media_type: str) -> None:
    stream = bytes(range(256)) * 40
    dataset = make("1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES")
    add_pixels(dataset, b"", 16, 16, NumberOfFrames=100)
    dataset.PixelData = encapsulate([stream], fragments_per_frame=3, has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    video = sample(dataset, transfer_syntax)
    service.store(video.data)
    accept = f'multipart/related; type="{media_type}"; transfer-syntax=*'
    response = service.get(video.path + "/frames/1", accept=accept)
    assert response.status_code == 406 or [part.body for part in decode(response)] == [stream]
