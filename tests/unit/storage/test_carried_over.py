"""A rebuilt index has what only the old one knew."""

import sqlite3
from pathlib import Path

import pytest

from dicomweb_server.ports.commitment import Judged, Wanted
from dicomweb_server.ports.peers import Reference
from dicomweb_server.ports.remotes import RemoteKind
from dicomweb_server.ports.worklist import PerformedStep, ScheduledStep, StepReference
from dicomweb_server.storage import schema
from dicomweb_server.storage.carried_over import carry_over
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from tests.worklists import document, item, report

OPTIONS = StoreOptions(sync=SyncMode.OFF)
LINK = StepReference("1.2", "S1")
JUDGED = (Judged(Wanted(Reference("1.2", "1.2.3"), "1.1"), 0x0112), Judged(Wanted(None, "1.1", "1.2")))


async def filled(folder: Path) -> None:
    store = Store(folder, OPTIONS)
    await store.remotes.put_remote(RemoteKind.MODALITY, "ct", {"aet": "CT"})
    await store.worklist.put_scheduled_step(ScheduledStep("step", document(item()), 1.0))
    await store.worklist.add_performed_step(PerformedStep("1.2.3", "IN PROGRESS", document(report()), (LINK,)))
    await store.commitments.add_owed("2.25.1", "ASKER", [Reference("1.2", "1.2.3")])
    await store.commitment_requests.note_answered("2.25.2", JUDGED)
    await store.close()


async def test_a_rebuild_keeps_what_no_blob_can_tell(tmp_path: Path) -> None:
    await filled(tmp_path)
    for _ in range(2):  # the second time as after a rebuild that was stopped
        store = Store(tmp_path, OPTIONS, rebuild=True)
        assert await store.remotes.remotes(RemoteKind.MODALITY) == [("ct", {"aet": "CT"})]
        assert [step_id for *_, step_id in await store.worklist.scheduled_starts()] == ["step"]
        performed = await store.worklist.performed_step("1.2.3")
        assert performed is not None
        assert performed.references == (LINK,)
        (owed,) = await store.commitments.owed()
        assert owed.references == (Reference("1.2", "1.2.3"),)
        known = await store.commitment_requests.request("2.25.2")
        assert known is not None
        assert known.judged == JUDGED
        await store.close()
    store = Store(tmp_path, OPTIONS, rebuild=True)
    await store.finish_rebuild()
    await store.close()


async def test_what_cannot_be_read_is_told_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await filled(tmp_path)
    damaged = sqlite3.connect(tmp_path / "index.db")
    damaged.execute("DROP TABLE scheduled_step")
    damaged.close()
    new = sqlite3.connect(":memory:", isolation_level=None, uri=True)
    schema.prepare(new)
    assert "scheduled_step" not in carry_over(new, tmp_path / "index.db")
    assert new.execute("SELECT COUNT(*) FROM performed_step").fetchone() == (1,)
    assert "scheduled_step could not be taken" in caplog.text
    (tmp_path / "no.db").write_bytes(b"no database" * 1000)
    assert carry_over(new, tmp_path / "no.db") == {}
    new.close()
