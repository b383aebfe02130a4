"""What comes again under its UIDs: the same is a success that writes nothing, what is other follows the policy."""

from typing import Any

import pytest
from pydicom.uid import ImplicitVRLittleEndian

from dicomweb_server.dicom.part10 import TRANSFER_SYNTAX_UID, file_meta, read_file_meta
from dicomweb_server.errors import Reason
from dicomweb_server.ports.index import OnDuplicate, Scope
from dicomweb_server.services.ingest import IngestPolicy, Status
from dicomweb_server.storage import blobs_filesystem
from tests.stored import CT
from tests.unit.services.ingest_bench import LARGE, Bench, numbered


def rewrapped(data: bytes) -> bytes:
    """The same data set behind the file meta information of another writer."""
    meta, start = read_file_meta(data)
    transfer_syntax_uid = meta[TRANSFER_SYNTAX_UID].rstrip(b"\0").decode()
    return file_meta(CT, "1.1.1.1", transfer_syntax_uid, source_ae="OTHER") + data[start:]


@pytest.mark.parametrize("size", [{}, LARGE])
@pytest.mark.parametrize("policy", list(OnDuplicate))
async def test_identical_bytes_write_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, policy: OnDuplicate, size: dict[str, Any]
) -> None:
    service = bench.with_policy(IngestPolicy(on_duplicate=policy))
    data = numbered(1, **size)
    await bench.send(data, service=service)
    before = await bench.files(), await bench.store.index.last_change()

    def put(staged: object, *_: object) -> None:
        raise AssertionError("something was written")

    monkeypatch.setattr(blobs_filesystem, "put", put)
    [outcome] = await bench.send(data, service=service)
    assert (outcome.status, outcome.reason) == (Status.DUPLICATE, None)
    assert (await bench.files(), await bench.store.index.last_change()) == before


@pytest.mark.parametrize(
    ("policy", "status", "reason"),
    [
        (OnDuplicate.KEEP, Status.KEPT, None),
        (OnDuplicate.REJECT, Status.REJECTED, Reason.DUPLICATE_REFUSED),
        (OnDuplicate.REPLACE, Status.REPLACED, None),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_other_bytes_under_the_same_uid(
    bench: Bench, policy: OnDuplicate, status: Status, reason: Reason | None, at_once: bool
) -> None:
    service = bench.with_policy(IngestPolicy(on_duplicate=policy))
    first, second = numbered(1), numbered(1, PatientComments="other")
    if at_once:
        outcome = (await bench.send(first, second, service=service))[1]
    else:
        await bench.send(first, service=service)
        [outcome] = await bench.send(second, service=service)
    assert (outcome.status, outcome.reason, outcome.instance_uid) == (status, reason, "1.1.1.1")
    stored = await bench.store.index.instance(Scope("1.1", "1.1.1", "1.1.1.1"))
    assert stored is not None
    assert await bench.store.blobs.read(stored.key) == (second if status is Status.REPLACED else first)


@pytest.mark.parametrize("size", [{}, LARGE])
@pytest.mark.parametrize("policy", [OnDuplicate.KEEP, OnDuplicate.REJECT])
async def test_the_same_data_set_in_another_wrapping_is_a_duplicate(
    bench: Bench, policy: OnDuplicate, size: dict[str, Any]
) -> None:
    service = bench.with_policy(IngestPolicy(on_duplicate=policy))
    first = numbered(1, **size)
    again, other = rewrapped(first), rewrapped(numbered(1, **{"PatientComments": "other", **size}))
    outcomes = [(await bench.send(content, service=service))[0].status for content in (first, again, other)]
    assert outcomes == [
        *(Status.STORED, Status.DUPLICATE),
        Status.KEPT if policy is OnDuplicate.KEEP else Status.REJECTED,
    ]
    stored = await bench.store.index.instance(Scope("1.1", "1.1.1", "1.1.1.1"))
    assert stored is not None
    assert await bench.store.blobs.read(stored.key) == first


async def test_the_same_values_in_another_transfer_syntax_are_no_duplicate(bench: Bench) -> None:
    implicit = numbered(1, transfer_syntax_uid=ImplicitVRLittleEndian)
    outcomes = await bench.send(numbered(1), implicit)
    assert [outcome.status for outcome in outcomes] == [Status.STORED, Status.KEPT]
