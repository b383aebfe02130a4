"""Another server is told to schedule a workitem."""

from pathlib import Path
from typing import Any

from conformance.server import free_port
from conformance.workitems import PUSH
from tests.app.test_remotes_at_run_time import running, said

TAGS = {
    "ProcedureStepLabel": "Plan",
    "WorklistLabel": "RT",
    "ScheduledProcedureStepPriority": "HIGH",
    "ScheduledProcedureStepStartDateTime": "20260105080000",
    "InputReadinessState": "READY",
    "PatientName": "Müller^Jörg",
    "PatientID": "P1",
    "ScheduledWorkitemCodeSequence": [{"CodeValue": "A", "CodingSchemeDesignator": "99T", "CodeMeaning": "Plan"}],
}


async def test_another_server_schedules_a_workitem(tmp_path: Path) -> None:
    ports = free_port(), free_port()
    path = "/modalities/there/workitems"
    async with (
        running(tmp_path / "here", ports[0]) as here,
        running(tmp_path / "there", ports[1], "THERE") as there,
    ):
        await said(here, "PUT", "/modalities/there", ["THERE", "127.0.0.1", ports[1]])
        assert (await here.post(path, json={"Tags": TAGS})).status_code == 500  # strangers may not
        await said(there, "PUT", "/modalities/here", ["HERE", "127.0.0.1", ports[0]])
        told = await said(here, "POST", path, {"Tags": TAGS})
        assert told["SOPClassUID"] == PUSH
        # Told about its own one, a server sends a copy of it.
        await said(here, "PUT", "/modalities/here", ["HERE", "127.0.0.1", ports[0]])
        own = await said(here, "POST", "/modalities/here/workitems", {"Tags": TAGS})
        assert await said(here, "POST", path, {"UID": own["SOPInstanceUID"]}) == own
        wrong: tuple[tuple[dict[str, Any], int], ...] = (
            ({}, 400),
            ({"Tags": TAGS | {"InputReadinessState": "PERHAPS"}}, 400),
            ({"Tags": {"PatientID": "P1"}}, 400),
            ({"UID": "a b"}, 400),
            ({"UID": "1.2.3"}, 404),
        )
        for body, status in wrong:
            assert (await here.post(path, json=body)).status_code == status, body
        assert (await here.post("/modalities/nobody/workitems", json={"Tags": TAGS})).status_code == 404
        metrics = (await there.get("/metrics")).text
        assert "dicomweb_workitems_scheduled 2" in metrics
