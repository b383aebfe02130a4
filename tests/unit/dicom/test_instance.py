import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.instance import parse_dataset, parse_instance
from dicomweb_server.dicom.part10 import file_meta
from dicomweb_server.dicom.record import ParsedInstance
from dicomweb_server.errors import Reason, ServerError
from tests.builders import NATIVE, bare_dataset, fake_jpeg, make_dataset, make_encapsulated, make_instance, write_part10
from tests.encoded import INSTANCE, SERIES, SOP_CLASS, STUDY, encoded, identity, part10

HEAD, TAIL = identity()
MINIMAL = part10(HEAD + TAIL)


def refusal(data: bytes, parse: Callable[[bytes], ParsedInstance] = parse_instance) -> ServerError:
    with pytest.raises(ServerError) as caught:
        parse(data)
    return caught.value


def test_the_least_that_an_instance_must_have() -> None:
    parsed = parse_instance(MINIMAL)
    record = parsed.record
    assert (record.study_uid, record.series_uid, record.instance_uid) == (STUDY, SERIES, INSTANCE)
    assert (record.sop_class_uid, record.transfer_syntax_uid) == (SOP_CLASS, "1.2.840.10008.1.2.1")
    assert record.values == {
        "study_uid": STUDY,
        "series_uid": SERIES,
        "instance_uid": INSTANCE,
        "sop_class_uid": SOP_CLASS,
    }
    assert FrameIndex.unpack(parsed.frames).count == 0
    assert list(json.loads(parsed.metadata)) == ["00080016", "00080018", "0020000D", "0020000E"]


@pytest.mark.parametrize("transfer_syntax_uid", NATIVE)
def test_an_image_in_every_native_encoding(transfer_syntax_uid: str) -> None:
    uid = generate_uid()
    data = make_instance(
        transfer_syntax_uid=transfer_syntax_uid,
        rows=4,
        columns=6,
        frames=3,
        StudyInstanceUID=uid,
        PatientName="Müller^Jürgen",
        StudyDescription=None,
    )
    parsed = parse_instance(data)
    values = parsed.record.values
    assert parsed.record.study_uid == uid
    assert parsed.record.transfer_syntax_uid == transfer_syntax_uid
    assert (values["patient_name"], values["rows"], values["columns"]) == ("Müller^Jürgen", "4", "6")
    assert (values["number_of_frames"], values["bits_allocated"]) == ("3", "16")
    assert "study_description" not in values
    assert FrameIndex.unpack(parsed.frames).count == 3


def test_encapsulated_frames_are_indexed() -> None:
    parsed = parse_instance(make_encapsulated([fake_jpeg(b"ab"), fake_jpeg(b"cd")]))
    assert FrameIndex.unpack(parsed.frames).count == 2


def test_bulk_data_uris_start_with_the_place_of_the_root() -> None:
    dataset = Dataset()
    dataset.PixelData = b"\1\2"
    dataset["PixelData"].VR = "OB"
    data = make_instance(IconImageSequence=[Dataset(), dataset])
    parsed = parse_instance(data)
    record = parsed.record
    url = f"/studies/{record.study_uid}/series/{record.series_uid}/instances/{record.instance_uid}/bulkdata/"
    metadata = json.loads(parsed.metadata.replace(b"\1", b"root"))
    assert metadata["7FE00010"] == {"vr": "OW", "BulkDataURI": f"root{url}7FE00010"}
    icon = metadata["00880200"]["Value"][1]["7FE00010"]
    assert icon == {"vr": "OB", "BulkDataURI": f"root{url}00880200/2/7FE00010"}
    assert parsed.metadata.count(b"\1") == 2
    assert b"\2" not in parsed.metadata


def test_an_indexed_sequence_has_complete_uris_too() -> None:
    document = Dataset()
    document.EncapsulatedDocument = b"%PDF"
    parsed = parse_instance(make_instance(RequestAttributesSequence=[document]))
    attributes = parsed.record.values["request_attributes"]
    assert f"\1/studies/{parsed.record.study_uid}/" in attributes
    assert "\2" not in attributes


def test_instances_of_a_series_do_not_influence_one_another() -> None:
    study, series = generate_uid(), generate_uid()
    data = [
        make_instance(
            StudyInstanceUID=study,
            SeriesInstanceUID=series,
            InstanceNumber=number,
            PatientName=None if number % 3 == 0 else f"Doe^{number % 2}",
            SpecificCharacterSet=("ISO_IR 100", "ISO_IR 192")[number % 2],
            InstitutionName="Hôpital",
            Rows=number,
        )
        for number in range(1, 30)
    ]
    before = [parse_instance(one) for one in data]
    again = [parse_instance(one) for one in reversed(data)][::-1]
    assert before == again
    for number, parsed in enumerate(before, start=1):
        values = parsed.record.values
        assert (values["instance_number"], values["rows"]) == (str(number), str(number))
        assert values.get("patient_name") == (None if number % 3 == 0 else f"Doe^{number % 2}")
        assert values["institution_name"] == "Hôpital"


def test_a_bare_data_set_says_the_same_as_its_file() -> None:
    data = make_instance(transfer_syntax_uid=ImplicitVRLittleEndian)
    whole = parse_instance(data)
    bare = parse_dataset(bare_dataset(data), ImplicitVRLittleEndian)
    assert (bare.record, bare.metadata) == (whole.record, whole.metadata)
    offset = FrameIndex.unpack(whole.frames).offset - FrameIndex.unpack(bare.frames).offset
    assert offset == len(data) - len(bare_dataset(data))


def test_extra_tags_are_recorded() -> None:
    data = make_instance(SliceThickness="2.5", BodyPartExamined="CHEST")
    assert "00180050" not in parse_instance(data).record.values
    values = parse_instance(data, extra=frozenset({0x00180050, 0x00180015})).record.values
    assert values["00180050"] == "2.5"
    assert values["body_part_examined"] == "CHEST"
    assert "00180015" not in values
    bare = parse_dataset(bare_dataset(data), "1.2.840.10008.1.2.1", extra=frozenset({0x00180050}))
    assert bare.record.values["00180050"] == "2.5"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_every_uid_is_required(keyword: str) -> None:
    error = refusal(write_part10(make_dataset(**{keyword: None})))
    assert error.reason is Reason.MISSING_UID
    assert keyword in error.detail


@pytest.mark.parametrize(
    "uid", ["", "../../etc/passwd", "1.2.3/4", "1..2", "1.2.3\\1.2.4", "x" * 64, "1" * 65, "1.2\n"]
)
def test_ill_formed_uids_are_refused(uid: str) -> None:
    raw = uid.encode()
    for tag in (0x0020000D, 0x0020000E):
        other = encoded(0x0020000D, "UI", b"1.2.3\0") if tag == 0x0020000E else encoded(0x0020000E, "UI", b"1.2.3\0")
        elements = sorted([encoded(tag, "UI", raw + b"\0" * (len(raw) % 2)), other])
        error = refusal(part10(HEAD + b"".join(elements)))
        assert error.reason is Reason.MISSING_UID
        assert uid == "" or uid not in error.detail


def test_a_study_and_a_series_cannot_share_a_uid() -> None:
    error = refusal(make_instance(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3"))
    assert error.reason is Reason.CANNOT_UNDERSTAND
    assert "StudyInstanceUID and SeriesInstanceUID" in error.detail


def test_a_dicomdir_is_no_instance() -> None:
    directory = file_meta(MediaStorageDirectoryStorage, "1.2.3", "1.2.840.10008.1.2.1")
    assert refusal(directory + encoded(0x00041130, "CS", b"DISK1 ")).reason is Reason.UNSUPPORTED_SOP_CLASS
    mislabelled = bare_dataset(make_instance(SOPClassUID=MediaStorageDirectoryStorage))
    error = refusal(mislabelled, lambda data: parse_dataset(data, "1.2.840.10008.1.2.1"))
    assert error.reason is Reason.UNSUPPORTED_SOP_CLASS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.NOT_DICOM),
        (b"%PDF-1.4" * 100, Reason.NOT_DICOM),
        (bytes(128) + b"DICM", Reason.CANNOT_UNDERSTAND),
        (part10(HEAD + TAIL, "1.2.3"), Reason.UNSUPPORTED_TRANSFER_SYNTAX),
        (MINIMAL[:-1], Reason.CANNOT_UNDERSTAND),
        (part10(HEAD + TAIL + encoded(0x7FE00010, "OW", b"ab", length=1 << 30)), Reason.CANNOT_UNDERSTAND),
        (part10(b""), Reason.MISSING_UID),
        (part10(b"\xff" * 50, "1.2.840.10008.1.2.1.99"), Reason.CANNOT_UNDERSTAND),
    ],
)
def test_what_cannot_be_stored_is_refused(data: bytes, reason: Reason) -> None:
    assert refusal(data).reason is reason


def test_errors_name_no_values() -> None:
    secret = encoded(0x00100010, "PN", b"Secret^Name") + encoded(0x00100020, "LO", b"Secret", length=999)
    assert "Secret" not in refusal(part10(HEAD + secret)).detail


def test_empty_pixel_data_has_no_frames() -> None:
    parsed = parse_instance(part10(HEAD + TAIL + encoded(0x7FE00010, "OW")))
    assert json.loads(parsed.metadata)["7FE00010"] == {"vr": "OW"}
    assert FrameIndex.unpack(parsed.frames).count == 0


def test_a_file_padded_with_zeros_is_understood() -> None:
    assert parse_instance(MINIMAL + bytes(1000)) == parse_instance(MINIMAL)


def test_the_core_needs_no_pydicom_to_parse(tmp_path: Path) -> None:
    code = compile(Path(parse_instance.__code__.co_filename).read_text(), "instance", "exec")
    assert not any("pydicom" in name for name in code.co_names)
