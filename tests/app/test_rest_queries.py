"""Modalities asked by REST: query and retrieve, the finds of former times, the worklist, commitment."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.services.modalities import PeerAwayError, PeerError, Reference, Transfer
from tests.app.fake_remotes import FakeRemote, open_with_remote
from tests.app.rest_harness import Rest
from tests.app.test_rest_sending import ended, load, uid
from tests.builders import make_instance

Opened = tuple[Rest, FakeRemote]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with open_with_remote(tmp_path) as both:
        yield both


def match(study: str = "1.2", patient: str = "P", **more: str) -> dict[str, Any]:
    """An answer as a modality gives it."""
    return {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "00080050": {"vr": "SH", "Value": ["A1"]},
        "00080052": {"vr": "CS", "Value": ["STUDY"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        "00100020": {"vr": "LO", "Value": [patient]},
        "0020000D": {"vr": "UI", "Value": [study]},
        **{tag: {"vr": "UI", "Value": [value]} for tag, value in more.items()},
    }


async def queried(opened: Opened, *matches: dict[str, Any], level: str = "Study") -> str:
    """Ask; the path of the query."""
    rest, remote = opened
    remote.matches = list(matches)
    response = await rest.post("/modalities/pacs/query", {"Level": level, "Query": {"PatientID": "P*"}})
    assert response.status_code == 200, response.text
    assert response.json()["Path"] == f"/queries/{response.json()['ID']}"
    path: str = response.json()["Path"]
    return path


async def test_a_query_is_kept_with_its_answers(opened: Opened) -> None:
    rest, remote = opened
    path = await queried(opened, match(), match("1.3"))
    assert await rest.json("/queries") == [path.removeprefix("/queries/")]
    assert await rest.json(path) == ["answers", "level", "modality", "query", "retrieve"]
    assert (await rest.get(path + "/level")).text == "Study"
    assert (await rest.get(path + "/modality")).text == "pacs"
    assert await rest.json(path + "/query?simplify") == {"PatientID": "P*"}
    assert await rest.json(path + "/query?short") == {"0010,0020": "P*"}
    assert await rest.json(path + "/answers") == ["0", "1"]
    assert [each["StudyInstanceUID"] for each in await rest.json(path + "/answers?expand&simplify")] == ["1.2", "1.3"]
    assert await rest.json(path + "/answers/1") == ["content", "retrieve", "query-series", "query-instances"]
    content = await rest.json(path + "/answers/0/content")
    assert content["0010,0010"] == {"Name": "PatientName", "Type": "String", "Value": "Doe^Jane"}
    assert (await rest.json(path + "/answers/0/content?short"))["0010,0020"] == "P"
    [(_, level, keys)] = remote.asked
    assert level is Level.STUDY
    assert keys["00100020"] == {"vr": "LO", "Value": ["P*"]}
    assert keys["0020000D"] == {"vr": "UI"}
    assert (await rest.send("DELETE", path)).status_code == 200
    assert (await rest.get(path)).status_code == 404


async def test_keys_below_the_level_are_left_out_unless_they_are_wanted(opened: Opened) -> None:
    rest, remote = opened
    body = {"Level": "Study", "Query": {"SeriesDescription": "x", "0008,0061": "CT", "00091010": "private"}}
    await rest.post("/modalities/pacs/query", body)
    await rest.post("/modalities/pacs/query", body | {"Normalize": False})
    (_, _, normalized), (_, _, whole) = remote.asked
    assert whole.keys() - normalized.keys() == {"0008103E"}
    assert {"00080061", "00091010"} <= normalized.keys()


@pytest.mark.parametrize(
    ("level", "name", "depth"), [("Patient", "studies", 1), ("Study", "series", 2), ("Series", "instances", 3)]
)
async def test_an_answer_is_looked_into(opened: Opened, level: str, name: str, depth: int) -> None:
    rest, remote = opened
    path = await queried(opened, match(**{"0020000E": "1.2.1"}), level=level)
    response = await rest.post(f"{path}/answers/0/query-{name}", {"Query": {"InstanceNumber": ""}, "Timeout": 5})
    assert response.status_code == 200, response.text
    _, asked, keys = remote.asked[-1]
    assert asked == depth
    parents = {"00100020": "P", "0020000D": "1.2", "0020000E": "1.2.1"}
    for tag in [*parents][:depth]:
        assert keys[tag]["Value"] == [parents[tag]]
    assert "00200013" in keys
    assert remote.modality is not None
    assert remote.modality.timeout == 5
    for other in {"studies", "series", "instances"} - {name}:
        expected = 400 if {"studies": 1, "series": 2, "instances": 3}[other] <= depth - 1 else 200
        assert (await rest.post(f"{path}/answers/0/query-{other}", {})).status_code == expected


async def test_answers_are_retrieved_by_move(opened: Opened) -> None:
    rest, remote = opened
    path = await queried(opened, match(), match("1.3"))
    response = await rest.post(path + "/retrieve", "THERE")
    assert response.status_code == 200, response.text
    assert response.json() == {
        "Description": "REST API",
        "LocalAet": "DICOMWEB",
        "RemoteAet": "PACS",
        "TargetAet": "THERE",
        "Query": [
            {"0008,0050": "A1", "0008,0052": "STUDY", "0010,0020": "P", "0020,000d": study} for study in ("1.2", "1.3")
        ],
        "FailedInstancesCount": 0,
        "InstancesCount": 2,
    }
    moves = [each[1:] for each in remote.asked if each[0] == "move"]
    assert moves == [(Level.STUDY, {"0020000D": {"vr": "UI", "Value": [uid]}}, "THERE") for uid in ("1.2", "1.3")]


async def test_answers_are_retrieved_by_get_and_shown_as_is_wished(opened: Opened) -> None:
    rest, remote = opened
    path = await queried(opened, match(**{"0020000E": "1.2.1"}), level="Series")
    content = (await rest.post(path + "/answers/0/retrieve", {"RetrieveMethod": "C-GET", "Simplify": True})).json()
    assert content["Query"][0]["SeriesInstanceUID"] == "1.2.1"
    assert "TargetAet" not in content
    _, level, keys = remote.asked[-1]
    assert (level, list(keys)) == (Level.SERIES, ["0020000D", "0020000E"])
    content = (await rest.post(path + "/retrieve", {"Full": True, "RetrieveMethod": "SystemDefault"})).json()
    assert content["Query"][0]["0020,000e"]["Name"] == "SeriesInstanceUID"
    assert (remote.asked[-1][0], remote.asked[-1][3]) == ("move", "DICOMWEB")


async def test_the_usual_method_is_a_setting(tmp_path: Path) -> None:
    async with open_with_remote(tmp_path, lambda options: replace(options, retrieve_method="get")) as opened:
        rest, remote = opened
        await rest.post(await queried(opened, match()) + "/retrieve", "")
        assert remote.asked[-1][0] == "get"


async def test_a_retrieve_that_fails_says_so_unless_it_is_permissive(opened: Opened) -> None:
    rest, remote = opened
    path = await queried(opened, match(), match("1.3"))
    remote.transfer = Transfer(3, 0, 2)
    response = await rest.post(path + "/retrieve", {})
    assert (response.status_code, response.json()["Details"]) == (500, "2 instances failed")
    content = (await rest.post(path + "/retrieve", {"Permissive": True})).json()
    assert (content["InstancesCount"], content["FailedInstancesCount"]) == (6, 4)
    remote.refusal = PeerError("C-MOVE was answered with status A801H")
    response = await rest.post(path + "/retrieve", {})
    assert (response.status_code, response.json()["Details"]) == (500, "C-MOVE was answered with status A801H")


async def test_a_retrieve_from_who_is_away_is_tried_later(opened: Opened) -> None:
    rest, remote = opened
    path = await queried(opened, match())
    remote.away = PeerAwayError("away")
    job = (await rest.post(path + "/retrieve", {"Asynchronous": True})).json()["Path"]
    assert (await ended(rest, job, "Retry"))["ErrorDetails"] == "away"
    assert (await rest.post(path + "/retrieve", {})).status_code == 500


@pytest.mark.parametrize("door", ["move", "get"])
async def test_uids_are_retrieved_without_a_query(opened: Opened, door: str) -> None:
    rest, remote = opened
    resources = [{"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1"}]
    response = await rest.post(
        f"/modalities/pacs/{door}", {"Level": "Series", "Resources": resources, "TargetAet": "T"}
    )
    assert response.status_code == 200, response.text
    assert response.json()["Query"] == resources
    assert remote.asked[-1][:2] == (door, Level.SERIES)
    for body in (
        {}, {"Level": "Series"}, {"Level": "Nothing", "Resources": resources}, {"Level": "Study", "Resources": [5]},
        {"Level": "Study", "Resources": [{}]}, {"Level": "Study", "Resources": [{"NoSuchName": "1"}]},
        {"Level": "Instance", "Resources": resources},
    ):  # fmt: skip
        assert (await rest.post(f"/modalities/pacs/{door}", body)).status_code == 400, body


async def test_finds_of_former_times(opened: Opened) -> None:
    rest, remote = opened
    remote.matches = [match()]
    [found] = (await rest.post("/modalities/pacs/find-patient", {"PatientName": "Doe*"})).json()
    assert found["PatientName"] == "Doe^Jane"
    assert remote.asked[-1][1] is Level.PATIENT
    assert "00100030" in remote.asked[-1][2]
    for door, query in (
        ("find-study", {"PatientID": "P"}),
        ("find-series", {"StudyInstanceUID": "1.2"}),
        ("find-instance", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.1"}),
    ):
        assert len((await rest.post(f"/modalities/pacs/{door}", query)).json()) == 1
        assert (await rest.post(f"/modalities/pacs/{door}", {})).status_code == 400
    [patient] = (await rest.post("/modalities/pacs/find", {"PatientID": "P"})).json()
    assert patient["Studies"][0]["Series"][0]["StudyInstanceUID"] == "1.2"


async def test_the_worklist_is_asked(opened: Opened) -> None:
    rest, remote = opened
    remote.matches = [match()]
    query = {"PatientID": "", "ScheduledProcedureStepSequence": [{"Modality": "CT", "ScheduledStationAETitle": ""}]}
    assert (await rest.post("/modalities/pacs/find-worklist", query)).json()[0]["PatientID"] == "P"
    assert remote.asked[-1][1]["00400100"]["Value"] == [
        {"00080060": {"vr": "CS", "Value": ["CT"]}, "00400001": {"vr": "AE"}}
    ]
    wrapped = {"Query": query, "Short": True}
    assert (await rest.post("/modalities/pacs/find-worklist", wrapped)).json()[0]["0010,0020"] == "P"
    wrapped = {"Query": query, "Full": True}
    assert (await rest.post("/modalities/pacs/find-worklist", wrapped)).json()[0]["0010,0020"]["Name"] == "PatientID"


async def test_echo(opened: Opened) -> None:
    rest, remote = opened
    node = {"AET": "X", "Host": "x.example", "Port": 104}
    for path, body in (("/modalities/pacs/echo", None), ("/modalities/pacs/echo", {}), ("/tools/dicom-echo", node)):
        response = await rest.post(path, body)
        assert (response.status_code, response.json()) == (200, {})
    assert remote.modality is not None
    assert remote.modality.host == "x.example"
    await rest.post("/modalities/pacs/echo", {"CheckFind": True, "Timeout": 3})
    assert [each[0] for each in remote.asked] == ["echo", "echo", "echo", "echo", "find"]
    remote.away = PeerAwayError("x.example port 104: Connection refused")
    response = await rest.post("/modalities/pacs/echo", {})
    assert (response.status_code, response.json()["Details"]) == (500, "x.example port 104: Connection refused")
    assert (await rest.post("/tools/dicom-echo", {"AET": "X"})).status_code == 400


async def test_storage_commitment_and_what_may_be_deleted_then(opened: Opened) -> None:
    rest, remote = opened
    study = await load(rest)
    response = await rest.post("/modalities/pacs/storage-commitment", {"Resources": [study]})
    assert response.status_code == 200, response.text
    transaction, path = response.json()["ID"], response.json()["Path"]
    [(_, references, asked)] = remote.asked
    assert (asked, [each.instance_uid for each in references]) == (transaction, [uid(0), uid(1), uid(2)])
    assert (await rest.post(path + "/remove")).status_code == 400
    commitments = rest.services.commitments
    assert await commitments.told(transaction, "PACS", references[:2], [(references[2], 0x0112)])
    report = await rest.json(path)
    assert (report["Status"], len(report["Success"])) == ("Failure", 2)
    assert report["Failures"][0] == {
        "Description": "there is no such instance",
        "FailureReason": 0x0112,
        "SOPClassUID": references[2].sop_class_uid,
        "SOPInstanceUID": uid(2),
    }
    assert (await rest.post(path + "/remove")).status_code == 400
    assert await commitments.told(transaction, "PACS", references[:2], [])
    assert (await rest.json(path))["Failures"][0]["FailureReason"] == 0x0110
    assert (await rest.post(path + "/remove")).status_code == 400
    assert len(await rest.json("/instances")) == 3
    assert await commitments.told(transaction, "PACS", references, [])
    assert (await rest.json(path))["Status"] == "Success"
    for _ in range(2):
        assert (await rest.post(path + "/remove")).status_code == 200
    assert await rest.json("/instances") == []


async def test_storage_commitment_is_asked_for_by_uids(opened: Opened) -> None:
    rest, remote = opened
    pairs = [["1.2", "1.2.3"], {"SOPClassUID": "1.2", "SOPInstanceUID": "1.2.4"}]
    await rest.post("/modalities/pacs/storage-commitment", {"DicomInstances": pairs})
    assert remote.asked[0][1] == [Reference("1.2", "1.2.3"), Reference("1.2", "1.2.4")]
    wrongs: list[Any] = [[], {}, [5], [["1.2"]], [["1.2", "x"]], [{"SOPClassUID": "1.2"}], "1.2"]
    for wrong in wrongs:
        response = await rest.post("/modalities/pacs/storage-commitment", {"DicomInstances": wrong})
        assert response.status_code == 400, wrong
    remote.away = PeerAwayError("away")
    response = await rest.post("/modalities/pacs/storage-commitment", {"DicomInstances": pairs})
    assert response.status_code == 500
    assert (await rest.get("/storage-commitment/1.2.3")).status_code == 404


async def test_bad_queries(opened: Opened) -> None:
    rest, remote = opened
    deep: dict[str, Any] = {}
    for _ in range(20):
        deep = {"ScheduledProcedureStepSequence": [deep]}
    bodies: list[Any] = [
        [], {}, {"Level": 5}, {"Level": "Nothing"}, {"Level": "Study", "Query": []},
        {"Level": "Study", "Query": {"x": ""}},
        {"Level": "Study", "Query": {"PatientID": 5}}, {"Level": "Study", "Query": {"PatientID": ["P"]}},
        {"Level": "Study", "Query": {"PatientID": "x" * 70_000}}, {"Level": "Study", "Query": deep},
        {"Level": "Study", "Query": {"ScheduledProcedureStepSequence": [5]}},
        {"Level": "Study", "Query": {f"{n:08X}": "" for n in range(0x00110000, 0x00110300)}},
    ]  # fmt: skip
    for body in bodies:
        response = await rest.post("/modalities/pacs/query", body)
        assert response.status_code == 400, (body, response.text)
    assert not remote.asked
    path = await queried(opened, match())
    for below in ("/answers/1", "/answers/x", "/answers/-1", "/answers/1/content", "/answers/9999999999"):
        assert (await rest.get(path + below)).status_code == 400
    bodies = ["x" * 17, b"\xff", {"RetrieveMethod": "FTP"}, {"TargetAet": 5}, "{"]
    for body in bodies:
        assert (await rest.post(path + "/retrieve", body)).status_code == 400, body
    empty = await queried(opened, {"00100020": {"vr": "LO"}})
    response = await rest.post(empty + "/retrieve", "")
    assert (response.status_code, "0020000D" in response.json()["Details"]) == (400, True)
    for missing in ("/queries/x", "/queries/x/answers", "/queries/x/answers/0/content"):
        assert (await rest.get(missing)).status_code == 404


async def test_answers_without_end_are_given_up_and_the_oldest_queries_forgotten(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest, remote = opened
    monkeypatch.setattr("dicomweb_server.rest.modality_queries._MOST_ANSWERS", 3)
    monkeypatch.setattr(rest.services.queries, "_most", 2)
    remote.matches = [match()] * 4
    response = await rest.post("/modalities/pacs/query", {"Level": "Study", "Query": {}})
    assert (response.status_code, "more than 3 answers" in response.json()["Details"]) == (500, True)
    monkeypatch.setattr("dicomweb_server.rest.modality_queries._LARGEST_ANSWERS", 500)
    remote.matches = [match()] * 2
    assert (await rest.post("/modalities/pacs/query", {"Level": "Study", "Query": {}})).status_code == 500
    paths = [await queried(opened, match()) for _ in range(3)]
    assert await rest.json("/queries") == [path.removeprefix("/queries/") for path in paths[1:]]
    monkeypatch.setattr("dicomweb_server.services.queries._MOST_ANSWERS", 1)
    last = await queried(opened, match())
    assert await rest.json("/queries") == [last.removeprefix("/queries/")]


async def test_a_comparison_tells_what_only_one_has(opened: Opened) -> None:
    rest, remote = opened
    for study, count in (("1.1", 2), ("1.2", 1), ("1.3", 1)):
        files = [make_instance(StudyInstanceUID=study, PatientID="P1", StudyDate="20240102") for _ in range(count)]
        await rest.store_by_dicomweb(*files)
    await rest.store_by_dicomweb(make_instance(StudyInstanceUID="1.9", StudyDate="20230101"))
    counted = {"1.2": 1, "1.1": 3, "1.4": 1}
    remote.matches = [match(uid) | {"00201208": {"vr": "IS", "Value": [count]}} for uid, count in counted.items()]
    remote.matches.append(match("1.3"))  # it does not tell how many
    body: dict[str, Any] = {"Query": {"StudyDate": "20240101-", "StudyDescription": ""}}
    response = await rest.post("/modalities/pacs/compare", body)
    assert response.json() == {
        "Level": "Study",
        "Here": 3,
        "There": 4,
        "MissingHere": ["1.4"],
        "MissingThere": [],
        "Different": {"1.1": [2, 3]},
    }
    assert remote.asked[-1][2]["00080020"]["Value"] == ["20240101-"]
    assert set(remote.asked[-1][2]) == {"0020000D", "00201208", "00080020", "00081030"}

    remote.matches = []
    body = {"Level": "Instance", "Query": {"StudyInstanceUID": "1.2"}}
    answer = (await rest.post("/modalities/pacs/compare", body)).json()
    assert (answer["Here"], answer["There"], len(answer["MissingThere"])) == (1, 0, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Level": "Patient"}, 400),
        ({"Query": {"ProcedureCodeSequence": [{"CodeValue": "1"}]}}, 400),
        ({"Query": {"NoSuch": ""}}, 400),
        ({"Query": {"StudyDate": "yesterday"}}, 400),
    ],
)
async def test_what_cannot_be_compared(opened: Opened, body: dict[str, Any], status: int) -> None:
    rest, remote = opened
    assert (await rest.post("/modalities/pacs/compare", body)).status_code == status
    remote.refusal = PeerError("no")
    assert (await rest.post("/modalities/pacs/compare", {})).status_code == 500
