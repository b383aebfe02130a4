"""What later instances change in their study and series: the first wins, gaps are filled, replacements correct."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dicomweb_server.ports.index import Added, OnDuplicate, Scope
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store
from tests.stored import SR, make_new

KEEP, REPLACE = OnDuplicate.KEEP, OnDuplicate.REPLACE


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = EphemeralStore()
    yield opened
    await opened.close()


def row(store: Store, statement: str) -> Any:
    rows = store._database.writing.execute(statement).fetchall()
    assert len(rows) == 1, rows
    return rows[0]


@pytest.mark.parametrize("together", [True, False])
async def test_the_first_wins_and_gaps_are_filled(store: Store, together: bool) -> None:
    news = [
        make_new("a", "1", "1.1", "1", patient_sex=None, study_description=None, modality=None, series_description="S"),
        make_new("b", "1", "1.1", "2", patient_sex="F", study_description="D", modality="CT", patient_name="Other"),
        make_new("c", "1", "1.1", "3", patient_sex="M", study_description="E", modality="MR", series_description="T"),
    ]
    for batch in [news] if together else [[new] for new in news]:
        assert await store.index.add(batch, KEEP) == [Added.STORED] * len(batch)
    columns = "patient_name, patient_name_folded, patient_sex, study_description, modalities"
    assert row(store, f"SELECT {columns} FROM study") == ("Doe^Jane", "doe^jane", "F", "D", "\\CT\\")
    assert row(store, "SELECT modality, series_description, instance_count FROM series") == ("CT", "S", 3)


async def test_what_was_filled_is_known_after_a_restart_of_the_cache(store: Store) -> None:
    await store.index.add([make_new("a", "1", "1.1", "1", study_id=None, laterality=None)], KEEP)
    store._transaction.forget_parents()
    await store.index.add([make_new("b", "1", "1.1", "2", study_id="7", laterality="L")], KEEP)
    store._transaction.forget_parents()
    await store.index.add([make_new("c", "1", "1.1", "3", study_id="8", laterality="R")], KEEP)
    assert row(store, "SELECT study_id FROM study") == ("7",)
    assert row(store, "SELECT laterality FROM series") == ("L",)


async def test_a_study_keeps_its_own_patient_attributes(store: Store) -> None:
    await store.index.add([make_new("a", "1", "1.1", "1", patient_name="Doe^Jane", patient_sex=None)], KEEP)
    await store.index.add([make_new("b", "2", "2.1", "1", patient_name="Smith^Jane", patient_sex="F")], KEEP)
    assert row(store, "SELECT identity, patient_name, patient_sex FROM patient") == ("P1", "Doe^Jane", "F")
    names = store._database.writing.execute("SELECT patient_name FROM study ORDER BY study_uid").fetchall()
    assert names == [("Doe^Jane",), ("Smith^Jane",)]


async def test_without_a_patient_id_the_name_tells_patients_apart(store: Store) -> None:
    names = ["Doe^Jane", "DOE^JANE", "Smith^John", None]
    news = [make_new(f"{n}", f"{n}", f"{n}.1", "1", patient_id=None, patient_name=name) for n, name in enumerate(names)]
    await store.index.add(news, KEEP)
    identities = store._database.writing.execute("SELECT identity FROM patient ORDER BY identity").fetchall()
    assert identities == [("\x1f",), ("\x1fdoe^jane",), ("\x1fsmith^john",)]


async def test_a_replacement_corrects_study_series_and_patient(store: Store) -> None:
    await store.index.add(
        [make_new("a", "1", "1.1", "1", modality="CT"), make_new("b", "2", "2.1", "1", patient_id="P2")], KEEP
    )
    right: dict[str, Any] = {
        "patient_id": "P2",
        "patient_name": "Right^Name",
        "modality": "SR",
        "study_description": "corrected",
    }
    new = make_new("c", "1", "1.1", "1", data=b"corrected", sop_class=SR, **right)
    assert await store.index.add([new], REPLACE) == [Added.REPLACED]
    columns = "patient_id, patient_name_folded, study_description, modalities, sop_classes, size, instance_count"
    expected = ("P2", "right^name", "corrected", "\\SR\\", f"\\{SR}\\", 9, 1)
    assert row(store, f"SELECT {columns} FROM study WHERE study_uid = '1'") == expected
    assert row(store, "SELECT identity FROM patient") == ("P2",)
    assert await store.index.recount() == []
    await store.index.delete(Scope("1"))
    await store.index.delete(Scope("2"))
    assert set((await store.index.counts()).values()) == {0}


async def test_a_patient_who_loses_and_wins_a_study_at_once_stays(store: Store) -> None:
    await store.index.add([make_new("a", "1", "1.1", "1", patient_id="P1")], KEEP)
    moved = make_new("b", "1", "1.1", "1", data=b"other", patient_id="P2")
    fresh = make_new("c", "2", "2.1", "1", patient_id="P1")
    assert await store.index.add([fresh, moved], REPLACE) == [Added.STORED, Added.REPLACED]
    assert await store.index.recount() == []
    assert (await store.index.counts())["patients"] == 2
