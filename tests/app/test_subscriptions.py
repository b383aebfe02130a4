"""Subscriptions to workitems over HTTP (PS3.18 §11.10 to §11.12): to one, to all, to those that match."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conformance.workitems import ALL_WORKITEMS, FILTERED_WORKITEMS
from dicomweb_server.services import workitems
from dicomweb_server.services.workitem_channels import Channel
from tests.app.dicomweb_harness import ROOT, Archive, open_archive
from tests.app.test_web_workitems import created, state

UNKNOWN = "1.2.3.4.5"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def asked(archive: Archive, path: str, method: str = "POST") -> httpx.Response:
    return await archive.client.request(method, f"{ROOT}/workitems/{path}")


async def subscribed(archive: Archive, uid: str, ae_title: str, query: str = "") -> None:
    response = await asked(archive, f"{uid}/subscribers/{ae_title}{query}")
    assert (response.status_code, response.content) == (201, b""), response.text
    place = f"ws{ROOT.removeprefix('http')}/subscribers/{ae_title}"
    assert response.headers["content-location"] == place


async def told(archive: Archive, channel: Channel) -> list[tuple[str, str]]:
    """UID of the workitem and state, of each event that waits."""
    queue = archive.services.workitem_channels._queue
    while not queue.empty():
        archive.services.workitem_channels._post(queue.get_nowait())
    found: list[tuple[str, str]] = []
    while channel.mailbox:
        report: dict[str, Any] = json.loads(await channel.next())
        channel.sent()
        found.append((report["00001000"]["Value"][0], report.get("00741000", {}).get("Value", [""])[0]))
    return found


async def test_to_one_workitem(archive: Archive) -> None:
    channel = archive.services.workitem_channels.open("WATCHER")
    for uid in ("1.1", "1.2"):
        await created(archive, uid)
    await subscribed(archive, "1.1", "WATCHER")
    assert await told(archive, channel) == [("1.1", "SCHEDULED")]
    for uid in ("1.1", "1.2"):
        await state(archive, uid, "IN PROGRESS")
    assert await told(archive, channel) == [("1.1", "IN PROGRESS")]
    response = await asked(archive, "1.1/subscribers/WATCHER", "DELETE")
    assert (response.status_code, response.content) == (200, b"")
    await state(archive, "1.1", "CANCELED")
    assert await told(archive, channel) == []


async def test_to_all_until_it_is_suspended(archive: Archive) -> None:
    channel = archive.services.workitem_channels.open("WATCHER")
    await created(archive, "1.1")
    await subscribed(archive, ALL_WORKITEMS, "WATCHER", "?deletionlock=true")
    await created(archive, "1.2")
    assert await told(archive, channel) == [("1.1", "SCHEDULED"), ("1.2", "SCHEDULED")]
    response = await asked(archive, f"{ALL_WORKITEMS}/subscribers/WATCHER/suspend")
    assert (response.status_code, response.content) == (200, b"")
    await created(archive, "1.3")
    await state(archive, "1.1", "IN PROGRESS")
    assert await told(archive, channel) == [("1.1", "IN PROGRESS")]
    assert (await asked(archive, f"{ALL_WORKITEMS}/subscribers/WATCHER", "DELETE")).status_code == 200
    await state(archive, "1.1", "CANCELED")
    assert await told(archive, channel) == []


@pytest.mark.parametrize(
    "query",
    [
        "?WorklistLabel=A*",
        "?deletionlock=false&00741202=AI",
        "?filter=WorklistLabel=AI,PatientID=PAT1",
        "?filter=00741202%3DAI%2CPatientID%3DPAT1&accept=application/dicom%2Bjson",
        "?filter=SOPInstanceUID=1.1,1.7,1.8,WorklistLabel=AI",
    ],
)
async def test_to_those_that_match(archive: Archive, query: str) -> None:
    channel = archive.services.workitem_channels.open("WATCHER")
    await subscribed(archive, FILTERED_WORKITEMS, "WATCHER", query)
    await created(archive, "1.1")
    await created(archive, "1.2", WorklistLabel="OTHER")
    assert await told(archive, channel) == [("1.1", "SCHEDULED")]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{UNKNOWN}/subscribers/WATCHER", 404),
        ("1.1/subscribers/WATCHER/suspend", 400),
        ("1.1/subscribers/%5C", 400),
        ("1.1/subscribers/%20", 400),
        ("1.1/subscribers/ABCDEFGHIJKLMNOPQ", 400),
        ("1.1/subscribers/W%C3%84CHTER", 400),
        ("1.1/subscribers/WATCHER?deletionlock=yes", 400),
        ("1.1/subscribers/WATCHER?deletionlock=true&deletionlock=true", 400),
        ("1.1/subscribers/WATCHER?PatientID=1", 400),
        (f"{FILTERED_WORKITEMS}/subscribers/WATCHER", 400),
        (f"{FILTERED_WORKITEMS}/subscribers/WATCHER?filter=", 400),
        (f"{FILTERED_WORKITEMS}/subscribers/WATCHER?filter=Nothing=1", 400),
        (f"{FILTERED_WORKITEMS}/subscribers/WATCHER?PatientID=1&limit=3", 400),
        (f"{FILTERED_WORKITEMS}/subscribers/WATCHER?StudyDate=tomorrow", 400),
        (f"{FILTERED_WORKITEMS}/subscribers/WATCHER?{'&'.join(f'0011{n:04X}=1' for n in range(101))}", 400),
    ],
)
async def test_what_is_refused(archive: Archive, path: str, status: int) -> None:
    await created(archive, "1.1")
    response = await asked(archive, path)
    assert (response.status_code, bool(response.json()["detail"])) == (status, True)
    assert await archive.services.workitems._subscriptions.all_subscribers() == []


async def test_who_is_not_subscribed_may_say_so_again(archive: Archive) -> None:
    await created(archive, "1.1")
    for uid, status in (("1.1", 200), (ALL_WORKITEMS, 200), (FILTERED_WORKITEMS, 200), (UNKNOWN, 404)):
        assert (await asked(archive, f"{uid}/subscribers/WATCHER", "DELETE")).status_code == status


async def test_global_subscriptions_are_bounded(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workitems, "_MOST_WATCHES", 2)
    for number, status in ((1, 201), (2, 201), (3, 503), (1, 201)):
        path = f"{ALL_WORKITEMS}/subscribers/AE{number}"
        assert (await asked(archive, path)).status_code == status
    assert (await asked(archive, f"{ALL_WORKITEMS}/subscribers/AE1/suspend")).status_code == 200
    assert (await asked(archive, f"{ALL_WORKITEMS}/subscribers/AE3")).status_code == 201


async def test_the_place_of_the_web_socket(archive: Archive) -> None:
    await created(archive, "1.1")
    response = await archive.client.post(
        f"{ROOT}/workitems/1.1/subscribers/A%20B",
        headers={"x-forwarded-proto": "https", "x-forwarded-host": "pacs.example"},
    )
    assert response.headers["content-location"] == "wss://pacs.example/dicom-web/subscribers/A%20B"
    response = await archive.get("/subscribers/WATCHER")
    assert (response.status_code, response.headers["upgrade"]) == (426, "websocket")
    assert response.json()["title"] == "Upgrade Required"
    assert (await archive.get("/subscribers/ABCDEFGHIJKLMNOPQ")).status_code == 400


async def test_switched_off(tmp_path: Path) -> None:
    async with open_archive(tmp_path, workitems=False) as archive:
        for method, path in (
            ("POST", f"/workitems/{ALL_WORKITEMS}/subscribers/A"),
            ("DELETE", f"/workitems/{ALL_WORKITEMS}/subscribers/A"),
            ("POST", f"/workitems/{ALL_WORKITEMS}/subscribers/A/suspend"),
            ("GET", "/subscribers/A"),
        ):
            assert (await archive.send(method, path)).status_code == 501
