"""Composing instances: values, labels, bulk data, documents, and refusals that name the attribute."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicomweb_server.dicom.compose import BulkPart, compose
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import Reason, ServerError
from tests.builders import fake_jpeg, make_dataset
from tests.metadata_parts import OCTETS, PIXELS, Json, composed, dataset_of, identified, json_of
from tests.streams import jpeg


def refusal(document: object, **parts: list[BulkPart]) -> ServerError:
    with pytest.raises(ServerError) as caught:
        composed(document, **parts)
    return caught.value


def test_file_meta_says_what_is_inside() -> None:
    meta = dataset_of(identified()).file_meta
    assert meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_values_are_those_of_the_json() -> None:
    source = make_dataset(
        PatientName="Müller^Jörg",
        PixelSpacing=["0.5", "0.25"],
        OtherPatientNames=["A^B", "C^D"],
        PatientComments="x",
        SpecificCharacterSet="ISO_IR 192",
    )
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    source.ReferencedImageSequence = [item, Dataset()]
    source.add_new(0x00090010, "LO", "ACME")
    source.add_new(0x00091001, "UN", b"1234")
    assert dataset_of(source.to_json_dict()).to_json_dict() == source.to_json_dict()


def test_elements_are_in_ascending_order() -> None:
    document = identified(x00100020={"vr": "LO", "Value": ["1"]}, x00080005={"vr": "CS", "Value": ["ISO_IR 192"]})
    tags = [int(element.tag) for element in dataset_of(document)]
    assert tags == sorted(tags)


@pytest.mark.parametrize(
    ("attributes", "label"),
    [
        ({}, None),
        ({"x00100020": {"vr": "LO", "Value": ["é"]}}, "ISO_IR 192"),
        ({"x00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}, "ISO_IR 192"),
        ({"x00080005": {"vr": "CS"}}, ""),
        ({"x00081140": {"vr": "SQ", "Value": [{"00100020": {"vr": "LO", "Value": ["é"]}}]}}, "ISO_IR 192"),
    ],
)
def test_text_is_labelled_as_utf8(attributes: Json, label: str | None) -> None:
    assert (dataset_of(identified(**attributes)).get("SpecificCharacterSet") or "") == (label or "")


@pytest.mark.parametrize(
    ("tag", "others", "vr"),
    [
        ("00280010", {}, "US"),
        ("00280106", {"x00280103": {"vr": "US", "Value": [1]}}, "SS"),
        ("00280106", {}, "US"),
        ("00091001", {"x00090010": {"vr": "LO", "Value": ["GEMS_IDEN_01"]}}, "LO"),
        ("00091001", {}, "UN"),
    ],
)
def test_missing_vr_is_that_of_the_dictionary(tag: str, others: Json, vr: str) -> None:
    value = {"LO": {"Value": ["x"]}, "UN": {"InlineBinary": "AAE="}}.get(vr, {"Value": [1]})
    assert vr == dataset_of(identified(**{f"x{tag}": value}, **others))[int(tag, 16)].VR


def test_value_too_long_for_its_vr_is_kept() -> None:
    document = identified(x00280030={"vr": "DS", "Value": [1] * 40000})
    assert b"\\".join([b"1"] * 40000) in composed(document)


def test_file_meta_and_group_lengths_of_the_json_are_left_out() -> None:
    dataset = dataset_of(
        identified(
            x00020010={"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
            x00020016={"vr": "AE", "Value": ["X"]},
            x00080000={"vr": "UL", "Value": [4]},
        )
    )
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert [element.tag for element in dataset if element.tag.group == 2 or element.tag.element == 0] == []


def test_bulk_data_of_any_element() -> None:
    document = identified(
        x00091001={"vr": "OB", "BulkDataURI": "http://server/a"},
        x00104000={"vr": "LT", "BulkDataURI": "http://server/b"},
        x54000100={"vr": "SQ", "Value": [{"54001010": {"vr": "OW", "BulkDataURI": "http://server/c"}}]},
    )
    dataset = dataset_of(
        document,
        a=[BulkPart(OCTETS, b"odd")],
        b=[BulkPart(OCTETS, b"odd")],
        c=[BulkPart(OCTETS, memoryview(b"1234")), BulkPart(OCTETS, b"56")],
    )
    assert dataset[0x00091001].value == b"odd\0"
    assert dataset.PatientComments == "odd"
    assert dataset.WaveformSequence[0].WaveformData == b"123456"


def test_native_pixel_data() -> None:
    dataset = dataset_of(identified(x7FE00010={"vr": "OW", "BulkDataURI": PIXELS}), pixels=[BulkPart(OCTETS, b"1234")])
    assert (dataset.PixelData, dataset["PixelData"].VR) == (b"1234", "OW")
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


@pytest.mark.parametrize(("bits", "vr"), [(8, "OB"), (16, "OW")])
def test_pixel_data_without_vr(bits: int, vr: str) -> None:
    attributes = {"x00280100": {"vr": "US", "Value": [bits]}}
    for given_vr in ({}, {"vr": "UN"}):
        document = identified(x7FE00010={"BulkDataURI": PIXELS, **given_vr}, **attributes)
        assert vr == dataset_of(document, pixels=[BulkPart(OCTETS, b"12")])["PixelData"].VR


@pytest.mark.parametrize("media_type", ["application/pdf", "model/stl", "text/xml"])
def test_encapsulated_document(media_type: str) -> None:
    document = identified(x00420011={"vr": "OB", "BulkDataURI": "http://server/a"})
    dataset = dataset_of(document, a=[BulkPart(media_type, b"%PDF-")])
    assert dataset.EncapsulatedDocument == b"%PDF-\0"
    assert (dataset.MIMETypeOfEncapsulatedDocument, dataset.EncapsulatedDocumentLength) == (media_type, 5)


def test_encapsulated_document_of_a_type_that_the_metadata_name() -> None:
    document = identified(
        x00420011={"vr": "OB", "BulkDataURI": "http://server/a"}, x00420012={"vr": "LO", "Value": ["application/pdf"]}
    )
    assert dataset_of(document, a=[BulkPart(OCTETS, b"%PDF")]).MIMETypeOfEncapsulatedDocument == "application/pdf"


NESTED_LOOP: Json = {}
for _ in range(65):
    NESTED_LOOP = {"00081140": {"vr": "SQ", "Value": [NESTED_LOOP]}}


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({"x0010002": {"vr": "LO"}}, "'0010002'"),
        ({"x0010002G": {"vr": "LO"}}, "'0010002G'"),
        ({"xPatientID": {"vr": "LO"}}, "'PatientID'"),
        ({"xFFFEE000": {"vr": "LO"}}, "FFFEE000"),
        ({"x00000010": {"vr": "LO"}}, "00000010"),
        ({"x0010002a": {"vr": "LO"}, "x0010002A": {"vr": "LO"}}, "0010002A"),
        ({"x00100020": []}, "00100020"),
        ({"x00100020": None}, "00100020"),
        ({"x00100020": {"vr": "XX"}}, "00100020"),
        ({"x00100020": {"vr": ["LO"]}}, "00100020"),
        ({"x00100020": {"vr": "LO", "Value": "x"}}, "00100020"),
        ({"x00100020": {"vr": "LO", "Value": [1]}}, "00100020"),
        ({"x00100020": {"vr": "LO", "Value": ["x"], "InlineBinary": "AAE="}}, "00100020"),
        ({"x00091001": {"vr": "OB", "InlineBinary": "*"}}, "00091001"),
        ({"x00091001": {"vr": "OB", "BulkDataURI": 5}}, "00091001"),
        ({"x00081140": {"vr": "SQ", "Value": [5]}}, "00081140/1"),
        ({"x00081140": {"vr": "SQ", "Value": [{}, {"00100020": {"vr": "LO", "Value": [1]}}]}}, "00081140/2/00100020"),
        ({"x00081140": NESTED_LOOP["00081140"]}, "00081140/1/00081140"),
    ],
)
def test_refused_attributes_are_named(attributes: Json, path: str) -> None:
    error = refusal(identified(**attributes))
    assert error.reason is Reason.CANNOT_UNDERSTAND
    assert error.detail.startswith(f"attribute {path}")


@pytest.mark.parametrize("document", [None, [], "x", 5, [{}]])
def test_what_is_no_object(document: object) -> None:
    assert refusal(document).reason is Reason.CANNOT_UNDERSTAND


@pytest.mark.parametrize(("tag", "keyword"), [("00080016", "SOPClassUID"), ("00080018", "SOPInstanceUID")])
def test_identity_is_required(tag: str, keyword: str) -> None:
    for value in ({"vr": "UI"}, {"vr": "UI", "Value": ["no uid"]}, {"vr": "UI", "Value": "1.2"}):
        error = refusal(identified(**{f"x{tag}": value}))
        assert error.reason is Reason.MISSING_UID
        assert keyword in error.detail


def test_missing_bulk_data_is_named() -> None:
    nested = {"54001010": {"vr": "OW", "BulkDataURI": "http://elsewhere/a"}}
    error = refusal(identified(x54000100={"vr": "SQ", "Value": [nested]}))
    assert error.reason is Reason.MISSING_BULK_DATA
    assert "54000100/1/54001010" in error.detail


def test_bulk_data_of_a_wrong_type() -> None:
    for vr in ("OB", "SQ"):
        error = refusal(
            identified(x00091001={"vr": vr, "BulkDataURI": "http://server/a"}), a=[BulkPart("image/jpeg", b"1234")]
        )
        assert error.reason is Reason.UNSUPPORTED_MEDIA_TYPE


def test_large_parts_are_not_copied() -> None:
    pixels = bytes(1 << 20)
    document = identified(x7FE00010={"vr": "OW", "BulkDataURI": PIXELS})
    assert any(piece is pixels for piece in compose(document, {PIXELS: [BulkPart(OCTETS, pixels)]}))
    jpeg_part = BulkPart("image/jpeg", jpeg(0xC0) + pixels)
    assert any(piece is jpeg_part.data for piece in compose(document, {PIXELS: [jpeg_part]}))


def test_native_values_have_less_than_four_gigabytes() -> None:
    huge = [BulkPart(OCTETS, np.broadcast_to(np.uint8(0), 1 << 31).data)] * 2
    bulk = {"vr": "OB", "BulkDataURI": "http://server/a"}
    assert refusal(identified(x00091001=bulk), a=huge).reason is Reason.TOO_LARGE
    halves = {"00091001": bulk, "00091002": bulk}
    document = identified(x00081140={"vr": "SQ", "Value": [halves]})
    assert refusal(document, a=huge[:1]).reason is Reason.TOO_LARGE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "00100010"]), inner)
        | st.fixed_dictionaries({"vr": st.sampled_from(["SQ", "PN", "OB", "US", "FL", "LO"]), "Value": inner})
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["x00081140", "x00100010", "x7FE00010", "x00020010", "x00280008", "x00080005"]), JSON
    )
)
def test_any_json_is_composed_or_refused(attributes: Json) -> None:
    part = BulkPart("image/jpeg", fake_jpeg())
    try:
        file = b"".join(compose(identified(**attributes), {"": [part], "0": [part]}))
    except ServerError:
        return
    parse_instance(file)


def test_base64_and_numbers_come_back() -> None:
    document = identified(x00091001={"vr": "OB", "InlineBinary": base64.b64encode(bytes(range(6))).decode()})
    assert json_of(composed(document))["00091001"] == document["00091001"]
