"""What the DIMSE side of the server may be told: one frozen value, made by bootstrap from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from dicomweb_server.dicom.query import View
from dicomweb_server.dicom.uid_patterns import NONE, UidPatterns
from dicomweb_server.dicom.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicomweb_server.services.acceptance import Acceptance
from dicomweb_server.services.modalities import Modality, Service

__all__ = ["ApplicationEntity", "DimseOptions", "Modality", "OnMismatch", "Timeouts", "TlsClientOptions", "TlsOptions"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds within which the peer must have done something.

    `association`: sent its request, or its answer to ours (ARTIM); `pdu`: sent a PDU from first to last byte;
    `silence`: gone on within a message, or taken some of what we send; `idle`: begun a message; `closing`: closed the
    connection after the last PDU (ARTIM again); `connect`: accepted our connection; `response`: answered our request.
    """

    association: float = 30.0
    pdu: float = 60.0
    silence: float = 30.0
    idle: float = 30.0
    closing: float = 0.5
    connect: float = 10.0
    response: float = 60.0


class OnMismatch(Enum):
    """What becomes of a data set whose SOP class or instance UID is not that of its C-STORE command."""

    REFUSE = "refuse"
    WARN = "warn"  # it is stored under its own UIDs


@dataclass(frozen=True, slots=True)
class TlsClientOptions:
    """For associations over TLS that we request. `ca`: who may have signed the peers' certificates; None: the system's.

    `certificate`, `key`: what we show; `check_host`: whether a certificate must be for the host that we call.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    check_host: bool = True


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """A listener for DICOM over TLS (PS3.15 §B.12), beside the plain one.

    `client_ca`: certificates of those who may have signed the peers'; with it, a peer must show one, or, unless
    `client_required`, none of others.
    """

    port: int
    certificate: Path
    key: Path | None = None  # in the certificate's file
    client_ca: Path | None = None
    client_required: bool = True


@dataclass(frozen=True, slots=True)
class ApplicationEntity:
    """Another AE of this server. `port` None: it is called at the server's ports, by its title; `tls`: of its own port.

    `view`: what it shows, None for all; `labels`: what is stored through it gets them, each at a level. `allow`: what
    it serves, as far as a caller may have it at all; `callers`: AE titles that may call it, empty for all.
    """

    ae_title: str
    port: int | None = None
    tls: bool = False
    view: View | None = None
    labels: tuple[tuple[int, str], ...] = ()
    allow: frozenset[Service] = frozenset(Service)
    callers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DimseOptions:
    """How the server takes part in DIMSE. `hosts`: where it listens; `port` None: no plain listener, 0 any free port.

    `modalities`: by name; `unknown_allow`: what nodes that are not among them may do. `most_associations` counts
    negotiated ones only, `most_connections` those that have not got so far. `entities`: further AEs beside the one that
    this describes; of one of those, the other options are `entities.entity_options`.
    """

    ae_title: str = "DICOMWEB"
    other_ae_titles: tuple[str, ...] = ()  # by which we may be called as well
    ae_title_case: bool = True  # whether capital and small letters differ in AE titles
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME
    hosts: tuple[str, ...] = ("127.0.0.1",)
    port: int | None = 4242
    tls: TlsOptions | None = None
    tls_client: TlsClientOptions = TlsClientOptions()
    web_root: str = ""  # of the DICOMweb service, as others reach it: for Retrieve URL in answers
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    unknown_allow: frozenset[Service] = frozenset({Service.ECHO, Service.STORE})
    check_called_ae_title: bool = False
    check_modality_host: bool = False
    require_identity: bool = False  # a user name and passcode; only where something checks them
    only_sop_classes: UidPatterns = NONE  # empty: all
    never_sop_classes: UidPatterns = NONE
    acceptance: Acceptance = field(default_factory=Acceptance)  # may change while we run
    most_associations: int = 100
    most_associations_per_address: int = 100
    most_connections: int = 1024
    most_operations: int = 16
    largest_pdu: int = 131072
    largest_instance: int = 2**34
    on_mismatch: OnMismatch = OnMismatch.REFUSE
    timeouts: Timeouts = Timeouts()
    stop_timeout: float = 10.0
    worklist: bool = True  # offer the modality worklist, and take performed procedure steps
    workitems: bool = True
    entities: tuple[ApplicationEntity, ...] = ()
    view: View | None = None
    labels: tuple[tuple[int, str], ...] = ()
    allow: frozenset[Service] = frozenset(Service)
    callers: frozenset[str] = frozenset()
    local_ae_title: str = ""  # as which we call others for who has called us, "" is ours
    fallback: str = ""  # the modality that has what is not here, "" is none
    fallback_by_get: bool = False  # it is fetched by C-GET, else by C-MOVE
    find_elsewhere: bool = False  # C-FIND asks that one too
    synchronous_move: bool = True  # C-MOVE is answered when all is sent, not when a job has it to do
    keep_associations: float = 5.0  # seconds that an association on which we sent stays open for what comes next
