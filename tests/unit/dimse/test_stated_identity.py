"""The identity that the first bytes of a data set tell, and all those that tell none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_server.dicom.encoding import DEFLATED_LITTLE, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding
from dicomweb_server.dimse.stated_identity import stated_identity
from tests.builders import bare_dataset, make_instance

ENCODINGS: dict[str, Encoding] = {
    ExplicitVRLittleEndian: EXPLICIT_LITTLE,
    ImplicitVRLittleEndian: IMPLICIT_LITTLE,
    ExplicitVRBigEndian: EXPLICIT_BIG,
}


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_stated(syntax: str) -> None:
    data = bare_dataset(make_instance(SOPInstanceUID="1.2.3", transfer_syntax_uid=syntax))
    assert stated_identity(data, ENCODINGS[syntax]) == (str(CTImageStorage), "1.2.3")
    assert stated_identity(data[:120], ENCODINGS[syntax]) in (None, (str(CTImageStorage), "1.2.3"))
    assert stated_identity(data[:40], ENCODINGS[syntax]) is None


def test_absent() -> None:
    data = bare_dataset(make_instance(SOPInstanceUID=None))
    assert stated_identity(data, EXPLICIT_LITTLE) is None


@pytest.mark.parametrize(
    "head", [b"", b"\0", bytes(4), bytes(8), bytes(1000), b"\x08\0\x18\0UI\xff\xff1.2", b"\xff" * 50]
)
@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED_LITTLE])
def test_not_stated(head: bytes, encoding: Encoding) -> None:
    assert stated_identity(head, encoding) is None


@given(st.binary(max_size=200), st.sampled_from([EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]))
def test_any_bytes(head: bytes, encoding: Encoding) -> None:
    stated_identity(head, encoding)
    stated_identity(bytes(8) + head, encoding)
