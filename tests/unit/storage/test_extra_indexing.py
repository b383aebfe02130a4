"""Attributes that are indexed by setting: at once for what comes, in the background for what is stored."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from dicomweb_server.dicom.attributes import Attribute, Level
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.dicom.origin import Origin
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.ports.index import NewInstance, OnDuplicate, Scope
from dicomweb_server.storage import extra_indexing
from dicomweb_server.storage.durability import SyncMode
from dicomweb_server.storage.store import Store, StoreOptions
from tests.builders import make_instance

_COMMENTS = Attribute(Level.STUDY, 0x00324000, "StudyComments", "LT", "00324000")
_VERSIONS = Attribute(Level.SERIES, 0x00181020, "SoftwareVersions", "LO", "00181020")
_THICKNESS = Attribute(Level.INSTANCE, 0x00180050, "SliceThickness", "DS", "00180050")
_ALL = (_COMMENTS, _VERSIONS, _THICKNESS)


def open_store(folder: Path, extra: Sequence[Attribute]) -> Store:
    return Store(folder, StoreOptions(sync=SyncMode.OFF, extra=extra))


async def add(store: Store, numbers: Sequence[int], extra: Sequence[Attribute]) -> None:
    new = []
    for number in numbers:
        data = make_instance(
            StudyInstanceUID=f"1.{number}",
            SeriesInstanceUID=f"1.{number}.1",
            SOPInstanceUID=f"1.{number}.1.1",
            StudyComments=f"comment {number % 2}",
            SoftwareVersions=["a", f"v{number % 3}"],
            SliceThickness=str(number % 2) + ".50",
        )
        parsed = parse_instance(data, extra=frozenset(attribute.tag for attribute in extra))
        new.append(NewInstance(parsed, f"{number:032x}", len(data), sha256(data).digest(), Origin("stow")))
    await store.index.add(new, OnDuplicate.KEEP)


async def found(store: Store, key: str, value: str, level: Level = Level.STUDY) -> int:
    return len((await store.index.find(search_request(level, [(key, value)]).query)).matches)


async def check(store: Store, numbers: Sequence[int]) -> None:
    odd = sum(number % 2 for number in numbers)
    assert await found(store, "StudyComments", "comment 1") == odd
    assert await found(store, "SoftwareVersions", "v2") == sum(number % 3 == 2 for number in numbers)
    assert await found(store, "SoftwareVersions", "a") == len(numbers)
    assert await found(store, "SliceThickness", "1.5", Level.INSTANCE) == odd
    assert await found(store, "SliceThickness", "1.5") == odd


def is_complete(store: Store) -> bool:
    return len(store._database.extra_paths.configured) == 3


async def test_a_new_store_has_them_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path, _ALL)
    assert is_complete(store)
    await add(store, range(7), _ALL)
    await check(store, range(7))
    await store.index.delete(Scope("1.1"))
    await check(store, [0, 2, 3, 4, 5, 6])
    await store.close()


async def test_what_is_stored_is_indexed_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra_indexing, "_BATCH", 3)
    store = open_store(tmp_path, ())
    await add(store, range(8), ())
    await check(store, range(8))
    await store.close()

    store = open_store(tmp_path, _ALL)
    assert not is_complete(store)
    await check(store, range(8))
    await add(store, range(8, 12), _ALL)
    step = store.extra_indexing.step
    for _ in range(6):
        assert await store._writer.change(step) is not None
        await check(store, range(12))
    await store.close()

    store = open_store(tmp_path, _ALL)  # a stop costs nothing
    assert not is_complete(store)
    await store.extra_indexing.run()
    assert is_complete(store)
    await check(store, range(12))
    await store.extra_indexing.run()
    await store.close()


async def test_what_is_not_configured_any_more_is_forgotten(tmp_path: Path) -> None:
    store = open_store(tmp_path, _ALL)
    await add(store, range(5), _ALL)
    await store.close()

    store = open_store(tmp_path, (_VERSIONS,))
    assert store._database.extra_paths.configured == (("00181020", Level.SERIES),)
    count = "SELECT count(*) FROM extra_value WHERE path = '00180050'"
    assert store._database.writing.execute(count).fetchone() == (0,)
    await check(store, range(5))
    await store.close()


async def test_another_level_is_another_index(tmp_path: Path) -> None:
    store = open_store(tmp_path, (_VERSIONS,))
    await add(store, range(5), (_VERSIONS,))
    await store.close()

    of_instances = Attribute(Level.INSTANCE, 0x00181020, "SoftwareVersions", "LO", "00181020")
    store = open_store(tmp_path, (of_instances,))
    assert not store._database.extra_paths.configured
    await check(store, range(5))
    await store.extra_indexing.run()
    assert store._database.extra_paths.configured == (("00181020", Level.INSTANCE),)
    await check(store, range(5))
    await store.close()
