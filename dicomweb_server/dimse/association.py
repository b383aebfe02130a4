"""PURE: the state machine of PS3.8 §9.2 as a table, for both roles. Events in, steps out; no sockets and no clocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

from dicomweb_server.dimse.pdu import PduType


class State(IntEnum):
    """PS3.8 tables 9-1 to 9-5."""

    STA1 = 1  # idle
    STA2 = 2  # transport open, awaiting A-ASSOCIATE-RQ
    STA3 = 3  # awaiting the local A-ASSOCIATE response
    STA4 = 4  # awaiting the transport connection
    STA5 = 5  # awaiting A-ASSOCIATE-AC or -RJ
    STA6 = 6  # association established
    STA7 = 7  # awaiting A-RELEASE-RP
    STA8 = 8  # awaiting the local A-RELEASE response
    STA9 = 9  # release collision, requestor: awaiting the local A-RELEASE response
    STA10 = 10  # release collision, acceptor: awaiting A-RELEASE-RP
    STA11 = 11  # release collision, requestor: awaiting A-RELEASE-RP
    STA12 = 12  # release collision, acceptor: awaiting the local A-RELEASE response
    STA13 = 13  # awaiting the close of the transport connection


class Event(IntEnum):
    """PS3.8 table 9-10, first column."""

    ASSOCIATE_REQUESTED = 1  # by the local user
    CONNECTED = 2  # our transport connection is open
    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    CONNECTION_INDICATED = 5  # the peer has opened a transport connection
    ASSOCIATE_RQ = 6
    ACCEPTED = 7  # by the local user
    REJECTED = 8  # by the local user
    DATA_REQUESTED = 9  # by the local user
    DATA = 10
    RELEASE_REQUESTED = 11  # by the local user
    RELEASE_RQ = 12
    RELEASE_RP = 13
    RELEASE_ANSWERED = 14  # by the local user
    ABORT_REQUESTED = 15  # by the local user
    ABORT = 16
    CLOSED = 17  # the transport connection is
    EXPIRED = 18  # ARTIM has
    INVALID = 19  # bytes that are no PDU, or a PDU with wrong parameters


EVENT_OF_PDU: Mapping[int, Event] = {
    PduType.ASSOCIATE_RQ: Event.ASSOCIATE_RQ,
    PduType.ASSOCIATE_AC: Event.ASSOCIATE_AC,
    PduType.ASSOCIATE_RJ: Event.ASSOCIATE_RJ,
    PduType.P_DATA: Event.DATA,
    PduType.RELEASE_RQ: Event.RELEASE_RQ,
    PduType.RELEASE_RP: Event.RELEASE_RP,
    PduType.ABORT: Event.ABORT,
}


class Role(Enum):
    """Who asked for the association."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


class Send(Enum):
    """A PDU that a step sends."""

    ASSOCIATE_RQ = "A-ASSOCIATE-RQ"
    ASSOCIATE_AC = "A-ASSOCIATE-AC"
    ASSOCIATE_RJ = "A-ASSOCIATE-RJ"
    P_DATA = "P-DATA-TF"
    RELEASE_RQ = "A-RELEASE-RQ"
    RELEASE_RP = "A-RELEASE-RP"
    ABORT_BY_USER = "A-ABORT, service-user source"
    ABORT_BY_PROVIDER = "A-ABORT, service-provider source"


class Tell(Enum):
    """An indication or confirmation that a step gives the local user."""

    ASSOCIATION_REQUESTED = "A-ASSOCIATE indication"
    ASSOCIATION_ACCEPTED = "A-ASSOCIATE confirmation (accept)"
    ASSOCIATION_REJECTED = "A-ASSOCIATE confirmation (reject)"
    DATA = "P-DATA indication"
    RELEASE_REQUESTED = "A-RELEASE indication"
    RELEASED = "A-RELEASE confirmation"
    ABORTED = "A-ABORT indication"
    PROVIDER_ABORTED = "A-P-ABORT indication"


class Artim(Enum):
    """What happens to the association request, reject, release timer."""

    START = "start"
    STOP = "stop"


class Action(Enum):
    """PS3.8 tables 9-6 to 9-9."""

    AE1 = "AE-1"
    AE2 = "AE-2"
    AE3 = "AE-3"
    AE4 = "AE-4"
    AE5 = "AE-5"
    AE6 = "AE-6"
    AE7 = "AE-7"
    AE8 = "AE-8"
    DT1 = "DT-1"
    DT2 = "DT-2"
    AR1 = "AR-1"
    AR2 = "AR-2"
    AR3 = "AR-3"
    AR4 = "AR-4"
    AR5 = "AR-5"
    AR6 = "AR-6"
    AR7 = "AR-7"
    AR8 = "AR-8"
    AR9 = "AR-9"
    AR10 = "AR-10"
    AA1 = "AA-1"
    AA2 = "AA-2"
    AA3 = "AA-3"
    AA4 = "AA-4"
    AA5 = "AA-5"
    AA6 = "AA-6"
    AA7 = "AA-7"
    AA8 = "AA-8"


@dataclass(frozen=True, slots=True)
class Step:
    """What an event leads to, in this order: a PDU is sent, the local user is told, ARTIM, the connection is closed."""

    state: State
    send: Send | None = None
    tell: Tell | None = None
    artim: Artim | None = None
    connect: bool = False
    close: bool = False


STEPS: Mapping[Action, Step] = {
    Action.AE1: Step(State.STA4, connect=True),
    Action.AE2: Step(State.STA5, Send.ASSOCIATE_RQ),
    Action.AE3: Step(State.STA6, tell=Tell.ASSOCIATION_ACCEPTED),
    Action.AE4: Step(State.STA1, tell=Tell.ASSOCIATION_REJECTED, close=True),
    Action.AE5: Step(State.STA2, artim=Artim.START),
    # A request that is not acceptable to the provider itself is decoded first, and then rejected by AE-8's step.
    Action.AE6: Step(State.STA3, tell=Tell.ASSOCIATION_REQUESTED, artim=Artim.STOP),
    Action.AE7: Step(State.STA6, Send.ASSOCIATE_AC),
    Action.AE8: Step(State.STA13, Send.ASSOCIATE_RJ, artim=Artim.START),
    Action.DT1: Step(State.STA6, Send.P_DATA),
    Action.DT2: Step(State.STA6, tell=Tell.DATA),
    Action.AR1: Step(State.STA7, Send.RELEASE_RQ),
    Action.AR2: Step(State.STA8, tell=Tell.RELEASE_REQUESTED),
    Action.AR3: Step(State.STA1, tell=Tell.RELEASED, close=True),
    Action.AR4: Step(State.STA13, Send.RELEASE_RP, artim=Artim.START),
    Action.AR5: Step(State.STA1, artim=Artim.STOP),
    Action.AR6: Step(State.STA7, tell=Tell.DATA),
    Action.AR7: Step(State.STA8, Send.P_DATA),
    Action.AR8: Step(State.STA9, tell=Tell.RELEASE_REQUESTED),  # Sta10 for the acceptor
    Action.AR9: Step(State.STA11, Send.RELEASE_RP),
    Action.AR10: Step(State.STA12, tell=Tell.RELEASED),
    Action.AA1: Step(State.STA13, Send.ABORT_BY_USER, artim=Artim.START),
    Action.AA2: Step(State.STA1, artim=Artim.STOP, close=True),
    Action.AA3: Step(State.STA1, tell=Tell.ABORTED, close=True),
    Action.AA4: Step(State.STA1, tell=Tell.PROVIDER_ABORTED),
    Action.AA5: Step(State.STA1, artim=Artim.STOP),
    Action.AA6: Step(State.STA13),
    Action.AA7: Step(State.STA13, Send.ABORT_BY_PROVIDER),
    Action.AA8: Step(State.STA13, Send.ABORT_BY_PROVIDER, Tell.PROVIDER_ABORTED, Artim.START),
}
_AR8_ACCEPTOR = Step(State.STA10, tell=Tell.RELEASE_REQUESTED)


_OPEN = (3, 5, 6, 7, 8, 9, 10, 11, 12)  # the states that most events treat alike


def _row(usual: Action | None = None, **others: Action) -> Mapping[State, Action]:
    row = {State(state): usual for state in _OPEN if usual is not None}
    return row | {State[state]: action for state, action in others.items()}


# PS3.8 table 9-10: event → state → action. What is absent cannot happen, or is refused by `Association.on`.
TABLE: Mapping[Event, Mapping[State, Action]] = {
    Event.ASSOCIATE_REQUESTED: _row(STA1=Action.AE1),
    Event.CONNECTED: _row(STA4=Action.AE2),
    Event.ASSOCIATE_AC: _row(Action.AA8, STA2=Action.AA1, STA5=Action.AE3, STA13=Action.AA6),
    Event.ASSOCIATE_RJ: _row(Action.AA8, STA2=Action.AA1, STA5=Action.AE4, STA13=Action.AA6),
    Event.CONNECTION_INDICATED: _row(STA1=Action.AE5),
    Event.ASSOCIATE_RQ: _row(Action.AA8, STA2=Action.AE6, STA13=Action.AA7),
    Event.ACCEPTED: _row(STA3=Action.AE7),
    Event.REJECTED: _row(STA3=Action.AE8),
    Event.DATA_REQUESTED: _row(STA6=Action.DT1, STA8=Action.AR7),
    Event.DATA: _row(Action.AA8, STA2=Action.AA1, STA6=Action.DT2, STA7=Action.AR6, STA13=Action.AA6),
    Event.RELEASE_REQUESTED: _row(STA6=Action.AR1),
    Event.RELEASE_RQ: _row(Action.AA8, STA2=Action.AA1, STA6=Action.AR2, STA7=Action.AR8, STA13=Action.AA6),
    Event.RELEASE_RP: _row(
        Action.AA8, STA2=Action.AA1, STA7=Action.AR3, STA10=Action.AR10, STA11=Action.AR3, STA13=Action.AA6
    ),
    Event.RELEASE_ANSWERED: _row(STA8=Action.AR4, STA9=Action.AR9, STA12=Action.AR4),
    Event.ABORT_REQUESTED: _row(Action.AA1, STA4=Action.AA2),
    Event.ABORT: _row(Action.AA3, STA2=Action.AA2, STA13=Action.AA2),
    Event.CLOSED: _row(Action.AA4, STA2=Action.AA5, STA4=Action.AA4, STA13=Action.AR5),
    Event.EXPIRED: _row(STA2=Action.AA2, STA13=Action.AA2),
    Event.INVALID: _row(Action.AA8, STA2=Action.AA1, STA13=Action.AA7),
}


class StateError(Exception):
    """The local user asked for what the state of the association does not allow."""


class Association:
    """One association: where it stands, and what each event leads to."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.state = State.STA1

    def on(self, event: Event) -> Step:
        """Take an event; its step has already changed the state."""
        action = TABLE[event].get(self.state)
        if action is None:
            raise StateError(f"{event.name} in {self.state.name}")
        step = STEPS[action]
        if action is Action.AR8 and self.role is Role.ACCEPTOR:
            step = _AR8_ACCEPTOR
        self.state = step.state
        return step

    def allows(self, event: Event) -> bool:
        """Whether the event may happen now."""
        return self.state in TABLE[event]
