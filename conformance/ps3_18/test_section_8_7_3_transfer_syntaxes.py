"""PS3.18 §8.7.3: transfer syntaxes that are named, and those that are the default. Pixels are compared by pydicom."""

import numpy as np
import pytest

from conformance import samples
from conformance.archive import Archive
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.samples import read, transfer_syntax_of
from conformance.service import Service

JPEG_LS, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"
LOSSLESS = [JPEG_LS, RLE, samples.JPEG_LOSSLESS, samples.JPEG_2000]


def syntax(uid: str) -> str:
    return f'multipart/related; type="application/dicom"; transfer-syntax={uid}'


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("uid", LOSSLESS)
@pytest.mark.parametrize("name", ["ct", "colour", "big_endian"])
def test_a_lossless_transfer_syntax_is_made_or_refused(service: Service, archive: Archive, name: str, uid: str) -> None:
    one = archive.ct[0] if name == "ct" else getattr(archive, name)
    response = service.get(one.path, accept=syntax(uid))
    if response.status_code == 406:
        return
    got = read(decode(response)[0].body)
    assert got.file_meta.TransferSyntaxUID == uid
    assert (got.SOPInstanceUID, "LossyImageCompression" in got) == (one.instance, False)


@requires("PS3.18 §8.7.3.5.2", "B")
@pytest.mark.parametrize("uid", [JPEG_LS, RLE])
@pytest.mark.parametrize("name", ["ct", "colour"])
def test_pixels_survive_a_lossless_transfer_syntax(service: Service, archive: Archive, name: str, uid: str) -> None:
    one = archive.ct[0] if name == "ct" else archive.colour
    got = read(decode(service.get(one.path, accept=syntax(uid)))[0].body)
    np.testing.assert_array_equal(got.pixel_array, read(one.data).pixel_array)


@requires("PS3.18 §8.7.3.3")
@pytest.mark.parametrize(("media_type", "uid"), [("image/jls", JPEG_LS), ("image/dicom-rle", RLE)])
def test_a_frame_comes_in_the_default_syntax_of_its_media_type_or_not(
    service: Service, archive: Archive, media_type: str, uid: str
) -> None:
    response = service.get(archive.odd.path + "/frames/2", accept=f'multipart/related; type="{media_type}"')
    if response.status_code == 406:
        return
    (part,) = decode(response)
    assert (part.content_type, part.parameter("transfer-syntax") in (None, uid)) == (media_type, True)


@requires("PS3.18 §8.7.3")
def test_what_is_stored_with_losses_is_not_made_larger_unasked(service: Service, archive: Archive) -> None:
    """The default holds "unless the origin server has only access to the pixel data in lossy compressed form"."""
    body = decode(service.get(archive.jpeg["basic offset table"].path))[0].body
    assert transfer_syntax_of(body) in (samples.JPEG, samples.EXPLICIT)


@requires("PS3.18 §8.7.3.5.2", "B")
def test_losses_are_told(service: Service, archive: Archive) -> None:
    response = service.get(archive.colour.path, accept=syntax(samples.JPEG))
    if response.status_code == 406:
        return
    got = read(decode(response)[0].body)
    assert (got.LossyImageCompression, got.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(got.LossyImageCompressionRatio) > 0
    assert got.SOPInstanceUID != archive.colour.instance


@requires("PS3.18 §8.7.3", "B")
def test_uncompressed_frames_of_a_compressed_instance_are_its_pixels(service: Service, archive: Archive) -> None:
    one = archive.jpeg["basic offset table"]
    accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.1.2.1'
    response = service.get(one.path + "/frames/2", accept=accept)
    if response.status_code == 406:
        return
    pixels = np.frombuffer(decode(response)[0].body, np.uint8).reshape(16, 16).astype(int)
    assert np.abs(pixels - read(one.data).pixel_array[1]).max() <= 1


@requires("PS3.18 §10.4.1.1.6", "B")
@pytest.mark.parametrize("accept", [syntax(JPEG_LS), f"application/zip; transfer-syntax={JPEG_LS}"])
def test_a_study_comes_in_one_transfer_syntax_or_is_refused(service: Service, archive: Archive, accept: str) -> None:
    response = service.get(archive.ct[0].study_path, accept=accept)
    # 206: all but those of which there is no such representation (PS3.18 §10.4.3).
    assert response.status_code in (200, 206, 406)
    if response.status_code != 406 and "multipart" in response.headers["content-type"]:
        assert all(
            part.parameter("transfer-syntax") in (None, transfer_syntax_of(part.body)) for part in decode(response)
        )
