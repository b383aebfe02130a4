"""PS3.18 §10.6.1.2 and §8.3.4.1: matching keys at each level, and every kind of matching of PS3.4 §C.2.2.2."""

import pytest

from conformance import samples
from conformance.archive import PRIVATE_CREATOR, Archive
from conformance.requirement import requires
from conformance.service import JSON, DicomJson, Service, value

STUDY_KEYS = {
    "StudyDate": ("20210314", "20210315"),
    "StudyTime": ("150926", "150927"),
    "AccessionNumber": ("A{run}", "nobody"),
    "ModalitiesInStudy": ("CT", "XA"),
    "ReferringPhysicianName": ("Referrer^Renée", "nobody"),
    "PatientName": ("Müller{run}^Änne", "nobody"),
    "PatientID": ("{run}-1", "nobody"),
    "StudyInstanceUID": ("{study}", "1.2.3"),
    "StudyID": ("S-1", "nobody"),
    "PatientBirthDate": ("19700102", "19700103"),
    "PatientSex": ("F", "M"),
    "StudyDescription": ("Conformance study {run}", "nobody"),
}
SERIES_KEYS = {
    "Modality": ("CT", "XA"),
    "SeriesInstanceUID": ("{series}", "1.2.3"),
    "SeriesNumber": ("7", "8"),
    "PerformedProcedureStepStartDate": ("20210315", "20210314"),
    "PerformedProcedureStepStartTime": ("151000", "151001"),
    "RequestAttributesSequence.ScheduledProcedureStepID": ("SPS{run}", "nobody"),
    "RequestAttributesSequence.RequestedProcedureID": ("RP{run}", "nobody"),
    "SeriesDescription": ("Axial", "nobody"),
}
INSTANCE_KEYS = {
    "SOPClassUID": (samples.CT, "1.2.3"),
    "SOPInstanceUID": ("{instance}", "1.2.3"),
    "InstanceNumber": ("1", "99"),
}


def fill(text: str, archive: Archive) -> str:
    one = archive.ct[0]
    return text.format(run=archive.run, study=one.study, series=one.series, instance=one.instance)


def studies(service: Service, archive: Archive, **keys: str) -> set[str]:
    """Studies of the person with two studies that match."""
    found = service.search("/studies", {"PatientID": archive.patient_id, **keys})
    return names(found, archive)


def names(found: list[DicomJson], archive: Archive) -> set[str]:
    known = {archive.ct[0].study: "first", archive.second.study: "second"}
    return {known.get(value(one, "0020000D"), "other") for one in found}


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize("key", list(STUDY_KEYS))
def test_a_study_key_finds_the_study(service: Service, archive: Archive, key: str) -> None:
    found = service.search("/studies", {key: fill(STUDY_KEYS[key][0], archive), "StudyInstanceUID": archive.ct[0].study}
                           if key != "StudyInstanceUID" else {key: archive.ct[0].study})  # fmt: skip
    assert names(found, archive) == {"first"}


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize("key", [key for key in STUDY_KEYS if key != "StudyInstanceUID"])
def test_a_study_key_with_another_value_finds_nothing(service: Service, archive: Archive, key: str) -> None:
    query = [("StudyInstanceUID", archive.ct[0].study), (key, STUDY_KEYS[key][1])]
    assert service.search("/studies", query) == []


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize("key", list(SERIES_KEYS))
@pytest.mark.parametrize("resource", ["study", "all"])
def test_a_series_key_finds_the_series(service: Service, archive: Archive, key: str, resource: str) -> None:
    path, query = f"{archive.ct[0].study_path}/series", {key: fill(SERIES_KEYS[key][0], archive)}
    if resource == "all":
        path, query = "/series", {**query, "StudyInstanceUID": archive.ct[0].study}
    assert archive.ct[0].series in {value(one, "0020000E") for one in service.search(path, query)}


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize("key", list(SERIES_KEYS))
def test_a_series_key_with_another_value_finds_nothing(service: Service, archive: Archive, key: str) -> None:
    assert service.search(f"{archive.ct[0].study_path}/series", {key: SERIES_KEYS[key][1]}) == []


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize("key", list(INSTANCE_KEYS))
@pytest.mark.parametrize("resource", ["series", "study", "all"])
def test_an_instance_key_finds_the_instance(service: Service, archive: Archive, key: str, resource: str) -> None:
    one, query = archive.ct[0], {key: fill(INSTANCE_KEYS[key][0], archive)}
    path = {"series": one.series_path, "study": one.study_path, "all": ""}[resource] + "/instances"
    if resource == "all":
        query["StudyInstanceUID"] = one.study
    assert one.instance in {value(match, "00080018") for match in service.search(path, query)}


@requires("PS3.18 §10.6.1.2.3")
@pytest.mark.parametrize("key", list(INSTANCE_KEYS))
def test_an_instance_key_with_another_value_finds_nothing(service: Service, archive: Archive, key: str) -> None:
    assert service.search(f"{archive.ct[0].study_path}/instances", {key: INSTANCE_KEYS[key][1]}) == []


@requires("PS3.18 §10.6.1.1")
@pytest.mark.parametrize(("path", "count"), [("/series", 1), ("/instances", 3)])
def test_keys_of_higher_levels_match_in_relational_searches(
    service: Service, archive: Archive, path: str, count: int
) -> None:
    assert len(service.search(path, {"PatientID": archive.patient_id, "SeriesDescription": "Axial"})) == count


@requires("PS3.18 §8.3.4.1")
@pytest.mark.parametrize("key", ["PatientID", "00100020"])
def test_a_key_is_a_keyword_or_eight_digits(service: Service, archive: Archive, key: str) -> None:
    assert names(service.search("/studies", {key: archive.patient_id}), archive) == {"first", "second"}


@requires("PS3.18 §8.3.4.1")
@pytest.mark.parametrize("key", ["0020000D", "0020000d"])
def test_hex_digits_have_no_case(service: Service, archive: Archive, key: str) -> None:
    assert names(service.search("/studies", {key: archive.ct[0].study}), archive) == {"first"}


@requires("PS3.18 §8.3.4.1")
@pytest.mark.parametrize(
    "key",
    ["RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009", "00400275.ScheduledProcedureStepID"],
)
def test_a_dotted_key_reaches_into_a_sequence(service: Service, archive: Archive, key: str) -> None:
    found = service.search("/series", {key: f"SPS{archive.run}"})
    assert [value(one, "0020000E") for one in found] == [archive.ct[0].series]


@requires("PS3.18 §8.3.4.1", "B")
def test_the_same_attribute_twice_answers_400(service: Service) -> None:
    assert service.get("/studies?PatientID=a&00100020=b", accept=JSON).status_code == 400


@requires("PS3.18 §8.3.4.1")
@pytest.mark.parametrize("key", ["NoSuchKeyword", "0010002", "GGGG0020", "PatientID.PatientName"])
def test_a_key_that_names_no_attribute_is_refused_or_ignored(service: Service, key: str) -> None:
    assert service.get(f"/studies?{key}=x&limit=1", accept=JSON).status_code in (200, 204, 400)


@requires("PS3.18 §8.3.4.1", "O")
def test_a_private_key_matches_with_its_creator(service: Service, archive: Archive) -> None:
    query = {"00110010": PRIVATE_CREATOR, "00111001": f"private {archive.run}"}
    assert len(service.search(f"{archive.ct[0].series_path}/instances", query)) == 3


@requires("PS3.18 §8.3.4.1", "O")
def test_a_private_key_of_another_creator_matches_nothing(service: Service, archive: Archive) -> None:
    query = {"00110010": "SOMEBODY ELSE", "00111001": f"private {archive.run}"}
    assert service.search(f"{archive.ct[0].series_path}/instances", query) == []


@requires("PS3.18 §8.3.4.1", "B")
@pytest.mark.parametrize(("wanted", "count"), [("HEAD", 3), ("FOOT", 0)])
def test_an_attribute_outside_of_the_tables_matches_too(
    service: Service, archive: Archive, wanted: str, count: int
) -> None:
    query = {"SliceLocation": "2.5"} if wanted == "slice" else {"BodyPartExamined": wanted}
    found = service.search("/instances", {"StudyInstanceUID": archive.ct[0].study, **query})
    assert len(found) == count


@requires("PS3.18 §8.3.4.1", "B")
def test_an_attribute_that_is_in_no_index_matches_too(service: Service, archive: Archive) -> None:
    found = service.search(f"{archive.ct[0].series_path}/instances", {"SliceLocation": "5"})
    assert [value(one, "00080018") for one in found] == [archive.ct[1].instance]


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


@requires("OWASP injection", "B")
def test_characters_of_sql_match_themselves(service: Service, archive: Archive) -> None:
    found = service.search("/studies", {"PatientID": str(archive.strange.dataset.PatientID)})
    assert [value(one, "0020000D") for one in found] == [archive.strange.study]


@requires("OWASP injection", "B")
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


@requires("PS3.18 §8.3.4.6")
@pytest.mark.parametrize("separator", [",", "\\"])
def test_multiple_value_matching_finds_any_or_says_that_it_cannot(
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
