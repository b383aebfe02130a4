"""What every implementation of `ports.index.Index` and `ports.changes.ChangeLog` must do, searching apart."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Include
from dicomweb_server.dicom.search_parameters import search_request
from dicomweb_server.errors import ServerError
from dicomweb_server.ports.changes import ChangeKind
from dicomweb_server.ports.index import Added, NewInstance, OnDuplicate, Scope
from dicomweb_server.storage import durability, index_sqlite
from dicomweb_server.storage.memory import EphemeralStore
from dicomweb_server.storage.store import Store
from tests.stored import CT, SR, make_new, place_new, scope_of, violations

KEEP, REPLACE, REJECT = OnDuplicate.KEEP, OnDuplicate.REPLACE, OnDuplicate.REJECT
EVERYTHING = 2**62


@pytest.fixture(params=["one sync", "sync of each file", "ephemeral"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Store]:
    if request.param == "sync of each file":
        monkeypatch.setattr(durability, "FilesystemSync", lambda folders, _: durability.FileSync(*folders))
    opened = EphemeralStore() if request.param == "ephemeral" else Store(tmp_path)
    yield opened
    await opened.close()


async def add(store: Store, *new: NewInstance, on_duplicate: OnDuplicate = KEEP) -> list[Added]:
    return await store.index.add(new, on_duplicate)


async def stored_uids(store: Store, scope: Scope) -> list[str]:
    return [one.instance_uid async for batch in store.index.instances(scope) for one in batch]


async def log(store: Store) -> list[tuple[ChangeKind, Level, str | None]]:
    changes = await store.index.changes(0, 10_000)
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    return [(one.kind, one.level, one.instance_uid or one.series_uid or one.study_uid) for one in changes]


async def test_an_added_instance_is_found(store: Store) -> None:
    new = await place_new(store.blobs)
    assert await add(store, new) == [Added.STORED]
    found = await store.index.instance(scope_of(new))
    assert found is not None
    assert (found.study_uid, found.series_uid, found.instance_uid) == ("1.1", "1.1.1", "1.1.1.1")
    assert (found.sop_class_uid, found.transfer_syntax_uid) == (CT, new.parsed.record.transfer_syntax_uid)
    assert (found.key, found.size, found.digest) == (new.key, new.size, new.digest)
    assert found.frames == new.parsed.frames
    assert await store.blobs.read(found.key) == b"1.1.1.1"
    for scope in (Scope("1.1"), Scope("1.1", "1.1.1"), scope_of(new)):
        assert [found] == [one async for batch in store.index.instances(scope) for one in batch]
        assert [new.parsed.metadata] == [one async for batch in store.index.metadata(scope) for one in batch]


async def test_nothing_is_found_where_nothing_is(store: Store) -> None:
    await add(store, await place_new(store.blobs))
    for scope in (Scope("2"), Scope("1.1", "2"), Scope("1.1", "1.1.1", "2"), Scope("2", "1.1.1", "1.1.1.1")):
        assert [batch async for batch in store.index.instances(scope)] == []
        assert [batch async for batch in store.index.metadata(scope)] == []
        assert await store.index.revision(scope) is None
        assert await store.index.delete(scope) == 0
    assert await store.index.instance(Scope("2", "1.1.1", "1.1.1.1")) is None
    assert await add(store) == []


async def test_counts(store: Store) -> None:
    assert await store.index.counts() == dict.fromkeys(("patients", "studies", "series", "instances", "bytes"), 0)
    news = [
        make_new("a", "1", "1.1", "1.1.1", data=b"x" * 10),
        make_new("b", "1", "1.1", "1.1.2", data=b"x" * 20),
        make_new("c", "1", "1.2", "1.2.1", data=b"x" * 30),
        make_new("d", "2", "2.1", "2.1.1", data=b"x" * 40),
        make_new("e", "3", "3.1", "3.1.1", data=b"x" * 50, patient_id="P2"),
    ]
    await add(store, *news)
    assert await store.index.counts() == {"patients": 2, "studies": 3, "series": 4, "instances": 5, "bytes": 150}
    await store.index.delete(Scope("1", "1.1"))
    assert await store.index.counts() == {"patients": 2, "studies": 3, "series": 3, "instances": 3, "bytes": 120}
    await store.index.delete(Scope("3"))
    assert await store.index.counts() == {"patients": 1, "studies": 2, "series": 2, "instances": 2, "bytes": 70}


async def test_order_of_instances(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_sqlite, "_BATCH", 3)
    numbers = [10, 9, 2, 1, 100, 3, 4]
    news = [make_new(f"a{n}", "1", "1.2", f"1.2.{n}", series_number=2) for n in numbers]
    news += [make_new(f"b{n}", "1", "1.10", f"1.10.{n}", series_number=10, instance_number=n) for n in numbers]
    news += [make_new("c", "1", "1.2", "1.2.0", series_number=2, instance_number=None)]
    random.Random(1).shuffle(news)
    await add(store, *news)
    first = [f"1.2.{n}" for n in (0, *sorted(numbers))]
    second = [f"1.10.{n}" for n in sorted(numbers)]
    assert await stored_uids(store, Scope("1")) == first + second
    assert await stored_uids(store, Scope("1", "1.10")) == second
    documents = {scope_of(new).instance_uid: new.parsed.metadata for new in news}
    found = [one async for batch in store.index.metadata(Scope("1")) for one in batch]
    assert found == [documents[str(uid)] for uid in first + second]
    assert max([len(batch) async for batch in store.index.metadata(Scope("1"))]) == 3


@pytest.mark.parametrize("remarks", ["", "x*"])  # by SQL alone, and verified on stored metadata
async def test_matches_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch, remarks: str) -> None:
    for name in ("_FIRST_MATCHES", "_BATCH"):
        monkeypatch.setattr(index_sqlite, name, 2)
    await add(store, *(make_new(f"{n:032x}", f"1.{n}", f"1.{n}.1", f"1.{n}.1.1") for n in range(7)))
    keys = search_request(Level.STUDY, [("0020000D", ""), *([("00204000", remarks)] if remarks else [])]).query
    included = (0x0020000D, 0x00204000) if remarks else (0x0020000D,)
    query = replace(keys, include=tuple(Include((tag,)) for tag in included), only_included=True, limit=6)
    page = (await store.index.find(query)).matches
    assert len(page) == 6
    batches = [list(batch) async for batch in store.index.matches(query)]
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert [match for batch in batches for match in batch] == list(page)
    assert set(orjson.loads(page[0])) == {"00080005", *(f"{tag:08X}" for tag in included)}
    assert [batch async for batch in store.index.matches(replace(query, offset=7))] == []

    going = aiter(store.index.matches(query))
    assert list(await anext(going)) == list(page[:2])
    await store.index.delete(Scope(orjson.loads(page[2])["0020000D"]["Value"][0]))
    await add(store, make_new("f" * 32, "1.9", "1.9.1", "1.9.1.1"))
    assert [list(batch) async for batch in going] == [[page[3]], list(page[4:])]


@pytest.mark.parametrize("policy", [KEEP, REPLACE, REJECT])
async def test_identical_bytes_write_nothing(store: Store, policy: OnDuplicate) -> None:
    new = await place_new(store.blobs)
    await add(store, new)
    before = await log(store), await store.index.revision(Scope("1.1"))
    again = await place_new(store.blobs)
    assert await add(store, again, on_duplicate=policy) == [Added.IDENTICAL]
    assert (await log(store), await store.index.revision(Scope("1.1"))) == before
    found = await store.index.instance(scope_of(new))
    assert found is not None
    assert found.key == new.key


@pytest.mark.parametrize(("policy", "outcome"), [(KEEP, Added.KEPT), (REJECT, Added.REFUSED)])
async def test_other_bytes_do_not_touch_the_first(store: Store, policy: OnDuplicate, outcome: Added) -> None:
    new = await place_new(store.blobs, data=b"first")
    await add(store, new)
    assert await add(store, await place_new(store.blobs, data=b"other"), on_duplicate=policy) == [outcome]
    found = await store.index.instance(scope_of(new))
    assert found is not None
    assert (found.key, found.digest) == (new.key, new.digest)
    assert await store.index.garbage(10, EVERYTHING) == []


async def test_other_bytes_replace_the_first(store: Store) -> None:
    first = await place_new(store.blobs, data=b"first", patient_name="Wrong^Name", modality="CT")
    await add(store, first, await place_new(store.blobs, "1.1", "1.1.1", "1.1.1.2"))
    assert await store.index.instance(scope_of(first)) is not None
    before = await store.index.revision(scope_of(first))
    second = await place_new(
        store.blobs, data=b"the second", patient_name="Right^Name", patient_id="P2", sop_class=SR, modality="SR"
    )
    assert await add(store, second, on_duplicate=REPLACE) == [Added.REPLACED]
    found = await store.index.instance(scope_of(first))
    assert found == store.index.peek_instance(scope_of(first))
    assert found is not None
    assert (found.key, found.size, found.sop_class_uid) == (second.key, 10, SR)
    assert await store.index.revision(scope_of(first)) != before
    assert await store.index.garbage(10, EVERYTHING) == [first.key]
    assert await store.index.counts() == {"patients": 1, "studies": 1, "series": 1, "instances": 2, "bytes": 17}
    assert (ChangeKind.REPLACED, Level.INSTANCE, "1.1.1.1") in await log(store)


async def test_one_batch_with_the_same_instance_several_times(store: Store) -> None:
    news = [await place_new(store.blobs, data=data) for data in (b"a", b"a", b"b", b"c", b"c")]
    assert await add(store, *news[:3]) == [Added.STORED, Added.IDENTICAL, Added.KEPT]
    assert await add(store, *news[1:], on_duplicate=REPLACE) == [
        *(Added.IDENTICAL, Added.REPLACED, Added.REPLACED, Added.IDENTICAL)
    ]
    found = await store.index.instance(scope_of(news[0]))
    assert found is not None
    assert found.key == news[3].key


async def test_the_same_instance_uid_in_two_series_are_two_instances(store: Store) -> None:
    news = [make_new("a", "1", "1.1", "1.1.1"), make_new("b", "1", "1.2", "1.1.1"), make_new("c", "2", "1.1", "1.1.1")]
    assert await add(store, *news) == [Added.STORED] * 3
    assert await store.index.counts() == {"patients": 1, "studies": 2, "series": 3, "instances": 3, "bytes": 15}


async def test_what_cannot_be_added_fails_alone(store: Store) -> None:
    good = [store.index.add([make_new(f"{n}", "1", "1.1", f"1.1.{n}")], KEEP) for n in range(5)]
    poison = store.index.add([make_new("x", "2", "2.1", "2.1.1", study_description="\ud800")], KEEP)
    results = await asyncio.gather(*good[:2], poison, *good[2:], return_exceptions=True)
    assert isinstance(results.pop(2), UnicodeEncodeError)
    assert results == [[Added.STORED]] * 5
    assert await store.index.counts() == {"patients": 1, "studies": 1, "series": 1, "instances": 5, "bytes": 25}
    await log(store)


async def test_changes_tell_what_happened_in_order(store: Store) -> None:
    await add(store, make_new("a", "1", "1.1", "1.1.1"))
    await add(store, make_new("b", "1", "1.2", "1.2.1"))
    await store.index.delete(Scope("1", "1.1"))
    await store.index.delete(Scope("1"))
    patient, study, series, instance = Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE
    added, deleted = ChangeKind.ADDED, ChangeKind.DELETED
    assert await log(store) == [
        *[(added, patient, None), (added, study, "1"), (added, series, "1.1"), (added, instance, "1.1.1")],
        *[(added, series, "1.2"), (added, instance, "1.2.1")],
        *[(deleted, instance, "1.1.1"), (deleted, series, "1.1")],
        *[(deleted, instance, "1.2.1"), (deleted, series, "1.2"), (deleted, study, "1"), (deleted, patient, None)],
    ]
    assert await store.index.last_change() == 12
    assert [change.sequence for change in await store.index.changes(10, 1)] == [11]
    assert (await store.index.changes(0, 1))[0].patient_identity == "P1"


async def test_revision_changes_with_what_is_below_only(store: Store) -> None:
    scopes = [Scope("1"), Scope("1", "1.1"), Scope("1", "1.1", "1.1.1"), Scope("1", "1.2"), Scope("2")]

    async def revisions() -> list[str | None]:
        return [await store.index.revision(scope) for scope in scopes]

    await add(store, make_new("a", "1", "1.1", "1.1.1"), make_new("b", "1", "1.2", "1.2.1"))
    await add(store, make_new("c", "2", "2.1", "2.1.1"))
    before = await revisions()
    await add(store, make_new("d", "1", "1.1", "1.1.2"))
    after = await revisions()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True, True, True]
    await store.index.delete(Scope("1", "1.2"))
    last = await revisions()
    assert [one == other for one, other in zip(after, last, strict=True)] == [False, True, True, False, True]
    await store.index.delete(Scope("1"))
    await add(store, make_new("e", "1", "1.1", "1.1.1"))
    again = await revisions()
    assert not {before[0], after[0], last[0]} & {again[0]}


async def test_garbage_waits_for_the_sweep(store: Store) -> None:
    await add(store, *[make_new(f"k{n}", "1", "1.1", f"1.1.{n}") for n in range(4)])
    await store.index.delete(Scope("1", "1.1", "1.1.2"))
    assert await store.index.garbage(10, EVERYTHING) == ["k2"]
    assert await store.index.garbage(10, 0) == []
    await store.index.delete(Scope("1"))
    assert len(await store.index.garbage(3, EVERYTHING)) == 3
    assert await store.index.known_keys(["k0", "k9"]) == {"k0"}
    await store.index.forget_garbage(["k0", "k1", "k9"])
    assert sorted(await store.index.garbage(10, EVERYTHING)) == ["k2", "k3"]
    assert await store.index.known_keys(["k0"]) == set()


async def test_peek_tells_only_what_is_true(store: Store) -> None:
    new = make_new("a", "1", "1.1", "1.1.1")
    scope = scope_of(new)
    await add(store, new)
    assert store.index.peek_instance(scope) is None
    found = await store.index.instance(scope)
    assert store.index.peek_instance(scope) == found
    await add(store, make_new("b", "1", "1.1", "1.1.1", data=b"other"), on_duplicate=REPLACE)
    assert store.index.peek_instance(scope) is None
    assert await store.index.instance(scope) != found
    await store.index.delete(Scope("1"))
    assert store.index.peek_instance(scope) is None


async def test_by_key_and_drop(store: Store) -> None:
    await add(store, *[make_new(f"k{n}", "1", f"1.{n % 2}", f"1.1.{n}") for n in range(6)])
    first = await store.index.by_key("", 4)
    assert [one.key for one in first] == ["k0", "k1", "k2", "k3"]
    assert [one.key for one in await store.index.by_key("k3", 4)] == ["k4", "k5"]
    assert await store.index.drop(["k0", "k5", "k9"]) == 2
    assert [one.key for one in await store.index.by_key("", 9)] == ["k1", "k2", "k3", "k4"]
    assert await store.index.recount() == []


async def act(store: Store, number: int, chance: random.Random) -> None:
    for _ in range(30):
        study, series = f"1.{chance.randrange(3)}", f"1.1.{chance.randrange(3)}"
        uids = (study, series, f"1.1.1.{chance.randrange(5)}")
        if chance.random() < 0.7:
            sop_class, modality = chance.choice([(CT, "CT"), (SR, "SR"), (CT, None)])
            content = bytes([chance.randrange(3)]) * chance.randrange(1, 50)
            new = await place_new(
                store.blobs, *uids, data=content, sop_class=sop_class, modality=modality, patient_id=f"P{number % 2}"
            )
            [added] = await add(store, new, on_duplicate=chance.choice([KEEP, REPLACE, REJECT]))
            if added not in (Added.STORED, Added.REPLACED):
                await store.blobs.remove([new.key])
        else:
            await store.index.delete(Scope(*uids[: chance.randrange(1, 4)]))


async def test_counters_are_right_whatever_happens_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    chance = random.Random(2)
    await asyncio.gather(*[act(store, number, random.Random(chance.random())) for number in range(12)])
    assert await store.index.recount() == []
    changes: Sequence[object] = await log(store)
    assert len(changes) > 100
    await store.close()
    assert violations(tmp_path) == []


async def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.close()
    with pytest.raises(ServerError):
        await store.index.add([make_new("a")], KEEP)
