"""Re-encoding to Implicit VR Little Endian: pydicom reads the same from it."""

import struct
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.reencode import reencode
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.errors import Reason, ServerError
from tests.builders import NATIVE, fake_jpeg, make_encapsulated, make_instance


def nested() -> Sequence:
    inner = Dataset()
    inner.CodeValue = "1"
    item = Dataset()
    item.ScheduledProcedureStepID = "S"
    item.ScheduledProtocolCodeSequence = Sequence([inner, Dataset()])
    return Sequence([item])


def converted(data: bytes, target: str = IMPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    result = reencode(open_part10(data), target)
    whole = b"".join(result)
    assert len(whole) == result.size
    return whole


@pytest.mark.parametrize("syntax", NATIVE)
def test_values_stay_the_same(syntax: str) -> None:
    data = make_instance(
        transfer_syntax_uid=syntax,
        rows=100,
        columns=100,
        RequestAttributesSequence=nested(),
        PixelSpacing=[0.5, 0.25],
        WindowCenter=40,
    )
    found = dcmread(BytesIO(converted(data)))
    original = dcmread(BytesIO(data))
    assert found.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    if syntax == ExplicitVRBigEndian:
        words = struct.unpack(f">{len(original.PixelData) // 2}H", original.PixelData)
        original.PixelData = struct.pack(f"<{len(words)}H", *words)
    assert found == original


def test_there_and_back() -> None:
    data = make_instance(RequestAttributesSequence=nested())
    implicit = converted(data)
    assert converted(implicit) == implicit
    back = converted(implicit, EXPLICIT_VR_LITTLE_ENDIAN)
    assert dcmread(BytesIO(back)) == dcmread(BytesIO(data))
    assert dcmread(BytesIO(back)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_compressed_instances_are_refused() -> None:
    with pytest.raises(ServerError) as caught:
        reencode(open_part10(make_encapsulated([fake_jpeg()])), IMPLICIT_VR_LITTLE_ENDIAN)
    assert caught.value.reason is Reason.NOT_ACCEPTABLE
