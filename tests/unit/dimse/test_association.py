"""The state machine: each event in each state, as PS3.8 table 9-10 has it, and as pynetdicom has it."""

import pytest
from pynetdicom.fsm import ACTIONS, TRANSITION_TABLE

from dicomweb_server.dimse.association import (
    STEPS,
    TABLE,
    Action,
    Artim,
    Association,
    Event,
    Role,
    Send,
    State,
    StateError,
    Tell,
)

# PS3.8 table 9-10, written down independently: a row per event, a column per state from Sta1 to Sta13.
TABLE_9_10 = """
Evt1  AE-1  -     -     -     -     -     -     -     -     -     -     -     -
Evt2  -     -     -     AE-2  -     -     -     -     -     -     -     -     -
Evt3  -     AA-1  AA-8  -     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt4  -     AA-1  AA-8  -     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt5  AE-5  -     -     -     -     -     -     -     -     -     -     -     -
Evt6  -     AE-6  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
Evt7  -     -     AE-7  -     -     -     -     -     -     -     -     -     -
Evt8  -     -     AE-8  -     -     -     -     -     -     -     -     -     -
Evt9  -     -     -     -     -     DT-1  -     AR-7  -     -     -     -     -
Evt10 -     AA-1  AA-8  -     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt11 -     -     -     -     -     AR-1  -     -     -     -     -     -     -
Evt12 -     AA-1  AA-8  -     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt13 -     AA-1  AA-8  -     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
Evt14 -     -     -     -     -     -     -     AR-4  AR-9  -     -     AR-4  -
Evt15 -     -     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  -
Evt16 -     AA-2  AA-3  -     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
Evt17 -     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
Evt18 -     AA-2  -     -     -     -     -     -     -     -     -     -     AA-2
Evt19 -     AA-1  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""
EXPECTED = {
    (Event(int(name[3:])), State(column)): action
    for name, *actions in map(str.split, TABLE_9_10.split("\n")[1:-1])
    for column, action in enumerate(actions, 1)
}


def test_every_cell_is_written_down() -> None:
    assert len(EXPECTED) == len(Event) * len(State)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("event", "state"), EXPECTED)
def test_each_event_in_each_state(event: Event, state: State, role: Role) -> None:
    association = Association(role)
    association.state = state
    expected = EXPECTED[event, state]
    if expected == "-":
        assert not association.allows(event)
        with pytest.raises(StateError):
            association.on(event)
        assert association.state is state
        return
    assert association.allows(event)
    step = association.on(event)
    following = ACTIONS[expected][2]
    following = following if isinstance(following, tuple) else (following,)
    assert f"Sta{step.state}" in following
    assert association.state is step.state


def test_pynetdicom_has_the_same_table() -> None:
    ours = {
        (f"Evt{event}", f"Sta{state}"): action.value for event, row in TABLE.items() for state, action in row.items()
    }
    assert ours == TRANSITION_TABLE


def test_release_collision_differs_by_role() -> None:
    for role, state in ((Role.REQUESTOR, State.STA9), (Role.ACCEPTOR, State.STA10)):
        association = Association(role)
        association.state = State.STA7
        assert association.on(Event.RELEASE_RQ).state is state


def test_every_abort_starts_artim_or_closes() -> None:
    for action, step in STEPS.items():
        if step.send in (Send.ABORT_BY_PROVIDER, Send.ABORT_BY_USER) and action is not Action.AA7:
            assert step.artim is Artim.START
        if step.state is State.STA1:
            assert step.close or step.artim is Artim.STOP or step.tell is Tell.PROVIDER_ABORTED


def test_the_life_of_an_association_as_acceptor() -> None:
    association = Association(Role.ACCEPTOR)
    sent = [
        association.on(event).send
        for event in (
            Event.CONNECTION_INDICATED,
            Event.ASSOCIATE_RQ,
            Event.ACCEPTED,
            Event.DATA,
            Event.DATA_REQUESTED,
            Event.RELEASE_RQ,
            Event.RELEASE_ANSWERED,
            Event.CLOSED,
        )
    ]
    assert [each.value for each in sent if each] == ["A-ASSOCIATE-AC", "P-DATA-TF", "A-RELEASE-RP"]
    assert association.state is State.STA1


def test_the_life_of_an_association_as_requestor() -> None:
    association = Association(Role.REQUESTOR)
    assert association.on(Event.ASSOCIATE_REQUESTED).connect
    assert association.on(Event.CONNECTED).send is Send.ASSOCIATE_RQ
    assert association.on(Event.ASSOCIATE_AC).tell is Tell.ASSOCIATION_ACCEPTED
    assert association.on(Event.RELEASE_REQUESTED).send is Send.RELEASE_RQ
    step = association.on(Event.RELEASE_RP)
    assert step.tell is Tell.RELEASED
    assert step.close
