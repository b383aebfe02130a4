"""The rules of matching (PS3.4 C.2.2.2, PS3.18 §8.3.4.1), each on one data set."""

from typing import Any

import pytest

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.matching import matches, private_tag
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import ServerError

DOCUMENT: dict[str, Any] = {
    "00080020": {"vr": "DA", "Value": ["20240131"]},
    "00080030": {"vr": "TM", "Value": ["101530.25"]},
    "00080050": {"vr": "SH", "Value": ["A%1_2"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00081030": {"vr": "LO", "Value": ["Thorax [1]"]},
    "00081048": {"vr": "PN", "Value": [{"Alphabetic": "One^A"}, None, {"Alphabetic": "Two^B"}]},
    "00080090": {"vr": "PN"},
    "0008002A": {"vr": "DT", "Value": ["20240131120000+0200"]},
    "00090010": {"vr": "LO", "Value": ["ACME"]},
    "00090011": {"vr": "LO", "Value": ["OTHER"]},
    "00091001": {"vr": "LO", "Value": ["acme value"]},
    "00091101": {"vr": "US", "Value": [7]},
    "00100010": {
        "vr": "PN",
        "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}],
    },
    "00100020": {"vr": "LO", "Value": ["PID1"]},
    "00181050": {"vr": "DS", "Value": [1.5]},
    "00201206": {"vr": "IS", "Value": [2]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    "00200011": {"vr": "IS", "Value": ["02"]},
    "00280009": {"vr": "AT", "Value": ["00181063"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.3.4"]},
    "00400275": {
        "vr": "SQ",
        "Value": [
            {"00400009": {"vr": "SH", "Value": ["SPS1"]}, "00401001": {"vr": "SH", "Value": ["RP1"]}},
            {"00400009": {"vr": "SH", "Value": ["SPS2"]}, "00401001": {"vr": "SH", "Value": ["RP2"]}, "00400007": {}},
        ],
    },
    "00281201": {"vr": "OW", "BulkDataURI": "x"},
    "00204000": {"vr": "LT", "Value": ["a\\b * c"]},
}


def found(**parameters: str) -> bool:
    pairs = [(name.replace("__", "."), value) for name, value in parameters.items()]
    return matches(DOCUMENT, search_request(Level.INSTANCE, pairs).query)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # single values: case counts, padding does not
        ("PatientID", "PID1", True),
        ("PatientID", "pid1", False),
        ("PatientID", " PID1 ", True),
        ("PatientID", "PID", False),
        ("00100020", "PID1", True),
        ("0020000d", "1.2.3", True),
        ("AccessionNumber", "A%1_2", True),
        ("AccessionNumber", "A%", False),
        ("AccessionNumber", "A_1_2", False),
        ("FrameIncrementPointer", "00181063", True),
        # numbers by their value
        ("SeriesNumber", "2", True),
        ("SeriesNumber", "+02", True),
        ("SeriesNumber", "3", False),
        ("SpatialResolution", "1.50", True),
        ("SpatialResolution", "15e-1", True),
        ("NumberOfStudyRelatedSeries", "2", True),
        # lists of UIDs
        ("StudyInstanceUID", "1.2.4,1.2.3", True),
        ("StudyInstanceUID", "1.2.4\\1.2.3", True),
        ("StudyInstanceUID", "1.2.4,1.2.5", False),
        # universal
        ("PatientID", "", True),
        ("PatientID", "*", True),
        ("StudyDate", "**", True),
        ("PatientBirthDate", "", True),
        ("RequestAttributesSequence", "", True),
        # wildcards
        ("PatientID", "P*1", True),
        ("PatientID", "P?D1", True),
        ("PatientID", "p*", False),
        ("PatientID", "?", False),
        ("StudyDescription", "*[1]", True),
        ("StudyDescription", "*[0-9]*", False),
        ("AccessionNumber", "*%*_*", True),
        ("PatientAge", "*", True),
        ("PatientBirthDate", "*", True),
        ("ImageComments", "a\\b*", True),
        # dates
        ("StudyDate", "20240131", True),
        ("StudyDate", "2024.01.31", True),
        ("StudyDate", "20240101-20240131", True),
        ("StudyDate", "20240201-", False),
        ("StudyDate", "-20240131", True),
        ("StudyDate", "-20240130", False),
        ("SeriesDate", "-20240130", False),
        # times, missing components filled in
        ("StudyTime", "10", True),
        ("StudyTime", "1015", True),
        ("StudyTime", "10:15", True),
        ("StudyTime", "101530.25", True),
        ("StudyTime", "101530.250000", True),
        ("StudyTime", "101530", True),
        ("StudyTime", "101531", False),
        ("StudyTime", "10-10", True),
        ("StudyTime", "1015-1015", True),
        ("StudyTime", "09-1014", False),
        ("StudyTime", "1016-", False),
        ("StudyTime", "-10", True),
        # instants
        ("AcquisitionDateTime", "20240131100000+0000", True),
        ("AcquisitionDateTime", "20240131100000", True),
        ("AcquisitionDateTime", "20240131", True),
        ("AcquisitionDateTime", "2024", True),
        ("AcquisitionDateTime", "20240131120000", False),
        ("AcquisitionDateTime", "20240131050000-0500", True),
        ("AcquisitionDateTime", "20240131050000-0500-20240131060000-0500", True),
        ("AcquisitionDateTime", "20240131100001-", False),
        ("AcquisitionDateTime", "-20240131100000", True),
        # modalities: a list means any
        ("ModalitiesInStudy", "SR", True),
        ("ModalitiesInStudy", "MR,SR", True),
        ("ModalitiesInStudy", "MR\\CT", True),
        ("ModalitiesInStudy", "MR", False),
        ("ModalitiesInStudy", "C?", True),
        ("ModalitiesInStudy", "C", False),
        # person names: without case and accents, by component group
        ("PatientName", "YAMADA^TAROU", True),
        ("PatientName", "Yámada^*", True),
        ("PatientName", "yamada^tarou^^", True),
        ("PatientName", "Yamada", False),
        ("PatientName", "山田^太郎", True),
        ("PatientName", "山?^*", True),
        ("PatientName", "*=山田*", True),
        ("PatientName", "yamada*=*=やま*", True),
        ("PatientName", "山田^太郎=*", False),
        ("PatientName", "=山田^太郎", True),
        ("PatientName", "ﾔﾏﾀﾞ*", False),
        ("PhysiciansOfRecord", "two^b", True),
        ("PhysiciansOfRecord", "one*b", False),
        ("ReferringPhysicianName", "x", False),
        # sequences: any item
        ("RequestAttributesSequence__ScheduledProcedureStepID", "SPS2", True),
        ("00400275__00400009", "SPS*", True),
        ("RequestAttributesSequence__ScheduledProcedureStepID", "SPS3", False),
        ("OtherPatientIDsSequence__PatientID", "SPS3", False),
        ("OtherPatientIDsSequence__PatientID", "", True),
        # absent, or by reference only
        ("BodyPartExamined", "CHEST", False),
        # characters of several meanings
        ("ImageComments", "a\\b * c", True),
        # of no meaning in matching
        ("SpecificCharacterSet", "ISO_IR 100", True),
    ],
)
def test_one_key(key: str, value: str, expected: bool) -> None:
    assert found(**{key: value}) is expected


def test_what_is_encoded_as_no_sequence_has_no_items() -> None:
    request = search_request(Level.SERIES, [("RequestAttributesSequence.ScheduledProcedureStepID", "S1")])
    assert not matches({"00400275": {"vr": "LO", "Value": ["S1"]}}, request.query)


def test_keys_of_one_sequence_match_in_one_item() -> None:
    prefix = "RequestAttributesSequence__"
    step, procedure = prefix + "ScheduledProcedureStepID", prefix + "RequestedProcedureID"
    assert found(**{step: "SPS1", procedure: "RP1"})
    assert not found(**{step: "SPS1", procedure: "RP2"})


def test_all_keys_match() -> None:
    assert found(PatientID="PID1", StudyDate="20240131")
    assert not found(PatientID="PID1", StudyDate="20240130")


class TestPrivateAttributes:
    def test_match_within_the_block_of_their_creator(self) -> None:
        assert found(**{"00091001": "acme value", "00090010": "ACME"})
        assert not found(**{"00091001": "acme value", "00090010": "OTHER"})

    def test_the_block_number_is_the_data_set_s_own(self) -> None:
        assert found(**{"00093301": "acme*", "00090033": "ACME"})
        assert found(**{"00091001": "7", "00090010": "OTHER"})

    def test_an_unknown_creator_matches_nothing(self) -> None:
        assert not found(**{"00091001": "acme value", "00090010": "NOBODY"})
        assert found(**{"00091001": "", "00090010": "NOBODY"})

    def test_private_tag(self) -> None:
        assert private_tag(DOCUMENT, 0x00090001, "OTHER") == 0x00091101
        assert private_tag(DOCUMENT, 0x00090001, "NOBODY") is None

    def test_a_creator_alone_is_a_key_of_its_own(self) -> None:
        assert found(**{"00090010": "AC*"})
        assert not found(**{"00090010": "OTHER"})


class TestEmptyValueMatching:
    @pytest.mark.parametrize("key", ["BodyPartExamined", "ReferringPhysicianName", "PatientBirthDate", "PixelSpacing"])
    def test_finds_what_is_absent_or_empty(self, key: str) -> None:
        assert found(**{key: '""', "emptyvaluematching": "true"})

    @pytest.mark.parametrize("key", ["PatientID", "PatientName", "StudyDate", "RedPaletteColorLookupTableData"])
    def test_does_not_find_what_has_a_value(self, key: str) -> None:
        assert not found(**{key: '""', "emptyvaluematching": "true"})

    def test_in_sequences(self) -> None:
        assert found(RequestAttributesSequence__RequestedProcedureDescription='""', emptyvaluematching="true")
        assert found(OtherPatientIDsSequence__PatientID='""', emptyvaluematching="true")
        assert not found(RequestAttributesSequence='""', emptyvaluematching="true")

    def test_without_it_quotation_marks_are_text(self) -> None:
        assert not found(BodyPartExamined='""')


class TestMultipleValueMatching:
    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("PatientID", "X,PID1", True),
            ("PatientID", "X\\P*1", True),
            ("PatientID", "X,Y", False),
            ("StudyDate", "20230101,20240101-20240201", True),
            ("PatientName", "smith*,yamada*", True),
            ("PatientID", "X,", False),
            ("PatientID", "X,*", True),
            ("ImageComments", "x,a\\b * c", False),
            ("BodyPartExamined", 'CHEST,""', True),
            ("PatientID", 'X,""', False),
        ],
    )
    def test_any_of_the_values(self, key: str, value: str, expected: bool) -> None:
        assert found(**{key: value}, multiplevaluematching="true", emptyvaluematching="true") is expected

    @pytest.mark.parametrize(
        ("key", "value", "expected"),
        [
            ("ModalitiesInStudy", "CT", True),
            ("ModalitiesInStudy", "SR,CT", True),
            ("ModalitiesInStudy", "CT\\PT", False),
            ("ModalitiesInStudy", "C?,SR", True),
            ("ModalitiesInStudy", ",", True),
            ("ModalitiesInStudy", "", True),
            ("ModalitiesInStudy", 'CT,""', False),
            ("PhysiciansOfRecord", "two^b\\one^a", True),
            ("PhysiciansOfRecord", "two^b,three^c", False),
            ("FrameIncrementPointer", "00181063,00181065", False),
            ("StudyInstanceUID", "1.2.3,1.2.4", True),
        ],
    )
    def test_all_of_the_values_where_several_may_be_there(self, key: str, value: str, expected: bool) -> None:
        """PS3.4 C.2.2.2.8: CT and PT find studies that have both."""
        assert found(**{key: value}, multiplevaluematching="true", emptyvaluematching="true") is expected

    def test_without_it_several_modalities_mean_any(self) -> None:
        assert found(ModalitiesInStudy="CT,PT")

    def test_the_number_of_values_is_limited(self) -> None:
        with pytest.raises(ServerError, match="at most 32 values"):
            found(ModalitiesInStudy=",".join(map(str, range(33))), multiplevaluematching="true")

    def test_without_it_a_list_is_one_text(self) -> None:
        assert not found(PatientID="X,PID1")


class TestFuzzyMatching:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("yama", True),
            ("tar yam", True),
            ("TAROU", True),
            ("amada", False),
            ("*AMADA*", True),
            ("yam, x", False),
            ("太郎", True),
        ],
    )
    def test_words_begin_with_the_words_of_the_key(self, name: str, expected: bool) -> None:
        assert found(PatientName=name, fuzzymatching="true") is expected

    def test_concerns_person_names_only(self) -> None:
        assert not found(PatientID="PI", fuzzymatching="true")


class TestCombinedDateTime:
    @pytest.mark.parametrize(
        ("date", "time", "combined", "separate"),
        [
            ("20240130-20240131", "1100-1200", True, False),
            ("20240130-20240131", "1100-1000", False, None),
            ("20240131-20240201", "1015-09", True, None),
            ("20240131-20240201", "1016-1000", False, None),
            ("20240131", "10-11", True, True),
            ("20240131-", "11-", False, False),
            ("-20240131", "-10", True, True),
            ("20240130-", "11-", True, False),
        ],
    )
    def test_one_interval(self, date: str, time: str, combined: bool, separate: bool | None) -> None:
        assert found(StudyDate=date, StudyTime=time, combineddatetime="true") is combined
        if separate is not None:
            assert found(StudyDate=date, StudyTime=time) is separate

    def test_without_a_date_no_moment(self) -> None:
        assert not found(SeriesDate="20240131-", SeriesTime="10-", combineddatetime="true")

    def test_part_of_a_date_is_no_date(self) -> None:
        query = search_request(
            Level.STUDY, [("StudyDate", "20200101-"), ("StudyTime", "10"), ("combineddatetime", "true")]
        ).query
        document = {"00080020": {"vr": "DA", "Value": ["2020"]}, "00080030": {"vr": "TM", "Value": ["10"]}}
        assert not matches(document, query)
