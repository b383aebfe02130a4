"""PS3.4 §C.2.2.2: every kind of matching, asked for over QIDO-RS."""

import pytest

from conformance import samples
from conformance.archive import Archive
from conformance.requirement import requires
from conformance.searching import names, studies
from conformance.service import JSON, Service, value


@requires("PS3.4 §C.2.2.2.3")
@pytest.mark.parametrize("key", ["StudyDescription", "AccessionNumber", "StudyDate"])
def test_an_empty_value_matches_everything(service: Service, archive: Archive, key: str) -> None:
    assert studies(service, archive, **{key: ""}) == {"first", "second"}


@requires("PS3.4 §C.2.2.2.2")
@pytest.mark.parametrize("separator", [",", "\\"])
def test_a_list_of_uids_matches_each(service: Service, archive: Archive, separator: str) -> None:
    uids = separator.join([archive.ct[0].study, archive.second.study, "1.2.3"])
    assert names(service.search("/studies", {"StudyInstanceUID": uids}), archive) == {"first", "second"}


@requires("PS3.4 §C.2.2.2.2")
def test_a_list_of_uids_matches_instances(service: Service, archive: Archive) -> None:
    uids = ",".join(one.instance for one in archive.ct[:2])
    found = service.search(f"{archive.ct[0].study_path}/instances", {"SOPInstanceUID": uids})
    assert {value(one, "00080018") for one in found} == {one.instance for one in archive.ct[:2]}


@requires("PS3.4 §C.2.2.2.4")
@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("PatientID", "{run}*"),
        ("PatientID", "{run}-?"),
        ("PatientID", "*-1"),
        ("PatientID", "?{tail}-1"),
        ("PatientName", "M?ller{run}*"),
        ("PatientName", "*{run}^?nne"),
        ("PatientName", "Müller{run}^*"),
    ],
)
def test_a_wildcard_matches_text(service: Service, archive: Archive, key: str, pattern: str) -> None:
    query = {key: pattern.format(run=archive.run, tail=archive.run[1:])}
    assert names(service.search("/studies", query), archive) >= {"first", "second"}


@requires("PS3.4 §C.2.2.2.4")
@pytest.mark.parametrize(
    ("key", "pattern"), [("PatientID", "?{run}-1"), ("PatientID", "{run}-??"), ("PatientID", "{run}?")]
)
def test_a_question_mark_is_exactly_one_character(service: Service, archive: Archive, key: str, pattern: str) -> None:
    assert service.search("/studies", {key: pattern.format(run=archive.run)}) == []


@requires("PS3.4 §C.2.2.2.4")
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/studies", {"StudyDate": "2021*"}),
        ("/studies", {"StudyTime": "15*"}),
        ("/studies", {"StudyInstanceUID": "{root}*"}),
        ("/series", {"SeriesNumber": "?"}),
        ("/instances", {"InstanceNumber": "1?"}),
        ("/instances", {"Rows": "1*"}),
    ],
)
def test_a_wildcard_means_nothing_in_other_vrs(
    service: Service, archive: Archive, path: str, query: dict[str, str]
) -> None:
    filled = {key: text.format(root=samples.UID_ROOT) for key, text in query.items()}
    response = service.get(path, accept=JSON, query={"PatientID": archive.patient_id, **filled})
    assert response.status_code in (204, 400) or response.json() == []


@requires("PS3.4 §C.2.2.2.1")
@pytest.mark.parametrize(("key", "text"), [("PatientID", "{run}-1"), ("AccessionNumber", "A{run}")])
def test_single_values_are_case_sensitive(service: Service, archive: Archive, key: str, text: str) -> None:
    assert service.search("/studies", {key: text.format(run=archive.run).swapcase()}) == []


@requires("PS3.4 §C.2.2.2.1", "B")
@pytest.mark.parametrize("name", ["müller{run}^änne", "MÜLLER{run}^ÄNNE", "Muller{run}^Anne", "muller{run}*"])
def test_names_match_without_case_and_accents(service: Service, archive: Archive, name: str) -> None:
    query = {"PatientName": name.format(run=archive.run)}
    assert names(service.search("/studies", query), archive) == {"first", "second"}


@requires("PS3.4 §C.2.2.2.1")
@pytest.mark.parametrize("name", ["Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou", "Yamada*", "*山田*"])
def test_names_match_by_component_groups(service: Service, archive: Archive, name: str) -> None:
    found = service.search("/studies", {"PatientID": f"{archive.run}-4", "PatientName": name})
    assert [value(one, "0020000D") for one in found] == [archive.japanese.study]


@requires("PS3.4 §C.2.2.2.5")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20210314-20210314", {"first"}),
        ("20200101-20211231", {"first", "second"}),
        ("20200301-", {"first"}),
        ("-20200301", {"second"}),
        ("20200229-20210313", {"second"}),
        ("20210314-", {"first"}),
        ("-20200229", {"second"}),
        ("20210315-20991231", set()),
    ],
)
def test_a_range_of_dates(service: Service, archive: Archive, text: str, expected: set[str]) -> None:
    assert studies(service, archive, StudyDate=text) == expected


@requires("PS3.4 §C.2.2.2.5", "B")
def test_a_range_that_ends_before_it_begins_is_refused_or_empty(service: Service) -> None:
    response = service.get("/studies", accept=JSON, query={"StudyDate": "20211231-20200101"})
    assert response.status_code in (204, 400) or response.json() == []


@requires("PS3.4 §C.2.2.2.5")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("150926-150926", {"first"}),
        ("15-16", {"first"}),
        ("1509-1509", {"first"}),
        ("15-", {"first"}),
        ("-08", {"second"}),
        ("-0759", set()),
        ("080000-080000.000000", {"second"}),
        ("0800-1510", {"first", "second"}),
        ("16-", set()),
    ],
)
def test_a_range_of_times(service: Service, archive: Archive, text: str, expected: set[str]) -> None:
    assert studies(service, archive, StudyTime=text) == expected


@requires("PS3.4 §C.2.2.2.5")
def test_ranges_of_date_and_time_match_apart(service: Service, archive: Archive) -> None:
    found = studies(service, archive, StudyDate="20200101-20211231", StudyTime="070000-090000")
    assert found == {"second"}


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize(
    ("text", "expected"),
    [("CT", {"first"}), ("MR", {"first", "second"}), ("SEG", {"first"}), ("XA", set()), ("C", set())],
)
def test_modalities_in_study_match_any_series(
    service: Service, archive: Archive, text: str, expected: set[str]
) -> None:
    assert studies(service, archive, ModalitiesInStudy=text) == expected


@requires("PS3.18 §10.6.1.2.3", "B")
@pytest.mark.parametrize("text", ["CT,XA", "CT\\XA", "XA\\CT"])
def test_a_list_of_modalities_means_any(service: Service, archive: Archive, text: str) -> None:
    assert studies(service, archive, ModalitiesInStudy=text) == {"first"}


@requires("Hostile input: injection", "B")
def test_characters_of_sql_match_themselves(service: Service, archive: Archive) -> None:
    found = service.search("/studies", {"PatientID": str(archive.strange.dataset.PatientID)})
    assert [value(one, "0020000D") for one in found] == [archive.strange.study]


@requires("Hostile input: injection", "B")
@pytest.mark.parametrize(
    "text", ["{run}%", "{run}_1", "%", "_", "{run}-1' OR '1'='1", '{run}-1"', "{run}\\-1", "[a-z]*"]
)
def test_characters_of_sql_match_nothing_else(service: Service, archive: Archive, text: str) -> None:
    found = service.search("/studies", {"PatientID": text.format(run=archive.run)})
    assert not [one for one in found if str(value(one, "00100020")).startswith(archive.run)]


@requires("PS3.18 §8.3.4.2")
@pytest.mark.parametrize("name", ["müll", "Müller{run}", "änne", "Müller{run} Änne"])
def test_fuzzy_matching_finds_more_or_says_that_it_cannot(service: Service, archive: Archive, name: str) -> None:
    query = {"fuzzymatching": "true", "PatientID": archive.patient_id, "PatientName": name.format(run=archive.run)}
    response = service.get("/studies", accept=JSON, query=query)
    warned = response.headers.get("warning", "").startswith("299 ")
    assert warned or names(response.json(), archive) == {"first", "second"}


@requires("PS3.18 §8.3.4.2")
def test_without_fuzzy_matching_names_match_literally(service: Service, archive: Archive) -> None:
    query = {"fuzzymatching": "false", "PatientName": f"Müller{archive.run}"}
    assert service.search("/studies", query) == []


@requires("PS3.18 §8.3.4.5")
def test_empty_value_matching_finds_the_empty_or_says_that_it_cannot(service: Service, archive: Archive) -> None:
    query = {"emptyvaluematching": "true", "PatientID": archive.patient_id, "StudyID": '""'}
    response = service.get("/studies", accept=JSON, query=query)
    warned = response.headers.get("warning", "").startswith("299 ")
    assert warned or names(response.json(), archive) == {"second"}


@requires("PS3.18 §8.3.4.5", "O")
def test_empty_value_matching_finds_the_absent(service: Service, archive: Archive) -> None:
    query = {"emptyvaluematching": "true", "PatientID": archive.patient_id, "StudyDescription": '""'}
    assert names(service.search("/studies", query), archive) == {"second"}


@requires("PS3.4 §C.2.2.2.8")
@pytest.mark.parametrize("separator", [",", "\\"])
@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        (("CT", "MR"), {"first"}),
        (("MR",), {"first", "second"}),
        (("CT", "XA"), set()),
        (("SEG", "MR", "CT"), {"first"}),
    ],
)
def test_multiple_value_matching_finds_what_has_all_or_says_that_it_cannot(
    service: Service, archive: Archive, separator: str, modalities: tuple[str, ...], expected: set[str]
) -> None:
    query = {
        "multiplevaluematching": "true",
        "PatientID": archive.patient_id,
        "ModalitiesInStudy": separator.join(modalities),
    }
    response = service.get("/studies", accept=JSON, query=query)
    warned = response.headers.get("warning", "").startswith("299 ")
    assert warned or names(response.json(), archive) == expected


@requires("PS3.18 §8.3.4.6", "B")
@pytest.mark.parametrize("separator", [",", "\\"])
def test_multiple_value_matching_of_a_single_value_finds_any_or_says_that_it_cannot(
    service: Service, archive: Archive, separator: str
) -> None:
    numbers = separator.join([f"A{archive.run}", f"B{archive.run}", "none"])
    query = {"multiplevaluematching": "true", "PatientID": archive.patient_id, "AccessionNumber": numbers}
    response = service.get("/studies", accept=JSON, query=query)
    warned = response.headers.get("warning", "").startswith("299 ")
    assert warned or names(response.json(), archive) == {"first", "second"}


@requires("PS3.18 §8.3.4.6")
def test_without_multiple_value_matching_a_comma_is_literal(service: Service, archive: Archive) -> None:
    assert studies(service, archive, AccessionNumber=f"A{archive.run},B{archive.run}") == set()


@requires("PS3.18 §8.3.4.1", "B")
@pytest.mark.parametrize(
    ("path", "key", "text"),
    [
        ("/studies", "StudyDate", "2021-03-14"),
        ("/studies", "StudyDate", "20211301"),
        ("/studies", "StudyDate", "99991332"),
        ("/studies", "StudyDate", "20210101-20210102-20210103"),
        ("/studies", "StudyTime", "250000"),
        ("/studies", "StudyTime", "noon"),
        ("/studies", "StudyInstanceUID", "not a uid"),
        ("/studies", "StudyInstanceUID", "1.2." + "3" * 80),
        ("/series", "SeriesNumber", "seven"),
        ("/instances", "Rows", "x"),
    ],
)
def test_a_malformed_value_answers_400_and_names_the_key(service: Service, path: str, key: str, text: str) -> None:
    response = service.get(path, accept=JSON, query={key: text})
    assert (response.status_code, key in response.text) == (400, True)
