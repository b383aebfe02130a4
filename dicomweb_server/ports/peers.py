"""Peers: other archives, workstations and modalities that we ask things of, whichever protocol they speak."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.index import StoredInstance

Attributes = Mapping[str, Any]
"""DICOM JSON: attributes by tag, eight upper-case hex digits."""


class PeerError(Exception):
    """The peer could not be reached, or refused. The message says why, for people; it names no patients.

    `status`: of its HTTP answer, if there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PeerAwayError(PeerError):
    """Nobody is there, or too busy to answer: the same may succeed later."""


class Service(Enum):
    """A DIMSE service that a node may be allowed to use here."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    WORKLIST = "worklist"  # C-FIND of the modality worklist
    GET = "get"
    MOVE = "move"
    COMMITMENT = "commitment"  # storage commitment
    MPPS = "mpps"  # modality performed procedure steps
    AVAILABILITY = "availability"  # Instance Availability Notification
    UPS = "ups"  # workitems (Unified Procedure Steps)


class Manufacturer(Enum):
    """Whose habits a node has, by the names of Orthanc's option `Manufacturer`."""

    GENERIC = "Generic"
    NO_WILDCARD_IN_DATES = "GenericNoWildcardInDates"  # a date that is "*" is sent empty
    NO_UNIVERSAL_WILDCARD = "GenericNoUniversalWildcard"  # any key that is "*" is sent empty
    VITREA = "Vitrea"  # is asked like others; what it asks itself is understood from everybody
    GE = "GE"  # wants keys that identify something, and match everything, to be "*"


@dataclass(frozen=True, slots=True)
class Modality:
    """A DIMSE node that we know: where it listens, what it may ask of us, and how we talk to it.

    `local_ae_title`: what we call ourselves to it, if not by the server's; `timeout`: seconds to wait for each of its
    answers, None is the server's; `transcoding`: whether it may get other transfer syntaxes than what is stored;
    `associations`: on which we send at one time what one request wants; `max_associations`: what all want together;
    `bandwidth`: bytes that we send in a second; 0 is no limit.
    """

    ae_title: str
    host: str
    port: int
    allow: frozenset[Service] = frozenset(Service)
    tls: bool = False
    associations: int = 1
    manufacturer: Manufacturer = Manufacturer.GENERIC
    timeout: float | None = None
    local_ae_title: str = ""
    transcoding: bool = True
    max_associations: int = 0
    bandwidth: int = 0


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance as others refer to it."""

    sop_class_uid: str
    instance_uid: str


@dataclass(frozen=True, slots=True)
class Originator:
    """Who asked by C-MOVE for what is sent, where that is another than the one it goes to."""

    ae_title: str
    message_id: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """What became of the instances that were to be sent, fetched or moved.

    `failures`: those that are known, by SOP Instance UID; why, "" where nobody said so.
    """

    completed: int
    warning: int
    failed: int
    failures: Mapping[str, str] = field(default_factory=dict)
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """Follows a transfer: `told` after each instance, `cancelled` asked before the next one."""

    told: Callable[[Transfer], None] = lambda transfer: None
    cancelled: Callable[[], bool] = lambda: False


UNWATCHED = Watch()


class Peer(Protocol):
    """One remote. Every method raises PeerError where the peer cannot be reached, or refuses all of it."""

    async def echo(self) -> None:
        """Is it there?"""

    async def store(
        self, instances: Sequence[StoredInstance], watch: Watch = UNWATCHED, originator: Originator | None = None
    ) -> Transfer:
        """Send instances, as they are stored wherever the peer takes that. No PeerError: what fails is counted."""

    async def store_file(self, part10: bytes) -> Reference:
        """Send one file that is not stored here; which instance it is."""

    async def create(self, sop_class_uid: str, instance_uid: str, attributes: Attributes) -> None:
        """Have it make an instance of a normalized SOP class; one that it has already is as good."""

    async def change(self, sop_class_uid: str, instance_uid: str, attributes: Attributes) -> None:
        """Have it change an instance of a normalized SOP class."""

    async def notify(self, sop_class_uid: str, instance_uid: str, event_type_id: int) -> None:
        """Tell it of an event of an instance of ours."""

    async def commit(self, references: Sequence[Reference], transaction_uid: str) -> None:
        """Ask it to answer for instances; its report comes later, to the AE."""

    def find(self, level: Level, keys: Attributes) -> AsyncIterator[dict[str, Any]]:
        """Search: matches as DICOM JSON."""

    def worklist(self, keys: Attributes) -> AsyncIterator[dict[str, Any]]:
        """Search the scheduled procedure steps of its modality worklist."""

    async def get(self, level: Level, keys: Attributes, watch: Watch = UNWATCHED) -> Transfer:
        """Fetch what the unique keys name, and store it here."""

    async def move(self, level: Level, keys: Attributes, destination: str, watch: Watch = UNWATCHED) -> Transfer:
        """Have it send what the unique keys name to a third, or to us, by AE title."""
