"""PS3.18 §10.6.1.2 and §8.3.4.1: matching keys at each level, and how they are named."""

import pytest

from conformance import samples
from conformance.archive import PRIVATE_CREATOR, Archive
from conformance.requirement import requires
from conformance.searching import fill, names
from conformance.service import JSON, Service, value

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
