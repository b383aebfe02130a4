"""WADO-RS in other transfer syntaxes: what is named is made, frame by frame or whole, and says so."""

import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from pydicom.uid import generate_uid

from dicomweb_server.dicom.pixels.decode import decode_frame
from dicomweb_server.dicom.pixels.description import PixelDescription
from dicomweb_server.services.pixels import PixelService
from dicomweb_server.services.retrieve import Scope
from dicomweb_server.services.transcoding import TranscodingService
from dicomweb_server.storage.threads import Threads
from tests.app.dicomweb_harness import Archive, Instance, open_archive, split_parts
from tests.builders import fake_jpeg, make_dataset, make_encapsulated, write_part10
from tests.encoded_images import decoded, image_file, read
from tests.images import described, image

P = "1.2.840.10008.1.2."
EXPLICIT, JPEG, LOSSLESS, JPEG_LS, J2K, J2K_LOSSY, HTJ2K, RLE, DEFLATED = (
    P + last for last in ("1", "4.50", "4.70", "4.80", "4.90", "4.91", "4.201", "5", "1.99")
)
OCTETS = 'multipart/related; type="application/octet-stream"'
CT = described(12, rows=40, columns=48)
RGB = described(8, samples=3, rows=24, columns=30)


def parts_in(uid: str) -> str:
    return f'multipart/related; type="application/dicom"; transfer-syntax={uid}'


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def stored(
    archive: Archive, uid: str = EXPLICIT, description: PixelDescription = CT, frames: int = 1
) -> Instance:
    return (await archive.add(image_file(description, uid, frames)))[0]


@pytest.mark.parametrize("source", [EXPLICIT, J2K, RLE, DEFLATED])
@pytest.mark.parametrize("wanted", [EXPLICIT, LOSSLESS, JPEG_LS, J2K, HTJ2K, RLE, DEFLATED, P + "8.1", P + "1.98"])
@pytest.mark.parametrize("description", [CT, RGB], ids=["gray", "color"])
async def test_an_instance_in_a_transfer_syntax(
    archive: Archive, source: str, wanted: str, description: PixelDescription
) -> None:
    one = await stored(archive, source, description, frames=2)
    (part,) = split_parts(await archive.get(one.path, parts_in(wanted)))
    assert part.headers["content-type"] == f"application/dicom; transfer-syntax={wanted}"
    dataset = read(part.body)
    assert dataset.file_meta.TransferSyntaxUID == wanted
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID == one.uid
    assert "LossyImageCompression" not in dataset
    np.testing.assert_array_equal(decoded(part.body), np.stack([image(description, n) for n in range(2)]))


@pytest.mark.parametrize("source", [LOSSLESS, JPEG_LS, J2K, HTJ2K, RLE])
async def test_without_a_wish_what_lost_nothing_is_explicit(archive: Archive, source: str) -> None:
    """PS3.18 §8.7.3: the default of application/dicom and of bulk data."""
    one = await stored(archive, source)
    for accept in (None, "*/*", 'multipart/related; type="application/dicom"'):
        body = split_parts(await archive.get(one.path, accept))[0].body
        assert read(body).file_meta.TransferSyntaxUID == EXPLICIT
    for accept in (None, "*/*", OCTETS, "application/octet-stream"):
        response = await archive.get(one.path + "/frames/1", accept)
        body = response.content if accept == "application/octet-stream" else split_parts(response)[0].body
        assert body == image(CT).tobytes()
    as_it_is = await archive.get(one.path, parts_in("*"))
    assert split_parts(as_it_is)[0].body == one.data


async def test_without_a_wish_what_lost_something_is_as_stored(archive: Archive) -> None:
    """PS3.18 §8.7.3: "unless the origin server has only access to the pixel data in lossy compressed form"."""
    one = await stored(archive, JPEG, RGB)
    assert split_parts(await archive.get(one.path))[0].body == one.data
    (part,) = split_parts(await archive.get(one.path + "/frames/1"))
    assert part.media_type == "image/jpeg"
    (octets,) = split_parts(await archive.get(one.path + "/frames/1", OCTETS))
    assert octets.body == decoded(one.data)[0].tobytes()
    (part,) = split_parts(await archive.get(one.path, parts_in(EXPLICIT)))
    dataset = read(part.body)
    assert (dataset.PhotometricInterpretation, dataset.LossyImageCompression) == ("RGB", "01")
    assert dataset.SOPInstanceUID == read(one.data).SOPInstanceUID


@pytest.mark.parametrize(
    ("media_type", "uid"),
    [
        ("image/jpeg", LOSSLESS),
        ("image/jls", JPEG_LS),
        ("image/jp2", J2K),
        ("image/jphc", HTJ2K),
        ("image/dicom-rle", RLE),
        ("image/jxl", P + "4.110"),
        ("image/dicom+jp2", J2K),
    ],
)
async def test_frames_in_a_media_type(archive: Archive, media_type: str, uid: str) -> None:
    """PS3.18 table 8.7.3-5: its default transfer syntax, where none is named; two frames, and one alone."""
    one = await stored(archive, frames=3)
    parts = split_parts(await archive.get(one.path + "/frames/3,1", f'multipart/related; type="{media_type}"'))
    alone = await archive.get(one.path + "/frames/2", media_type)
    name = media_type.replace("dicom+", "")
    assert [part.headers["content-type"] for part in parts] == [f"{name}; transfer-syntax={uid}"] * 2
    assert alone.headers["content-type"] == f"{name}; transfer-syntax={uid}"
    description = described(12, rows=40, columns=48, transfer_syntax_uid=uid)
    for number, body in ((2, parts[0].body), (0, parts[1].body), (1, alone.content)):
        np.testing.assert_array_equal(decode_frame(body, description), image(CT, number))


async def test_a_byte_range_of_a_frame_that_is_made(archive: Archive) -> None:
    """What lets a viewer show the lowest resolutions of a progressive stream before the rest has come."""
    one = await stored(archive)
    accept = "image/jphc; transfer-syntax=" + P + "4.202"
    whole = await archive.get(one.path + "/frames/1", accept)
    part = await archive.get(one.path + "/frames/1", accept, range="bytes=0-99")
    rest = await archive.get(one.path + "/frames/1", accept, range="bytes=100-", if_range=part.headers["etag"])
    assert (part.status_code, rest.status_code) == (206, 206)
    assert part.headers["content-range"] == f"bytes 0-99/{len(whole.content)}"
    assert part.content + rest.content == whole.content
    multipart = accept.replace("image/jphc", 'multipart/related; type="image/jphc"')
    body = (await archive.get(one.path + "/frames/1", multipart)).content
    inside = await archive.get(one.path + "/frames/1", multipart, range="bytes=0-9")
    assert (inside.status_code, inside.content) == (206, body[:10])


async def test_tags_tell_representations_apart(archive: Archive) -> None:
    one = await stored(archive)
    for path, media_types in (("", "application/dicom"), ("/frames/1", "image/jpeg")):
        accepts = [f"{media_types}; transfer-syntax={uid}" for uid in (JPEG.replace("50", "57"), LOSSLESS)]
        tags = [(await archive.get(one.path + path, accept)).headers["etag"] for accept in accepts]
        assert len(set(tags)) == 2
        again = await archive.get(one.path + path, accepts[0], if_none_match=tags[0])
        assert again.status_code == 304


async def test_lossy_compression_makes_another_instance(archive: Archive) -> None:
    """PS3.3 §C.7.6.1.1.5: it says what was done, and is not mistaken for the original; asked twice, it is the same."""
    one = await stored(archive, description=RGB)
    bodies = [split_parts(await archive.get(one.path, parts_in(JPEG)))[0].body for _ in range(2)]
    dataset = read(bodies[0])
    assert bodies[0] == bodies[1]
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID != one.uid
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert dataset.LossyImageCompressionRatio > 1
    assert dataset.ImageType[0] == "DERIVED"
    assert dataset.PhotometricInterpretation == "YBR_FULL_422"
    again = await archive.add(bodies[0])
    body = split_parts(await archive.get(again[0].path, parts_in(J2K_LOSSY)))[0].body
    assert list(read(body).LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_15444_1"]


async def test_jpeg_is_recompressed_without_further_loss(archive: Archive) -> None:
    """To JPEG XL and back it stays the same instance, and the frames are the same bytes."""
    recompressed = P + "4.111"
    one = await stored(archive, JPEG, RGB, frames=2)
    (part,) = split_parts(await archive.get(one.path, parts_in(recompressed)))
    assert read(part.body).SOPInstanceUID == one.uid
    assert (await archive.get(one.path + "/frames/1", "image/jxl")).headers["content-type"].endswith(recompressed)
    original = (await archive.get(one.path + "/frames/2", "image/jpeg")).content
    await archive.send("DELETE", one.path)
    (again,) = await archive.add(part.body)
    jpeg = await archive.get(again.path + "/frames/2", "image/jpeg")
    assert (jpeg.content, jpeg.headers["content-type"]) == (original, f"image/jpeg; transfer-syntax={JPEG}")
    (back,) = split_parts(await archive.get(again.path, parts_in(JPEG)))
    assert (read(back.body).SOPInstanceUID, read(back.body).LossyImageCompressionMethod) == (one.uid, "ISO_10918_1")
    refused = await archive.get(
        (await stored(archive)).path + "/frames/1", f"image/jxl; transfer-syntax={recompressed}"
    )
    assert refused.status_code == 406


async def test_a_series_comes_in_one_transfer_syntax(archive: Archive) -> None:
    study, series = generate_uid(), generate_uid()
    identity: dict[str, Any] = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    files = [image_file(CT, uid, SOPInstanceUID=generate_uid(), **identity) for uid in (EXPLICIT, J2K, JPEG_LS)]
    report = make_dataset(SOPInstanceUID=generate_uid(), **identity)
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    broken = make_encapsulated([fake_jpeg(b"x" * 50)], SOPInstanceUID=generate_uid(), **identity)
    await archive.add(*files, write_part10(report, EXPLICIT), broken)
    path = f"/studies/{study}/series/{series}"
    parts = split_parts(await archive.get(path, parts_in(JPEG_LS)))
    syntaxes = sorted(read(part.body).file_meta.TransferSyntaxUID for part in parts)
    # What has no pixels cannot be compressed, and what cannot be decoded comes as it is.
    assert syntaxes == [EXPLICIT, JPEG, JPEG_LS, JPEG_LS, JPEG_LS]
    for part in parts:
        named = part.headers["content-type"].partition("transfer-syntax=")[2]
        assert named in ("", read(part.body).file_meta.TransferSyntaxUID)
    zipped = await archive.get(path, f"application/zip; transfer-syntax={JPEG_LS}")
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as opened:
        names = opened.namelist()
        assert sorted(read(opened.read(name)).file_meta.TransferSyntaxUID for name in names) == syntaxes


async def test_what_cannot_come_in_an_acceptable_transfer_syntax_is_left_out(archive: Archive) -> None:
    """PS3.18 §10.4.3: 206 with what can, 406 if nothing can."""
    identity: dict[str, Any] = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    image8 = image_file(described(8), SOPInstanceUID="1.2.3.8", **identity)
    image12 = image_file(CT, SOPInstanceUID="1.2.3.12", **identity)
    video = make_encapsulated([b"video!"], transfer_syntax_uid=P + "4.102", SOPInstanceUID="1.2.3.99", **identity)
    await archive.add(image8, image12, video)
    path = f"/studies/{identity['StudyInstanceUID']}"

    def made(response: httpx.Response) -> list[str]:
        return sorted(read(part.body).file_meta.TransferSyntaxUID for part in split_parts(response))

    for accept, status, expected in (
        (parts_in(JPEG), 206, [JPEG]),
        (parts_in(JPEG_LS), 206, [JPEG_LS, JPEG_LS]),
        (parts_in(P + "4.102"), 206, [P + "4.102"]),
        (f"{parts_in(JPEG)}, {parts_in('*')}", 200, [JPEG, EXPLICIT, P + "4.102"]),
        (parts_in(JPEG_LS) + "," + parts_in(P + "4.102"), 200, [JPEG_LS, JPEG_LS, P + "4.102"]),
        ("*/*", 200, [EXPLICIT, EXPLICIT, P + "4.102"]),
    ):
        response = await archive.get(path, accept)
        assert (response.status_code, made(response)) == (status, sorted(expected)), accept
        assert ("left out" in response.headers.get("warning", "")) == (status == 206)
    zipped = await archive.get(path, f"application/zip; transfer-syntax={JPEG}")
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as opened:
        assert (zipped.status_code, len(opened.namelist())) == (206, 1)
    none = await archive.get(path, parts_in(P + "4.100"))
    assert none.status_code == 406
    one = f"{path}/series/{identity['SeriesInstanceUID']}/instances/1.2.3.12"
    for accept in (parts_in(JPEG), f"application/zip; transfer-syntax={JPEG}"):
        assert (await archive.get(one, accept)).status_code == 406


async def test_a_large_instance_is_made_frame_by_frame(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("dicomweb_server.services.transcoding._ONE_PIECE", 1000)
    one = await stored(archive, J2K, frames=20)
    for uid in (EXPLICIT, HTJ2K):
        body = split_parts(await archive.get(one.path, parts_in(uid)))[0].body
        np.testing.assert_array_equal(decoded(body), np.stack([image(CT, number) for number in range(20)]))
    assert not any(name.endswith(".part") for _, _, names in os.walk(tmp_path) for name in names)  # of the spool
    monkeypatch.setattr("dicomweb_server.services.transcoding._MOST", 10_000)
    response = await archive.get(one.path, parts_in(RLE))
    assert (response.status_code, "limit" in response.json()["detail"]) == (413, True)


class Refusing:
    """Workers that do nothing."""

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        raise AssertionError("nothing was to be made")


async def test_what_was_made_is_kept_on_the_disk_until_its_instance_goes(archive: Archive) -> None:
    """After a restart too: the memory of another service is empty."""
    one = await stored(archive, J2K, frames=2)
    first = split_parts(await archive.get(one.path + "/frames/2", OCTETS))[0].body
    whole = split_parts(await archive.get(one.path, parts_in(JPEG_LS)))[0].body
    services, store = archive.services, archive.store
    threads = Threads(1, "worker")
    pixels = PixelService(services.retrieve, store.blobs, threads, Refusing(), memory=0)
    other = TranscodingService(services.retrieve, store.blobs, threads, pixels, store.transcoded)
    instance = await services.retrieve.instance(Scope(one.study, one.series, one.uid))
    reader = services.retrieve.contents
    assert await reader.read(other.frame(instance, 2, EXPLICIT)) == first
    assert await reader.read(other.file(instance, JPEG_LS)) == whole
    await services.delete.delete(Scope(one.study))
    await services.delete.sweep()
    assert await store.transcoded.get(instance.key, f"frame 2 in {other.variant(EXPLICIT)}") is None
    threads.close()


async def test_pixel_data_can_be_asked_for_in_a_media_type(archive: Archive) -> None:
    one = await stored(archive, J2K, frames=2)
    for path in ("/pixeldata", "/bulkdata", "/bulkdata/7FE00010"):
        for accept, uid in ((OCTETS, EXPLICIT), ('multipart/related; type="image/jls"', JPEG_LS)):
            if path == "/bulkdata" and uid == JPEG_LS:
                continue  # there may be values that are no pixels
            parts = split_parts(await archive.get(one.path + path, accept))
            description = described(12, rows=40, columns=48, transfer_syntax_uid=uid)
            pixels = [decode_frame(part.body, description) for part in parts]
            np.testing.assert_array_equal(np.stack(pixels), [image(CT, 0), image(CT, 1)])


@pytest.mark.parametrize(
    ("path", "accept", "words"),
    [
        ("", parts_in(JPEG), "8 bits"),
        ("/frames/1", f"image/jpeg; transfer-syntax={JPEG}", "8 bits"),
        ("", parts_in(P + "4.102"), "none of what Accept allows"),
        ("/frames/1", "video/mp4", "none of what Accept allows"),
    ],
)
async def test_what_cannot_be_made_is_explained(archive: Archive, path: str, accept: str, words: str) -> None:
    one = await stored(archive)
    response = await archive.get(one.path + path, accept)
    assert (response.status_code, words in response.json()["detail"]) == (406, True)


async def test_an_instance_without_pixels_cannot_be_compressed(archive: Archive) -> None:
    (one,) = await archive.add(write_part10(make_dataset(), EXPLICIT))
    response = await archive.get(one.path, parts_in(JPEG_LS))
    assert (response.status_code, "no pixels" in response.json()["detail"]) == (406, True)


async def test_frames_that_are_not_there(archive: Archive) -> None:
    one = await stored(archive, J2K, frames=2)
    for number, status in (("0", 400), ("3", 404), ("1000000000", 404)):
        assert (await archive.get(f"{one.path}/frames/{number}", OCTETS)).status_code == status
