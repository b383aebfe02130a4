"""PS3.18 Annex F: the DICOM JSON model, value representation by value representation."""

import json
import math
import struct
from functools import cache
from typing import Any, NoReturn

import pytest
from pydicom.dataset import Dataset

from conformance import samples
from conformance.requirement import requires
from conformance.samples import Sample, make, sample
from conformance.service import JSON, DicomJson, Service, value, values


@cache
def everything(service: Service) -> DicomJson:
    """Metadata of an instance with a value of each VR."""
    dataset = make(samples.RAW_DATA, "OT")
    dataset.RetrieveAETitle = ["ONE", "TWO"]
    dataset.PatientAge = "050Y"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "OTHER"]
    dataset.ContentDate, dataset.ContentTime, dataset.AcquisitionDateTime = "20210314", "150926.535", "20210314150926"
    dataset.PatientWeight, dataset.PixelSpacing = "61.5", ["0.5", "0.25"]
    dataset.SeriesNumber = "12"
    dataset.PatientName = "Adams^John^Robert^^B.A."
    dataset.OtherPatientNames = ["Yamada^Tarou=山田^太郎=やまだ^たろう", "=山田", "==やまだ", "One^Two"]
    dataset.InstitutionAddress = "  two leading spaces, two trailing  "
    dataset.PatientComments = "  line one\r\n\tline two  "
    dataset.FrameIncrementPointer = [0x00181063, 0x0018106A]
    dataset.Rows, dataset.Columns = 4096, 65535
    dataset.ReferencePixelX0, dataset.TagAngleSecondAxis = -2147483648, -5
    dataset.SelectorULValue, dataset.SelectorSSValue = [0, 4294967295], [-32768, 32767]
    dataset.SelectorSVValue, dataset.SelectorUVValue = [-(2**63), 5], [2**64 - 1, 2**53 + 1]
    dataset.RecommendedDisplayFrameRateInFloat, dataset.SelectorFDValue = 2.5, [math.pi, -1e300]
    dataset.SelectorFLValue = [0.1]
    dataset.LongCodeValue, dataset.StrainAdditionalInformation = "a long code", "unlimited\r\ntext"
    dataset.RetrieveURI = "http://example.com/a?b=c&d=%20"
    dataset.StudyID, dataset.AccessionNumber = "", ""
    item = Dataset()
    item.CodeValue = "1"
    dataset.ProcedureCodeSequence = [item, Dataset()]
    dataset.ReferencedStudySequence = []
    dataset.RedPaletteColorLookupTableDescriptor = [256, 0, 16]
    block = dataset.private_block(0x0011, "CONFORMANCE SUITE", create=True)
    block.add_new(0x01, "DS", "1.25")
    block.add_new(0x02, "OB", b"\1\2\3\4")
    return stored(service, sample(dataset))


def stored(service: Service, one: Sample) -> DicomJson:
    response = service.store(one.data)
    assert response.status_code == 200, response.text[:300]
    return service.metadata(one.path)[0]


EXPECTED: dict[str, tuple[str, list[Any]]] = {
    "00080054": ("AE", ["ONE", "TWO"]),
    "00101010": ("AS", ["050Y"]),
    "00280009": ("AT", ["00181063", "0018106A"]),
    "00080060": ("CS", ["OT"]),
    "00080023": ("DA", ["20210314"]),
    "0008002A": ("DT", ["20210314150926"]),
    "00080033": ("TM", ["150926.535"]),
    "00720074": ("FD", [math.pi, -1e300]),
    "00280010": ("US", [4096]),
    "00280011": ("US", [65535]),
    "00720078": ("UL", [0, 4294967295]),
    "0072007E": ("SS", [-32768, 32767]),
    "00080119": ("UC", ["a long code"]),
    "00100218": ("UT", ["unlimited\r\ntext"]),
    "00080081": ("ST", ["  two leading spaces, two trailing"]),
    "00104000": ("LT", ["  line one\r\n\tline two"]),
}


@requires("PS3.18 §F.2.3")
@pytest.mark.parametrize("tag", list(EXPECTED))
def test_a_value_has_the_json_of_its_vr(service: Service, tag: str) -> None:
    vr, expected = EXPECTED[tag]
    assert everything(service)[tag] == {"vr": vr, "Value": expected}


@requires("PS3.18 §F.2.3")
@pytest.mark.parametrize(
    ("tag", "vr", "expected"),
    [
        ("00101030", "DS", [61.5]),
        ("00280030", "DS", [0.5, 0.25]),
        ("00200011", "IS", [12]),
        ("00111001", "DS", [1.25]),
    ],
)
def test_a_decimal_or_integer_string_is_a_number_or_a_string(
    service: Service, tag: str, vr: str, expected: list[float]
) -> None:
    element = everything(service)[tag]
    assert (element["vr"], [float(number) for number in element["Value"]]) == (vr, expected)


@requires("PS3.18 §F.2.3")
@pytest.mark.parametrize(("tag", "expected"), [("00720082", [-(2**63), 5]), ("00720083", [2**64 - 1, 2**53 + 1])])
def test_a_very_long_integer_keeps_all_its_digits(service: Service, tag: str, expected: list[int]) -> None:
    assert [int(number) for number in values(everything(service), tag)] == expected


@requires("PS3.18 §F.2.3", "B")
@pytest.mark.parametrize("tag", ["00720082", "00720083"])
def test_an_integer_beyond_2_to_53_is_a_string(service: Service, tag: str) -> None:
    found = [number for number in values(everything(service), tag) if abs(int(number)) > 2**53]
    assert all(isinstance(number, str) for number in found)


@requires("PS3.18 §F.2.3")
def test_a_single_float_is_close_to_its_value(service: Service) -> None:
    assert values(everything(service), "00720076") == [pytest.approx(0.1, rel=1e-7)]


@requires("PS3.18 §F.2.2")
def test_names_have_their_component_groups(service: Service) -> None:
    assert values(everything(service), "00101001") == [
        {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
        {"Ideographic": "山田"},
        {"Phonetic": "やまだ"},
        {"Alphabetic": "One^Two"},
    ]


@requires("PS3.18 §F.2.2")
def test_a_name_keeps_the_delimiters_of_its_components(service: Service) -> None:
    assert values(everything(service), "00100010") == [{"Alphabetic": "Adams^John^Robert^^B.A."}]


@requires("PS3.18 §F.2.5")
def test_an_empty_value_among_several_is_null(service: Service) -> None:
    assert values(everything(service), "00080008") == ["ORIGINAL", "PRIMARY", None, "OTHER"]


@requires("PS3.18 §F.2.5")
@pytest.mark.parametrize(("tag", "vr"), [("00200010", "SH"), ("00080050", "SH")])
def test_an_empty_attribute_has_a_vr_alone(service: Service, tag: str, vr: str) -> None:
    assert everything(service)[tag] == {"vr": vr}


@requires("PS3.18 §F.2.4")
def test_items_are_objects_and_an_empty_item_is_an_empty_object(service: Service) -> None:
    expected = {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["1"]}}, {}]}
    assert everything(service)["00081032"] == expected


@requires("PS3.18 §F.2.5")
def test_an_empty_sequence_has_no_items(service: Service) -> None:
    assert everything(service)["00081110"] in ({"vr": "SQ"}, {"vr": "SQ", "Value": []})


@requires("PS3.18 §F.2.6")
def test_a_short_binary_value_is_inline_or_by_uri(service: Service) -> None:
    element = everything(service)["00111002"]
    assert element in (
        {"vr": "OB", "InlineBinary": "AQIDBA=="},
        {"vr": "OB", "BulkDataURI": element.get("BulkDataURI")},
    )


@requires("PS3.18 §F.2.2")
def test_each_attribute_has_a_vr_and_at_most_one_kind_of_value(service: Service) -> None:
    def kinds(element: dict[str, Any]) -> int:
        return len({"Value", "BulkDataURI", "InlineBinary"} & set(element))

    assert not [tag for tag, item in everything(service).items() if len(item.get("vr", "")) != 2 or kinds(item) > 1]


@requires("PS3.18 §F.2.2")
def test_tags_are_eight_upper_case_digits_in_order(service: Service) -> None:
    tags = list(everything(service))
    assert tags == sorted(tag.upper() for tag in tags)


@requires("PS3.18 §F.2.2")
@pytest.mark.parametrize("prefix", ["0002", "0000"])
def test_file_meta_and_command_elements_are_left_out(service: Service, prefix: str) -> None:
    assert not [tag for tag in everything(service) if tag.startswith(prefix) and tag != "00020010"]


@requires("PS3.18 §F.2.2")
def test_private_elements_come_with_their_creator(service: Service) -> None:
    assert values(everything(service), "00110010") == ["CONFORMANCE SUITE"]


@requires("PS3.6 §6")
@pytest.mark.parametrize(("representation", "expected"), [(0, 65000), (1, -536)])
def test_an_ambiguous_us_or_ss_follows_the_pixel_representation(
    service: Service, representation: int, expected: int
) -> None:
    dataset = make(samples.SECONDARY_CAPTURE, "OT")
    samples.add_pixels(dataset, bytes(8), 2, 2, BitsAllocated=16, PixelRepresentation=representation)
    dataset.add_new("SmallestImagePixelValue", "SS" if representation else "US", expected)
    one = Sample(dataset, samples.part10(dataset, samples.IMPLICIT))
    vr = "SS" if representation else "US"
    assert stored(service, one)["00280106"] == {"vr": vr, "Value": [expected]}


def nan(kind: float) -> bytes:
    elements = samples.raw_identity()
    elements[0x00720074] = samples.element(0x00720074, b"FD", struct.pack("<dd", kind, 1.0))
    return samples.raw_part10(list(elements.values()))


def strict(text: str) -> Any:
    """Parse JSON as RFC 8259 has it: without NaN and Infinity."""

    def refuse(token: str) -> NoReturn:
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


@requires("RFC 8259 §6")
@pytest.mark.parametrize("kind", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_still_json(service: Service, kind: float) -> None:
    data = nan(kind)
    assert service.store(data).status_code == 200
    one = samples.read(data)
    path = f"/studies/{one.StudyInstanceUID}/metadata"
    assert value(strict(service.get(path, accept=JSON).text)[0], "00080060") == "CT"


@requires("PS3.18 §F.2.7", "O")
def test_a_long_text_is_whole_or_by_uri(service: Service) -> None:
    text = "ä" * 70000
    element = stored(service, sample(make(StrainAdditionalInformation=text)))["00100218"]
    assert element == {"vr": "UT", "Value": [text]} or "BulkDataURI" in element


@requires("PS3.18 §F.2", "B")
def test_json_stored_again_gives_the_same_json(service: Service) -> None:
    first = everything(service)
    ours = {tag: item for tag, item in first.items() if "BulkDataURI" not in item}
    twin = {**ours, "00080018": {"vr": "UI", "Value": [samples.new_uid()]}}
    body = json.dumps([twin]).encode()
    head = b"--b\r\nContent-Type: application/dicom+json\r\n\r\n"
    service.store_body(head + body + b"\r\n--b--\r\n", 'type="application/dicom+json"; boundary=b')
    found = service.metadata(
        f"/studies/{value(twin, '0020000D')}/series/{value(twin, '0020000E')}/instances/{value(twin, '00080018')}"
    )[0]
    differing = {tag for tag in twin if found.get(tag) != twin[tag]} | (set(found) - set(twin))
    assert differing <= {"00020010"}
