"""What is not here is fetched from another archive when C-MOVE or C-GET asks for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, build_role, evt

from conformance.server import free_port
from dicomweb_server.dicom.query import View
from dicomweb_server.dimse.options import ApplicationEntity, Modality
from dicomweb_server.settings import SettingsError, load
from tests.app.dimse_harness import AE_TITLE, CT, Node, open_node
from tests.app.dimse_peers import IMPATIENT, STUDY_MOVE, counters, fill, identifier, move, receiver, sink, study
from tests.app.test_dimse_find import ask

STUDY_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@asynccontextmanager
async def two_archives(folder: Path, **options: Any) -> AsyncIterator[tuple[Node, Node, int]]:
    """Ours, the other one that it knows, and the port of a sink that both know."""
    port, here, there = free_port(), free_port(), free_port()
    other = {"other": Modality("OTHER", "127.0.0.1", there)}
    settings: dict[str, Any] = {
        "port": here,
        "modalities": sink(port) | other,
        "fallback": "other",
        "timeouts": IMPATIENT,
    }
    known: dict[str, Any] = {
        "port": there,
        "ae_title": "OTHER",
        "modalities": {"here": Modality(AE_TITLE, "127.0.0.1", here)},
    }
    async with open_node(folder / "far", **known) as far, open_node(folder / "near", **settings | options) as near:
        await near.services.modalities.put("other", other["other"])
        yield near, far, port


@pytest.mark.parametrize("by_get", [False, True])
async def test_c_move_of_what_is_elsewhere(tmp_path: Path, by_get: bool) -> None:
    async with two_archives(tmp_path, fallback_by_get=by_get) as (near, far, port):
        (stored, *_) = await fill(far, *study(3))
        asked = identifier("STUDY", StudyInstanceUID=stored.StudyInstanceUID)
        got: list[str] = []

        def store(event: Any) -> int:
            got.append(event.request.AffectedSOPInstanceUID)
            return 0x0000

        with receiver(port, [build_context(CT)], store):
            *pending, (last, _) = await asyncio.to_thread(move, near.port, asked)
            assert (last.Status, counters(last)) == (0x0000, (None, 3, 0, 0))
            assert pending
            for status, _ in pending:  # also while it is fetched, their sum is what there is
                assert sum(count or 0 for count in counters(status)) == 3
            assert len(got) == await near.instances() == 3
            # Now it is here.
            await far.server.stop()
            *_, (last, _) = await asyncio.to_thread(move, near.port, asked)
            assert (last.Status, counters(last)) == (0x0000, (None, 3, 0, 0))


async def test_c_get_of_one_series(tmp_path: Path) -> None:
    async with two_archives(tmp_path) as (near, far, _):
        uid = generate_uid()
        (stored, *_) = await fill(far, *study(2, StudyInstanceUID=uid), *study(1, StudyInstanceUID=uid))

        def fetched() -> Dataset:
            roles: Any = [build_role(CT, scp_role=True)]
            contexts = [build_context(STUDY_GET), build_context(CT)]
            handlers: Any = [(evt.EVT_C_STORE, lambda _: 0x0000)]
            association = AE("GETTER").associate(
                "127.0.0.1", near.port, contexts, ae_title=AE_TITLE, ext_neg=roles, evt_handlers=handlers
            )
            named = identifier("SERIES", StudyInstanceUID=uid, SeriesInstanceUID=stored.SeriesInstanceUID)
            *_, (status, _) = association.send_c_get(named, STUDY_GET)
            association.release()
            return status

        assert counters(await asyncio.to_thread(fetched)) == (None, 2, 0, 0)
        assert await near.instances() == 2


async def test_what_nobody_has_and_who_is_not_asked(tmp_path: Path) -> None:
    entity = ApplicationEntity("VIEW", view=View(("a",)))
    async with two_archives(tmp_path, entities=(entity,)) as (near, far, port):
        (stored, *_) = await fill(far, *study(1))
        nothing = identifier("STUDY", StudyInstanceUID=generate_uid())
        asked = identifier("STUDY", StudyInstanceUID=stored.StudyInstanceUID)

        def moved(calling: str, called: str, what: Dataset) -> tuple[int, tuple[int | None, ...]]:
            association = AE(calling).associate("127.0.0.1", near.port, [build_context(STUDY_MOVE)], ae_title=called)
            *_, (status, _) = association.send_c_move(what, "SINK", STUDY_MOVE)
            association.release()
            return status.Status, counters(status)

        with receiver(port, [build_context(CT)], lambda _: 0x0000):
            for calling, called, what in (
                ("MOVER", AE_TITLE, nothing),
                ("OTHER", AE_TITLE, asked),  # the other archive itself
                ("MOVER", "VIEW", asked),
            ):
                assert await asyncio.to_thread(moved, calling, called, what) == (0x0000, (None, 0, 0, 0))
            assert await near.instances() == 0
            await far.server.stop()
            status, _ = await asyncio.to_thread(moved, "MOVER", AE_TITLE, asked)
            assert status == 0xC000


async def test_c_find_answers_what_is_elsewhere(tmp_path: Path) -> None:
    async with two_archives(tmp_path, find_elsewhere=True) as (near, far, port):
        both = study(2, PatientName="Müller^A", PatientID="P1")
        (ours,) = await fill(near, *study(1, PatientID="P1"))
        (shared, _) = await fill(near, *both)
        await fill(far, *both)
        (theirs, *_) = await fill(far, *study(3, PatientName="Müller^B", PatientID="P1", Modality="MR"))
        await fill(far, *study(1, PatientID="P2"))

        def found(level: str, **keys: Any) -> list[Dataset]:
            answers = ask(near.port, identifier(level, **keys))
            assert answers[-1] == (0x0000, None)
            return [answer for _, answer in answers if answer is not None]

        asked = {"PatientID": "P1", "StudyInstanceUID": "", "PatientName": "", "NumberOfStudyRelatedInstances": ""}
        answers = {each.StudyInstanceUID: each for each in await asyncio.to_thread(found, "STUDY", **asked)}
        assert set(answers) == {one.StudyInstanceUID for one in (ours, shared, theirs)}
        assert {answers[one.StudyInstanceUID].InstanceAvailability for one in (ours, shared)} == {"ONLINE"}
        other = answers[theirs.StudyInstanceUID]
        assert (other.InstanceAvailability, other.RetrieveAETitle, str(other.PatientName)) == (
            "NEARLINE",
            AE_TITLE,
            "Müller^B",
        )
        assert other.NumberOfStudyRelatedInstances == 3
        assert len(await asyncio.to_thread(found, "STUDY", StudyInstanceUID="", PatientName="Müller*")) == 2
        named = {"StudyInstanceUID": theirs.StudyInstanceUID, "SeriesInstanceUID": "", "Modality": "MR"}
        (series,) = await asyncio.to_thread(found, "SERIES", **named)
        assert series.SeriesInstanceUID == theirs.SeriesInstanceUID
        # What was found can be had.
        with receiver(port, [build_context(CT)], lambda _: 0x0000):
            moved = identifier("STUDY", StudyInstanceUID=theirs.StudyInstanceUID)
            *_, (status, _) = await asyncio.to_thread(move, near.port, moved)
            assert counters(status) == (None, 3, 0, 0)
        await far.server.stop()
        assert len(await asyncio.to_thread(found, "STUDY", **asked)) == 3  # by now all of them are here
        assert await asyncio.to_thread(found, "STUDY", PatientID="P2", StudyInstanceUID="") == []


def test_c_find_elsewhere_needs_an_archive() -> None:
    with pytest.raises(SettingsError, match="find_elsewhere"):
        load({"find_elsewhere": True})
    assert load({"find_elsewhere": True, "fallback_archive": "pacs"}).settings.find_elsewhere
