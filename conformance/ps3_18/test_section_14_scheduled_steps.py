"""PS3.18 chapter 14: the modality worklist over HTTP, with the matching of PS3.4 annex K."""

import pytest

from conformance.procedure_steps import Address, study_uid
from conformance.requirement import requires
from conformance.service import JSON, XML, DicomJson, Query, Service, value, values

PATH = "/modality-scheduled-procedure-steps"
STEP = "ScheduledProcedureStepSequence"
DATE, TIME = f"{STEP}.ScheduledProcedureStepStartDate", f"{STEP}.ScheduledProcedureStepStartTime"
ACCESSION, STEP_SEQUENCE = "00080050", "00400100"


@pytest.fixture(scope="module")
def steps(service: Service, worklist: Address) -> Service:
    """The service, if it offers scheduled procedure steps; its worklist has the items of the suites."""
    del worklist
    if service.get(PATH, accept=JSON).status_code in (404, 405, 501):
        pytest.skip("scheduled procedure steps are not offered over HTTP")
    return service


def numbers(service: Service, query: Query | None = None) -> set[str]:
    """Accession numbers of the answers, without those of the item whose state other suites change."""
    return {value(one, ACCESSION) for one in service.search(PATH, query)} - {"ACC4"}


def one(service: Service, query: Query) -> DicomJson:
    (found,) = service.search(PATH, query)
    return found


@requires("PS3.18 §14.4")
def test_everything_is_found_without_keys(steps: Service) -> None:
    assert numbers(steps) >= {"ACC1", "ACC2", "ACC3"}


@requires("PS3.4 §K.6.1.2.2")
def test_an_answer_has_the_return_keys_of_type_1(steps: Service) -> None:
    found = one(steps, {"AccessionNumber": "ACC1"})
    assert (value(found, "00100010"), value(found, "00100020")) == ({"Alphabetic": "Zebra^Anna"}, "PAT1")
    assert (value(found, "0020000D"), value(found, "00401001")) == (study_uid("1"), "RP1")
    (step,) = values(found, STEP_SEQUENCE)
    assert [value(step, tag) for tag in ("00080060", "00400001", "00400002", "00400009")] == [
        "CT", "CT1", "20290101", "SPS1",
    ]  # fmt: skip


@requires("PS3.18 §14.4.1.2")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({f"{STEP}.ScheduledStationAETitle": "CT2"}, {"ACC2"}),
        ({"00400100.00400001": "CT2"}, {"ACC2"}),
        ({f"{STEP}.Modality": "MR"}, {"ACC3"}),
        ({f"{STEP}.Modality": "XA"}, set()),
        ({DATE: "20290102"}, {"ACC3"}),
        ({DATE: "20290101-20290102"}, {"ACC1", "ACC2", "ACC3"}),
        ({DATE: "20290102-20290102", f"{STEP}.Modality": "CT"}, set()),
        ({f"{STEP}.ScheduledProcedureStepID": "SPS1"}, {"ACC1"}),
        ({"PatientName": "Zebra*"}, {"ACC1", "ACC2"}),
        ({"PatientName": "Müller*"}, {"ACC3"}),
        ({"PatientID": "PAT?"}, {"ACC1", "ACC2", "ACC3"}),
        ({"PatientName": "Anna", "fuzzymatching": "true"}, {"ACC1"}),
        ({"StudyInstanceUID": f"{study_uid('1')},{study_uid('3')}"}, {"ACC1", "ACC3"}),
    ],
    ids=["station", "tags", "modality", "no match", "a day", "days", "two keys of the step", "step id",
         "wildcard", "not ASCII", "one character", "fuzzy", "list of UIDs"],
)  # fmt: skip
def test_keys_match(steps: Service, query: Query, expected: set[str]) -> None:
    assert numbers(steps, query) == expected


@requires("PS3.4 §K.2.2.1.2")
def test_a_range_of_dates_and_one_of_times_are_one_interval(steps: Service) -> None:
    assert numbers(steps, {DATE: "20290101-20290102", TIME: "100000-095959"}) == {"ACC2", "ACC3"}


@requires("PS3.18 §8.3.4.3")
def test_included_attributes_are_answered(steps: Service) -> None:
    query = {"AccessionNumber": "ACC1", "includefield": f"PatientComments,{STEP}.ScheduledProcedureStepDescription"}
    found = one(steps, query)
    assert value(values(found, STEP_SEQUENCE)[0], "00400007") == "Step"
    assert found["00104000"].get("Value", []) == []


@requires("PS3.18 §8.3.4.4")
def test_pages_have_all_items_once(steps: Service) -> None:
    whole = [value(found, ACCESSION) for found in steps.search(PATH)]
    paged = [
        value(found, ACCESSION)
        for offset in range(len(whole))
        for found in steps.search(PATH, {"limit": "1", "offset": str(offset)})
    ]
    assert paged == whole


@requires("PS3.18 §8.3.4.4")
def test_a_warning_tells_of_more(steps: Service) -> None:
    response = steps.get(PATH, accept=JSON, query={"limit": "1"})
    assert "additional results" in response.headers.get("warning", "")


@requires("PS3.18 §14.1.3")
@pytest.mark.parametrize("kind", [JSON, "application/dicom+xml"])
@pytest.mark.parametrize("multipart", [False, True], ids=["alone", "parts"])
def test_the_media_types_of_one_match(steps: Service, kind: str, multipart: bool) -> None:
    accept = f'multipart/related; type="{kind}"' if multipart else kind
    response = steps.get(PATH, accept=accept, query={"AccessionNumber": "ACC1"})
    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == ("multipart/related" if multipart else kind)
    assert "SPS1" in response.text
    assert ("<NativeDicomModel" in response.text) is kind.endswith("xml")


@requires("PS3.18 §14.4.3", "O")
def test_no_match_is_204_or_an_empty_list(steps: Service) -> None:
    response = steps.get(PATH, accept=JSON, query={"AccessionNumber": "NOBODY"})
    assert (response.status_code, response.content) in ((204, b""), (200, b"[]"))
    assert steps.get(PATH, accept=XML, query={"AccessionNumber": "NOBODY"}).status_code == 204


@requires("PS3.18 §14.4.3")
@pytest.mark.parametrize("query", [{"limit": "x"}, {DATE: "soon"}, {"fuzzymatching": "perhaps"}], ids=str)
def test_a_bad_parameter_answers_400(steps: Service, query: Query) -> None:
    assert steps.get(PATH, accept=JSON, query=query).status_code == 400
