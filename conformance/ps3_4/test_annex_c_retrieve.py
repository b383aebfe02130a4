"""PS3.4 annexes C.4.2 and C.4.3: C-MOVE and C-GET, their counters, statuses and sub-operations."""

from typing import Any

import pytest

from conformance.archive import Archive
from conformance.query_retrieve import PATIENT_ROOT, RELATIONAL, STUDY_ROOT, Address, get, identifier, move, receiver
from conformance.requirement import requires
from conformance.samples import CT, EXPLICIT, IMPLICIT, Sample

PENDING, SUCCESS, WARNING = 0xFF00, 0x0000, 0xB000
UNKNOWN_DESTINATION, UNABLE_TO_PERFORM, IDENTIFIER_DOES_NOT_MATCH = 0xA801, 0xA702, 0xA900


class Taken:
    """What arrived; `statuses` are answered in turn, then success."""

    def __init__(self, *statuses: int) -> None:
        self.instances: list[str] = []
        self.datasets: dict[str, bytes] = {}
        self.syntaxes: set[str] = set()
        self.originators: set[tuple[Any, Any]] = set()
        self._statuses = list(statuses)

    def __call__(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.instances.append(uid)
        self.datasets[uid] = event.request.DataSet.getvalue()
        self.syntaxes.add(str(event.context.transfer_syntax))
        request = event.request
        self.originators.add((request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        return self._statuses.pop(0) if self._statuses else SUCCESS


def series(archive: Archive) -> Any:
    """The identifier of the series of three."""
    return identifier("SERIES", StudyInstanceUID=archive.ct[0].study, SeriesInstanceUID=archive.ct[0].series)


def uids(samples: tuple[Sample, ...]) -> set[str]:
    return {one.instance for one in samples}


@requires("PS3.4 §C.4.3.1")
def test_c_get_sends_what_was_named_and_counts(dimse: Address, archive: Archive) -> None:
    taken = Taken()
    *pending, final = get(dimse, series(archive), [(CT, [EXPLICIT])], taken)
    assert set(taken.instances) == uids(archive.ct)
    assert {response.status for response in pending} <= {PENDING}
    assert (final.status, final.completed, final.failed, final.warning) == (SUCCESS, 3, 0, 0)
    assert final.remaining is None


@requires("PS3.4 §C.4.3.1.4")
def test_the_sum_of_the_counters_is_constant_and_remaining_falls(dimse: Address, archive: Archive) -> None:
    *pending, _ = get(dimse, series(archive), [(CT, [EXPLICIT])], Taken())
    sums = {
        (each.remaining or 0) + (each.completed or 0) + (each.failed or 0) + (each.warning or 0) for each in pending
    }
    assert sums == {3}
    remaining = [each.remaining or 0 for each in pending]
    assert remaining == sorted(remaining, reverse=True)


@requires("PS3.4 §C.4.3.2", "B")
def test_data_sets_are_sent_as_they_are_stored(dimse: Address, archive: Archive) -> None:
    taken = Taken()
    get(dimse, series(archive), [(CT, [EXPLICIT])], taken)
    for one in archive.ct:
        assert one.data.endswith(taken.datasets[one.instance])
        assert len(taken.datasets[one.instance]) > 500


@requires("PS3.4 §C.4.3.2")
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_only_accepted_transfer_syntaxes_are_sent(dimse: Address, archive: Archive, syntax: str) -> None:
    taken = Taken()
    get(dimse, series(archive), [(CT, [syntax])], taken)
    assert taken.syntaxes == {syntax}
    assert set(taken.instances) == uids(archive.ct)


@requires("PS3.4 §C.4.3.3")
def test_instances_for_which_there_is_no_context_fail_alone(dimse: Address, archive: Archive) -> None:
    taken = Taken()
    asked = identifier("STUDY", StudyInstanceUID=archive.ct[0].study)
    *_, final = get(dimse, asked, [(CT, [EXPLICIT])], taken)
    assert uids(archive.ct) <= set(taken.instances)
    assert final.status == WARNING
    assert final.failed == len(archive.first_study) - len(taken.instances)
    assert final.identifier is not None
    listed = final.identifier.FailedSOPInstanceUIDList
    assert set(listed) == {one.instance for one in archive.first_study} - set(taken.instances)


@requires("PS3.4 §C.4.3.1.4")
def test_failures_and_warnings_of_sub_operations_are_counted(dimse: Address, archive: Archive) -> None:
    *_, final = get(dimse, series(archive), [(CT, [EXPLICIT])], Taken(0xA700, 0xB007))
    assert (final.status, final.completed, final.failed, final.warning) == (WARNING, 1, 1, 1)
    *_, final = get(dimse, series(archive), [(CT, [EXPLICIT])], Taken(0xA700, 0xA900, 0xC000))
    assert (final.status, final.completed, final.failed) == (UNABLE_TO_PERFORM, 0, 3)


@requires("PS3.4 §C.4.3.2")
def test_nothing_found_is_a_success(dimse: Address) -> None:
    (final,) = get(dimse, identifier("STUDY", StudyInstanceUID="1.2.3.4.5"), [(CT, [EXPLICIT])], Taken())
    assert (final.status, final.completed, final.failed) == (SUCCESS, 0, 0)


@requires("PS3.4 §C.4.2.1.4")
@pytest.mark.parametrize(
    "asked",
    [
        identifier("", StudyInstanceUID="1.2.3"),
        identifier("STUDY"),
        identifier("PATIENT", PatientID="X"),
        identifier("IMAGE", SOPInstanceUID="1.2.3"),
    ],
)
def test_identifiers_that_name_nothing(dimse: Address, asked: Any) -> None:
    (final,) = get(dimse, asked, [(CT, [EXPLICIT])], Taken())
    assert final.status == IDENTIFIER_DOES_NOT_MATCH or 0xC000 <= final.status < 0xD000


PATIENT, STUDY, SERIES, INSTANCE = "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"


@requires("PS3.4 §C.4.3.2.1")
@pytest.mark.parametrize(
    ("model", "level", "given"),
    [
        (STUDY_ROOT, "STUDY", (STUDY,)),
        (STUDY_ROOT, "SERIES", (STUDY, SERIES)),
        (STUDY_ROOT, "IMAGE", (STUDY, SERIES, INSTANCE)),
        (PATIENT_ROOT, "PATIENT", (PATIENT,)),
        (PATIENT_ROOT, "STUDY", (PATIENT, STUDY)),
        (PATIENT_ROOT, "SERIES", (PATIENT, STUDY, SERIES)),
        (PATIENT_ROOT, "IMAGE", (PATIENT, STUDY, SERIES, INSTANCE)),
    ],
)
def test_unique_keys_of_the_level_and_those_above_name_what_is_sent(
    dimse: Address, archive: Archive, model: str, level: str, given: tuple[str, ...]
) -> None:
    one = archive.ct[0].dataset
    named = [each for each in archive.all if all(each.dataset[keyword] == one[keyword] for keyword in given)]
    *_, final = get(dimse, named_by(archive, level, given), [(CT, [EXPLICIT])], Taken(), model)
    assert (final.completed or 0) + (final.failed or 0) == len(named)


@requires("PS3.4 §C.4.3.2.2")
@pytest.mark.parametrize("extended", [b"", b"\0", RELATIONAL])
@pytest.mark.parametrize(
    ("model", "level", "given", "count"),
    [
        (STUDY_ROOT, "SERIES", (SERIES,), 3),
        (STUDY_ROOT, "IMAGE", (INSTANCE,), 1),
        (STUDY_ROOT, "IMAGE", (STUDY, INSTANCE), 1),
        (PATIENT_ROOT, "SERIES", (PATIENT, SERIES), 3),
        (PATIENT_ROOT, "IMAGE", (SERIES, INSTANCE), 1),
    ],
)
def test_keys_of_higher_levels_may_be_left_out_only_if_relational_retrieval_was_agreed(
    dimse: Address, archive: Archive, model: str, level: str, given: tuple[str, ...], count: int, extended: bytes
) -> None:
    asked = named_by(archive, level, given)
    *_, final = get(dimse, asked, [(CT, [EXPLICIT])], Taken(), model, extended=extended)
    if extended == RELATIONAL:
        assert (final.status, final.completed) == (SUCCESS, count)
    else:
        assert final.status == IDENTIFIER_DOES_NOT_MATCH


@requires("PS3.4 §C.4.3.2.1")
def test_a_list_of_uids_at_the_level_names_each(dimse: Address, archive: Archive) -> None:
    one, wanted = archive.ct[0], [each.instance for each in archive.ct[1:]]
    keys: dict[str, Any] = {STUDY: one.study, SERIES: one.series, INSTANCE: [*wanted, "1.2.3.4"]}
    taken = Taken()
    *_, final = get(dimse, identifier("IMAGE", **keys), [(CT, [EXPLICIT])], taken)
    assert (final.status, set(taken.instances)) == (SUCCESS, set(wanted))


@requires("PS3.4 §C.4.3.2.1")
def test_a_study_of_another_patient_is_not_sent(dimse: Address, archive: Archive) -> None:
    keys: dict[str, Any] = {PATIENT: f"{archive.patient_id}x", STUDY: archive.ct[0].study}
    *_, final = get(dimse, identifier("STUDY", **keys), [(CT, [EXPLICIT])], Taken(), PATIENT_ROOT)
    assert (final.status, final.completed, final.failed) == (SUCCESS, 0, 0)


def named_by(archive: Archive, level: str, given: tuple[str, ...]) -> Any:
    """An identifier with these unique keys of one instance."""
    return identifier(level, **{keyword: archive.ct[0].dataset[keyword].value for keyword in given})


@requires("PS3.4 §C.4.2.1.5")
def test_c_move_to_an_unknown_destination(dimse: Address, archive: Archive) -> None:
    (final,) = move(dimse, series(archive), "NOBODY")
    assert final.status == UNKNOWN_DESTINATION


@requires("PS3.4 §C.4.2.1")
def test_c_move_sends_to_the_destination_and_counts(dimse: Address, archive: Archive, sink: int) -> None:
    taken = Taken()
    with receiver(sink, [(CT, [EXPLICIT])], taken):
        *pending, final = move(dimse, series(archive), "SINK")
    assert set(taken.instances) == uids(archive.ct)
    assert {response.status for response in pending} <= {PENDING}
    assert (final.status, final.completed, final.failed, final.warning) == (SUCCESS, 3, 0, 0)


@requires("PS3.4 §C.4.2.1", "S")
def test_sub_operations_name_their_originator(dimse: Address, archive: Archive, sink: int) -> None:
    taken = Taken()
    with receiver(sink, [(CT, [EXPLICIT])], taken):
        move(dimse, series(archive), "SINK")
    assert taken.originators == {("CONFORMANCE", 1)}


@requires("PS3.4 §C.4.2.1.5")
def test_a_dead_destination_is_told_at_the_end(dimse: Address, archive: Archive, sink: int) -> None:
    *_, final = move(dimse, series(archive), "SINK")
    assert (final.status, final.completed, final.failed) == (UNABLE_TO_PERFORM, 0, 3)
    assert final.identifier is not None
    assert set(final.identifier.FailedSOPInstanceUIDList) == uids(archive.ct)
