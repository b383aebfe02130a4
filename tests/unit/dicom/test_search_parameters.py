"""Parameters of searches: what they mean, what is refused with which explanation, what is warned of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cost import at_most
from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Include, MatchKind, Order
from dicomweb_server.dicom.search_parameters import MAX_INCLUDES, SearchRequest, search_request
from dicomweb_server.errors import Reason, ServerError


def read(*pairs: tuple[str, str], level: Level = Level.STUDY) -> SearchRequest:
    return search_request(level, pairs)


class TestMeaning:
    def test_nothing_asks_for_everything(self) -> None:
        query = read().query
        assert (query.matches, query.include, query.limit, query.offset, query.order) == ((), (), None, 0, ())

    @pytest.mark.parametrize("name", ["PatientID", "00100020", "0010002" + "0"])
    def test_a_key_by_keyword_or_tag(self, name: str) -> None:
        (match,) = read((name, "P")).query.matches
        assert (match.path, match.vr, match.kind, match.values) == ((0x00100020,), "LO", MatchKind.SINGLE, ("P",))

    def test_hexadecimal_digits_in_either_case(self) -> None:
        assert read(("0020000d", "1.2")).query == read(("0020000D", "1.2")).query

    def test_a_path_into_a_sequence(self) -> None:
        (match,) = read(("00400275.ScheduledProcedureStepID", "S")).query.matches
        assert match.path == (0x00400275, 0x00400009)

    def test_a_private_key_loses_its_block(self) -> None:
        (match,) = read(("00291008", "x"), ("00290010", "SIEMENS CSA HEADER")).query.matches
        assert (match.path, match.private_creator) == ((0x00290008,), "SIEMENS CSA HEADER")
        assert match.vr == "CS"  # known to the private dictionary

    def test_a_private_key_in_a_sequence(self) -> None:
        pairs = [("00400275.00091001", "x"), ("00400275.00090010", "ACME")]
        (match,) = read(*pairs).query.matches
        assert (match.path, match.private_creator) == ((0x00400275, 0x00090001), "ACME")

    def test_limit_and_offset(self) -> None:
        query = read(("limit", "101"), ("offset", "0")).query
        assert (query.limit, query.offset) == (101, 0)

    @pytest.mark.parametrize("offset", [str(2**63), str(2**64), "9" * 40])
    def test_a_huge_offset_is_past_the_end(self, offset: str) -> None:
        assert read(("offset", offset)).query.offset == 2**62

    def test_order(self) -> None:
        orders = read(("orderby", "-StudyDate,PatientName"), ("orderby", "00201206,StudyDate")).query.order
        assert orders == (Order(0x00080020, descending=True), Order(0x00100010), Order(0x00201206))

    def test_switches(self) -> None:
        query = read(("fuzzymatching", "true"), ("combineddatetime", "true"), ("count", "true")).query
        assert query.fuzzy
        assert query.combined_datetime
        assert query.count_total

    def test_parameters_of_the_transport_are_passed_over(self) -> None:
        assert read(("accept", "application/dicom+json"), ("charset", "utf-8")) == read()


class TestIncludefield:
    def test_keywords_tags_lists_repetition_and_duplicates(self) -> None:
        request = read(
            ("includefield", "StudyDescription,00081030, 00321060"), ("includefield", "ProcedureCodeSequence.CodeValue")
        )
        expected = [(0x00081030,), (0x00321060,), (0x00081032, 0x00080100)]
        assert request.query.include == tuple(Include(path) for path in expected)
        assert request.warnings == ()

    def test_all(self) -> None:
        assert read(("includefield", "all")).query.include_all
        assert not read(("includefield", "StudyDate")).query.include_all

    def test_an_unknown_one_is_warned_of(self) -> None:
        request = read(("includefield", 'No"thing,StudyID'))
        assert request.query.include == (Include((0x00200010,)),)
        assert request.warnings == ("The attribute No?thing in includefield is unknown and was ignored",)

    def test_one_of_a_lower_level_is_warned_of(self) -> None:
        request = read(("includefield", "00080060,Rows,PatientID"))
        assert request.query.include == (Include((0x00100020,)),)
        assert len(request.warnings) == 2
        assert "00080060 belongs to a lower level" in request.warnings[0]

    def test_a_private_one_with_its_creator(self) -> None:
        request = read(("includefield", "00291008"), ("00290010", "SIEMENS CSA HEADER"))
        assert request.query.include == (Include((0x00290008,), "SIEMENS CSA HEADER"),)
        assert request.query.matches == ()

    def test_a_private_one_without_is_taken_as_stored(self) -> None:
        assert read(("includefield", "00291008")).query.include == (Include((0x00291008,)),)


class TestRefusal:
    @pytest.mark.parametrize(
        ("pairs", "detail"),
        [
            ([("PatientNme", "x")], r"key PatientNme: expected a keyword, a tag of eight hexadecimal digits"),
            ([("0010001", "x")], "key 0010001"),
            ([("patientID", "x")], "parameter patientID: the case of letters counts"),
            ([("Limit", "1")], "parameter Limit: the case"),
            ([("", "x")], "expected a keyword"),
            ([("PatientID.PatientName", "x")], "key PatientID.PatientName"),
            ([(".".join(["00400275"] * 20), "x")], "expected a keyword"),
            ([("PatientID", "a"), ("00100020", "b")], "key 00100020: the attribute is given twice"),
            ([("StudyDate", "2024")], "key StudyDate: expected YYYYMMDD"),
            ([("StudyDate", "99991332")], "key StudyDate: expected YYYYMMDD"),
            ([("StudyDate", "00000000")], "key StudyDate: expected YYYYMMDD"),
            ([("StudyDate", "2024*")], "key StudyDate: expected YYYYMMDD"),
            ([("StudyDate", "-")], "key StudyDate: expected YYYYMMDD"),
            ([("StudyDate", "20240102-20240101")], "key StudyDate: the range ends before it begins"),
            ([("StudyDate", '""')], "key StudyDate: expected YYYYMMDD"),
            ([("StudyTime", "246060")], "key StudyTime: expected HHMMSS"),
            ([("StudyTime", "11-10")], "key StudyTime: the range ends"),
            ([("StudyTime", "1" * 100)], "key StudyTime: expected HHMMSS"),
            ([("AcquisitionDateTime", "20240101+9999")], "key AcquisitionDateTime: expected YYYY"),
            ([("AcquisitionDateTime", "20241301")], "key AcquisitionDateTime: expected YYYY"),
            ([("SeriesNumber", "1.5")], "key SeriesNumber: expected a whole number"),
            ([("SeriesNumber", "²")], "key SeriesNumber: expected a whole number"),
            ([("SpatialResolution", "nan")], "key SpatialResolution: expected a number"),
            ([("StudyInstanceUID", "1.2.*")], "key StudyInstanceUID: expected a UID"),
            ([("StudyInstanceUID", "1" * 65)], "key StudyInstanceUID: expected a UID"),
            ([("StudyInstanceUID", "1.2,,1.3")], "key StudyInstanceUID: expected a UID"),
            ([("FrameIncrementPointer", "Rows")], "expected a tag"),
            ([("RequestAttributesSequence", "x")], "an attribute of VR SQ takes no value"),
            ([("PixelData", "x")], "an attribute of VR O[BW] takes no value"),
            ([("00091001", "x")], "needs its private creator as another key, 00090010"),
            ([("00091001", "x"), ("00090010", "A"), ("00090010", "B")], "key 00090010: the attribute is given twice"),
            ([("PatientID", "a" * 20_000)], "expected at most 10240 characters"),
            ([("limit", "-1")], "parameter limit: expected a whole number, 0 or more"),
            ([("limit", "ten")], "parameter limit"),
            ([("limit", "5"), ("limit", "5")], "parameter limit: expected once"),
            ([("offset", "1.5")], "parameter offset"),
            ([("fuzzymatching", "yes")], "parameter fuzzymatching: expected true or false"),
            ([("fuzzymatching", "True")], "parameter fuzzymatching: expected true or false"),
            ([("multiplevaluematching", "1")], "parameter multiplevaluematching: expected true or false"),
            ([("orderby", "Rows")], "orderby: Rows is not an indexed attribute of this level"),
            ([("orderby", "StudyComments")], "orderby: StudyComments"),
            ([("orderby", "")], "orderby"),
        ],
    )
    def test_names_the_key_and_what_was_expected(self, pairs: list[tuple[str, str]], detail: str) -> None:
        with pytest.raises(ServerError, match=detail) as caught:
            read(*pairs)
        assert caught.value.reason is Reason.BAD_REQUEST

    def test_a_path_that_is_no_uid(self) -> None:
        with pytest.raises(ServerError, match="the study in the path"):
            search_request(Level.SERIES, [], study_uid="../1")

    def test_never_repeats_the_value(self) -> None:
        with pytest.raises(ServerError) as caught:
            read(("PatientBirthDate", "secret"))
        assert "secret" not in caught.value.detail


@pytest.mark.parametrize(("charset", "warned"), [("utf-8", 0), ("iso-8859-1, *;q=0.5", 0), ("ISO-8859-1", 1)])
def test_another_character_set_is_warned_of(charset: str, warned: int) -> None:
    assert len(read(("charset", charset)).warnings) == warned


def test_an_unknown_parameter_is_warned_of() -> None:
    request = read(("access_token", "secret"))
    assert request.warnings == ("The parameter access_token is unknown and was ignored",)
    assert request.query == read().query


class TestHostileInput:
    @pytest.mark.parametrize(
        "pairs",
        [
            [(f"{0x00100000 + n:08X}", "x") for n in range(5000)],
            [("PatientID", "x")] * 5000,
            [("includefield", f"{n:08X}") for n in range(10_000)],
            [("includefield", ",".join(f"{n:08X}" for n in range(10_000)))],
            [("StudyInstanceUID", ",".join(["1"] * 30_000))],
        ],
    )
    def test_is_refused_at_once(self, pairs: list[tuple[str, str]]) -> None:
        with at_most(1.5):
            with pytest.raises(ServerError) as caught:
                read(*pairs)
            assert caught.value.reason is Reason.BAD_REQUEST

    def test_many_equal_fields_are_one(self) -> None:
        assert len(read(*[("includefield", "StudyDate")] * MAX_INCLUDES).query.include) == 1

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["PatientName", "StudyDate", "StudyTime", "limit", "00091001", "SeriesNumber"])
                | st.text(max_size=12),
                st.text(max_size=12) | st.text("0123456789-*?,\\.+", max_size=24),
            ),
            max_size=4,
        )
    )
    def test_anything_is_read_or_refused(self, pairs: list[tuple[str, str]]) -> None:
        try:
            request = read(*pairs)
        except ServerError:
            return
        hash(request.query)
        assert all(warning.isascii() and warning.isprintable() for warning in request.warnings)
