"""The whole application: what is told at run time counts at once, for others that call too, and after a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from conformance.server import free_port
from dicomweb_server.app import create_app
from dicomweb_server.settings import Settings
from tests.app.dimse_harness import needs_dcmtk, tool
from tests.builders import make_instance

STUDY, SERIES = "1.2.3", "1.2.3.4"


@asynccontextmanager
async def running(folder: Path, port: int, title: str = "HERE", **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An application, spoken to in process; DIMSE listens on a port."""
    settings = Settings(data=folder, dimse_port=port, ae_title=title, sync="off", **options)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server.example") as client:
            yield client


async def said(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    response = await client.request(method, path, **({} if body is None else content))
    assert response.status_code == 200, f"{method} {path}: {response.text}"
    return response.json()


async def add(client: httpx.AsyncClient, number: int) -> str:
    """Store instances of one study; its identifier."""
    for n in range(number):
        file = make_instance(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=f"{SERIES}.{n}")
        study = (await said(client, "POST", "/instances", file))["ParentStudy"]
    return str(study)


async def test_remotes_outlive_the_server_and_stand_before_the_configuration(tmp_path: Path) -> None:
    configured = {"peers": "one=http://configured.example/,two=http://configured.example/"}
    options = {
        name: Settings.__dataclass_fields__[name].metadata["kind"].read(text) for name, text in configured.items()
    }
    async with running(tmp_path, free_port(), **options) as client:
        await said(client, "PUT", "/modalities/pacs", ["PACS", "pacs.example", 104])
        await said(client, "PUT", "/peers/one", {"Url": "http://told.example/", "Password": "hush", "Username": "me"})
        await said(client, "PUT", "/dicom-web/servers/My%20Cloud", ["http://cloud.example/"])
        await said(client, "DELETE", "/peers/two")
        assert await said(client, "GET", "/peers") == ["one"]
    async with running(tmp_path, free_port(), **options) as client:
        assert await said(client, "GET", "/modalities") == ["pacs"]
        assert (await said(client, "GET", "/peers/one/configuration"))["Url"] == "http://told.example/"
        assert await said(client, "GET", "/peers") == ["one", "two"]
        assert await said(client, "GET", "/dicom-web/servers") == ["My Cloud"]
    async with running(tmp_path, free_port(), peers_in_database=True, **options) as client:
        assert await said(client, "GET", "/peers") == ["one"]


async def test_two_servers_send_query_retrieve_and_commit(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    async with (
        running(tmp_path / "here", ports[0]) as here,
        running(tmp_path / "there", ports[1], "THERE") as there,
    ):
        study = await add(here, 5)
        await said(here, "PUT", "/modalities/there", {"AET": "THERE", "Host": "127.0.0.1", "Port": ports[1]})
        await said(here, "POST", "/modalities/there/echo", {})
        sent = await said(here, "POST", "/modalities/there/store", {"Resources": [study]})
        assert (sent["InstancesCount"], sent["FailedInstancesCount"]) == (5, 0)
        assert len(await said(there, "GET", "/instances")) == 5
        # Nobody there knows us yet: a query is not for strangers.
        response = await here.post("/modalities/there/query", json={"Level": "Study", "Query": {}})
        assert (response.status_code, response.json()["OrthancStatus"]) == (500, 9)
        await said(there, "PUT", "/modalities/here", {"AET": "HERE", "Host": "127.0.0.1", "Port": ports[0]})
        commitment = {"Resources": [study], "StorageCommitment": True}
        transaction = (await said(here, "POST", "/modalities/there/store", commitment))[
            "StorageCommitmentTransactionUID"
        ]
        await said(here, "DELETE", f"/studies/{study}")
        path = (await said(here, "POST", "/modalities/there/query", {"Level": "Study", "Query": {"PatientID": ""}}))[
            "Path"
        ]
        for method in ("C-MOVE", "C-GET"):
            got = await said(here, "POST", f"{path}/retrieve", {"RetrieveMethod": method})
            assert (got["InstancesCount"], got["FailedInstancesCount"]) == (5, 0)
            assert len(await said(here, "GET", "/instances")) == 5
            await said(here, "DELETE", f"/studies/{study}")
        for _ in range(3000):
            report = await said(here, "GET", f"/storage-commitment/{transaction}")
            if report["Status"] != "Pending":
                break
            await asyncio.sleep(0.01)
        assert (report["Status"], len(report["Success"])) == ("Success", 5)
        await said(there, "DELETE", "/modalities/here")
        assert (await here.post("/modalities/there/query", json={"Level": "Study"})).status_code == 500


@needs_dcmtk
async def test_a_node_that_is_told_may_call_at_once(tmp_path: Path) -> None:
    port = free_port()
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
    command = ("findscu", "-S", "-aet", "NEWCOMER", *keys, "127.0.0.1", port)
    async with running(tmp_path, port) as client:
        await add(client, 1)
        assert STUDY not in await tool(*command, ok=False)
        await said(client, "PUT", "/modalities/newcomer", ["NEWCOMER", "127.0.0.1", 104])
        assert STUDY in await tool(*command)
        await said(
            client, "PUT", "/modalities/newcomer", {"AET": "NEWCOMER", "Host": "x", "Port": 104, "AllowFind": False}
        )
        assert STUDY not in await tool(*command, ok=False)
        await said(client, "DELETE", "/modalities/newcomer")
        assert STUDY not in await tool(*command, ok=False)


async def test_a_dead_destination_costs_nothing_but_its_job(tmp_path: Path) -> None:
    async with running(tmp_path, free_port()) as client:
        study = await add(client, 1)
        dead = free_port()
        await said(client, "PUT", "/modalities/dead", ["DEAD", "127.0.0.1", dead])
        await said(client, "PUT", "/peers/dead", [f"http://127.0.0.1:{dead}/"])
        await said(client, "PUT", "/dicom-web/servers/dead", [f"http://127.0.0.1:{dead}/"])
        for door in ("/modalities/dead/store", "/peers/dead/store", "/dicom-web/servers/dead/stow"):
            response = await client.post(door, json={"Resources": [study]})
            assert (response.status_code, response.json()["OrthancStatus"]) == (500, 9)
            assert "127.0.0.1" in response.json()["Details"]
            assert "Jane" not in response.text
        for door in ("/modalities/dead/echo", "/modalities/dead/store-straight"):
            file = make_instance() if "straight" in door else b"{}"
            assert (await client.post(door, content=file)).status_code == 500
        assert (await client.get("/peers/dead/system")).status_code == 500


async def test_names_with_slashes_and_dots_are_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, free_port()) as client:
        for path in ("/modalities/a%2Fb/echo", "/modalities/../system/echo", "/peers/%2e%2e/store", "/peers/a.b/store"):
            assert (await client.post(path, json={"Resources": ["x"]})).status_code in (404, 405)
