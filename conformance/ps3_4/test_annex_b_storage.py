"""PS3.4 annex B: C-STORE, its statuses, and what is stored afterwards."""

import pytest
from pydicom.dataset import Dataset

from conformance.requirement import requires
from conformance.samples import CT, EXPLICIT, IMPLICIT, SECONDARY_CAPTURE, add_pixels, make, sample
from conformance.service import STORED, Service
from conformance.upper_layer import Peer, command_set, number, p_data, proposal

Address = tuple[str, int]
STATUS = 0x0900
LENGTH_AT = 140  # of the file meta information


def bare(data: bytes) -> bytes:
    """The data set of a Part 10 file."""
    length = int.from_bytes(data[LENGTH_AT : LENGTH_AT + 4], "little")
    return data[LENGTH_AT + 4 + length :]


def image() -> Dataset:
    return add_pixels(make(), bytes(range(256)) * 200, 160, 320)


def without_study() -> Dataset:
    dataset = image()
    del dataset.StudyInstanceUID
    return dataset


def store(dimse: Address, sop_class: str, instance: str, dataset: bytes, syntax: str = EXPLICIT) -> int | None:
    """The status of a C-STORE, its data set in PDUs of 16 kB."""
    with Peer(dimse) as peer:
        peer.associate(proposal(1, sop_class, syntax))
        command: dict[int, int | str] = {
            0x0002: sop_class,
            0x0100: 1,
            0x0110: 1,
            0x0700: 0,
            0x0800: 1,
            0x1000: instance,
        }
        peer.send(p_data(1, 3, command_set(command)))
        parts = [dataset[start : start + 16000] for start in range(0, len(dataset), 16000)] or [b""]
        for position, part in enumerate(parts, 1):
            peer.send(p_data(1, 2 if position == len(parts) else 0, part))
        status = number(peer.response(), STATUS)
        peer.release()
    return status


@requires("PS3.4 §B.2.3")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_what_was_answered_with_success_is_there_as_it_was_sent(dimse: Address, service: Service, syntax: str) -> None:
    one = sample(image(), syntax)
    assert store(dimse, CT, one.instance, bare(one.data), syntax) == 0x0000
    response = service.get(one.path, accept=STORED)
    assert response.status_code == 200
    assert bare(one.data) in response.content


@requires("PS3.4 §B.2.3", "B")
def test_the_same_again_is_a_success(dimse: Address) -> None:
    one = sample(image())
    assert [store(dimse, CT, one.instance, bare(one.data)) for _ in range(2)] == [0x0000, 0x0000]


@requires("PS3.4 §B.2.3")
def test_uids_of_the_command_that_differ_from_the_data_set(dimse: Address, service: Service) -> None:
    one = sample(image())
    status = store(dimse, CT, "1.2.3.4.5.6.7", bare(one.data))
    assert status is not None
    assert status >> 8 == 0xA9 or status == 0xB007
    status = store(dimse, SECONDARY_CAPTURE, one.instance, bare(one.data))
    assert status is not None
    assert status >> 8 == 0xA9 or status == 0xB007


@requires("PS3.4 §B.2.3")
@pytest.mark.parametrize(
    "dataset",
    [b"", b"nonsense", bytes(1000), bare(sample(image()).data)[:300], bare(sample(without_study()).data)],
    ids=["nothing", "nonsense", "zeros", "cut off", "without a study"],
)
def test_data_sets_that_cannot_be_understood(dimse: Address, dataset: bytes) -> None:
    status = store(dimse, CT, "1.2.3.4.5.6.8", dataset)
    assert status is not None
    assert status >> 8 == 0xA9 or status >> 12 == 0xC
