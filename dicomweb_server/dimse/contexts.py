"""PURE: which SOP classes we serve, by which service, in which transfer syntaxes. Knows no handlers."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.availability import INSTANCE_AVAILABILITY
from dicomweb_server.dicom.non_patient import CATEGORIES, CATEGORY_OF
from dicomweb_server.dicom.standard_tables import uids
from dicomweb_server.dicom.uid_patterns import NONE, UidPatterns
from dicomweb_server.dicom.uids import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TRANSFER_SYNTAXES,
)
from dicomweb_server.dicom.workitem import UPS_PUSH
from dicomweb_server.dimse.items import ContextResult
from dicomweb_server.dimse.negotiation import NATIVE, Support
from dicomweb_server.services.modalities import Service

__all__ = [
    "ASKED",
    "COMPOSITE_ROOT",
    "GET_WITHOUT_BULK_DATA",
    "MODALITY_WORKLIST",
    "NON_PATIENT_MODELS",
    "PERFORMED_STEP",
    "PERFORMED_STEP_RETRIEVE",
    "QUERY_LEVELS",
    "SERVICES",
    "STORAGE_CLASSES",
    "STORAGE_COMMITMENT",
    "UPS_EVENT",
    "UPS_PULL",
    "UPS_PUSH",
    "UPS_WATCH",
    "VERIFICATION",
    "WORKITEM_CLASSES",
    "Contexts",
    "Service",
    "find_information",
    "is_storage",
    "is_unknown",
    "may_name",
    "operation_name",
    "query_class",
    "retrieve_information",
    "worklist_information",
]

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"  # Push Model
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"  # Information Model, C-FIND
GET_WITHOUT_BULK_DATA = "1.2.840.10008.5.1.4.1.2.5.3"  # Composite Instance Retrieve Without Bulk Data (PS3.4 annex Z)
COMPOSITE_ROOT = frozenset(f"1.2.840.10008.5.1.4.1.2.4.{last}" for last in (2, 3))  # also of frames (PS3.4 annex Y)
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"  # N-CREATE, N-SET
PERFORMED_STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.4"  # N-GET
PERFORMED_STEP_NOTIFICATION = "1.2.840.10008.3.1.2.3.5"  # N-EVENT-REPORT
UPS_WATCH, UPS_PULL, UPS_EVENT, UPS_QUERY = (f"1.2.840.10008.5.1.4.34.6.{number}" for number in (2, 3, 4, 5))
# What may be asked about workitems by which SOP class (PS3.4 §CC.2).
WORKITEM_CLASSES: Mapping[str, tuple[str, ...]] = {
    UPS_PUSH: ("N-CREATE", "N-ACTION", "N-GET"),
    UPS_WATCH: ("C-FIND", "N-ACTION", "N-GET"),
    UPS_PULL: ("C-FIND", "N-SET", "N-ACTION", "N-GET"),
    UPS_EVENT: ("N-EVENT-REPORT",),
    UPS_QUERY: ("C-FIND",),
}


# Storage classes whose instances belong to no study, so that they are not among those of a patient.
_NO_STUDY = frozenset(
    {
        "1.2.840.10008.5.1.1.27",  # Stored Print
        *CATEGORY_OF,  # which are kept beside (PS3.4 annex GG)
    }
)
# In the standard, but newer than pydicom's table.
_NEWER = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.9.100.1",  # Waveform Presentation State
        "1.2.840.10008.5.1.4.1.1.9.100.2",  # Waveform Acquisition Presentation State
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.66.8",  # Height Map Segmentation
    }
)


def _storage_classes() -> frozenset[str]:
    """Composite objects of a patient that the standard has or had (PS3.4 §B.5, PS3.6 table A-1), DICOS and DICONDE."""
    return _NEWER | frozenset(
        uid
        for uid, (name, kind, *_) in uids().items()
        if kind == "SOP Class" and "Storage" in name and uid.startswith("1.2.840.10008.5.1.") and uid not in _NO_STUDY
    )


STORAGE_CLASSES = _storage_classes()

_PATIENT_ROOT = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.INSTANCE)
_INFORMATION_MODELS = {
    "1.2.840.10008.5.1.4.1.2.1": _PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2": _PATIENT_ROOT[1:],  # Study Root
    "1.2.840.10008.5.1.4.1.2.3": _PATIENT_ROOT[:2],  # Patient/Study Only, retired
}
_QUERY_SERVICES = {"1": Service.FIND, "2": Service.MOVE, "3": Service.GET}
# The levels that a query/retrieve SOP class has, from the top down (PS3.4 §C.6).
QUERY_LEVELS: Mapping[str, tuple[Level, ...]] = {
    f"{model}.{last}": levels for model, levels in _INFORMATION_MODELS.items() for last in _QUERY_SERVICES
} | dict.fromkeys((GET_WITHOUT_BULK_DATA, *sorted(COMPOSITE_ROOT)), (Level.INSTANCE,))

_ROOT = "1.2.840.10008.5.1.4"
# Information models of instances of no patient (PS3.4 annexes U, X, BB, HH, II, JJ): their root, the last
# number of FIND, before those of MOVE and GET, and the storage SOP classes that they are about.
_NON_PATIENT_MODELS = (
    *((f"{_ROOT}.{number}", 2, frozenset({f"{_ROOT}.{number}.1"})) for number in (38, 39, 43, 44, 45)),
    (f"{_ROOT}.20", 1, CATEGORIES["defined-procedure-protocols"]),
    (f"{_ROOT}.1.1.200", 4, frozenset({f"{_ROOT}.1.1.200.3"})),
    (f"{_ROOT}.1.1.201", 2, CATEGORIES["inventories"]),
)
_OF_NON_PATIENT = {
    f"{root}.{number}": (service, classes)
    for root, first, classes in _NON_PATIENT_MODELS
    for number, service in enumerate((Service.FIND, Service.MOVE, Service.GET), start=first)
}
NON_PATIENT_MODELS: Mapping[str, frozenset[str]] = {uid: classes for uid, (_, classes) in _OF_NON_PATIENT.items()}
"""By the SOP classes of C-FIND, C-MOVE and C-GET."""

# What we ask of other nodes, by which SOP classes; those of storage beside.
ASKED: Mapping[str, str] = {
    VERIFICATION: "C-ECHO",
    STORAGE_COMMITMENT: "N-ACTION; N-EVENT-REPORT is taken on the same association or on another",
    MODALITY_WORKLIST: "C-FIND",
    INSTANCE_AVAILABILITY: "N-CREATE",
    PERFORMED_STEP: "N-CREATE, N-SET",
    PERFORMED_STEP_NOTIFICATION: "N-EVENT-REPORT, in the role of SCP",
    UPS_PUSH: "N-CREATE",
    UPS_EVENT: "N-EVENT-REPORT, in the role of SCP",
    **{
        f"{root}.{last}": operation
        for root in ("1.2.840.10008.5.1.4.1.2.1", "1.2.840.10008.5.1.4.1.2.2")
        for last, operation in (("1", "C-FIND"), ("2", "C-MOVE"), ("3", "C-GET"))
    },
}

SERVICES: Mapping[str, Service] = {
    VERIFICATION: Service.ECHO,
    STORAGE_COMMITMENT: Service.COMMITMENT,
    MODALITY_WORKLIST: Service.WORKLIST,
    PERFORMED_STEP: Service.MPPS,
    PERFORMED_STEP_RETRIEVE: Service.MPPS,
    INSTANCE_AVAILABILITY: Service.AVAILABILITY,
    **dict.fromkeys(WORKITEM_CLASSES, Service.UPS),
    **dict.fromkeys(STORAGE_CLASSES, Service.STORE),
    **{uid: _QUERY_SERVICES[uid.rpartition(".")[2]] for uid in QUERY_LEVELS},
    **dict.fromkeys(CATEGORY_OF, Service.STORE),
    **{uid: service for uid, (service, _) in _OF_NON_PATIENT.items()},
}

# Identifiers are small: the encodings that everybody has are enough for them.
_IDENTIFIER_SYNTAXES = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN})
_NATIVE = frozenset(NATIVE)
# Service class application information of C-FIND (PS3.4 table C.5-1): relational queries, combined date-time, fuzzy
# names, time zone, enhanced multi-frame conversion, empty value, multiple value.
_FIND_INFORMATION = (1, 1, 1, 1, 0, 1, 1)
# Of the worklist: no time zone.
_WORKLIST_INFORMATION = (1, 1, 1, 0, 0, 1, 1)
# Of C-MOVE and C-GET (table C.5-3): relational retrieval, enhanced multi-frame conversion.
_RETRIEVE_INFORMATION = (1, 0)
_STORABLE = frozenset(TRANSFER_SYNTAXES)


@dataclass(frozen=True, slots=True)
class Contexts:
    """What one peer may propose.

    `only` and `never` are SOP classes of objects, `syntaxes` the transfer syntaxes that they may come in; an empty
    `only`, or `syntaxes`, is no restriction. `special`: SOP classes that it says are special cases of storage classes.
    """

    allowed: frozenset[Service]
    unknown_sop_classes: bool = True
    only: UidPatterns = NONE
    never: UidPatterns = NONE
    syntaxes: frozenset[str] = frozenset()
    special: frozenset[str] = frozenset()

    def support(self, abstract_syntax: str) -> Support | ContextResult:
        """How a proposed abstract syntax is supported for this peer."""
        service = self.service_of(abstract_syntax)
        if service is None:
            return ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED
        may_get = Service.GET in self.allowed
        is_allowed = service in self.allowed
        if service is Service.STORE and (is_allowed or may_get):
            return Support(self.syntaxes or _STORABLE, scp=is_allowed, scu=may_get, sent=_STORABLE)
        if not is_allowed:
            return ContextResult.USER_REJECTION
        if service is Service.FIND:
            return Support(_IDENTIFIER_SYNTAXES, extended=find_information)
        if service in (Service.WORKLIST, Service.UPS):
            return Support(_IDENTIFIER_SYNTAXES, extended=worklist_information)
        if service in (Service.MOVE, Service.GET):
            return Support(_IDENTIFIER_SYNTAXES, extended=retrieve_information)
        if service is Service.COMMITMENT:  # whom we asked may report as SCP on an association of its own
            return Support(_IDENTIFIER_SYNTAXES, scu=True)
        return Support(_NATIVE if service is Service.ECHO else _IDENTIFIER_SYNTAXES)

    def service_of(self, abstract_syntax: str) -> Service | None:
        """The service that an abstract syntax belongs to, None if it has none here."""
        service = SERVICES.get(abstract_syntax)
        is_taken = self.unknown_sop_classes or abstract_syntax in self.special
        if service is None and is_taken and is_unknown(abstract_syntax):
            service = Service.STORE
        if service is Service.STORE and (
            abstract_syntax in self.never or (self.only and abstract_syntax not in self.only)
        ):
            return None
        return service


def operation_name(service: Service) -> str:
    """What the operation of a service is called in PS3.7."""
    others = {
        Service.COMMITMENT: "N-ACTION",
        Service.WORKLIST: "C-FIND",
        Service.MPPS: "N-CREATE, N-SET, N-GET",
        Service.AVAILABILITY: "N-CREATE",
    }
    return others.get(service, f"C-{service.name}")


def may_name(abstract_syntax: str, sop_class_uid: str) -> bool:
    """Whether a request of this context may be about that SOP class: its own; workitems are all of one (§CC.3.1)."""
    return sop_class_uid == abstract_syntax or (sop_class_uid == UPS_PUSH and abstract_syntax in WORKITEM_CLASSES)


def find_information(proposed: bytes) -> bytes:
    """Our answer to the extended negotiation of C-FIND: what was proposed, as far as it is supported."""
    return _agreed(proposed, _FIND_INFORMATION)


def worklist_information(proposed: bytes) -> bytes:
    """The same for the worklist."""
    return _agreed(proposed, _WORKLIST_INFORMATION)


def retrieve_information(proposed: bytes) -> bytes:
    """The same for C-MOVE and C-GET."""
    return _agreed(proposed, _RETRIEVE_INFORMATION)


def _agreed(proposed: bytes, supported: tuple[int, ...]) -> bytes:
    return bytes([value == 1 and known for value, known in zip(proposed, supported, strict=False)])


def query_class(service: Service, level: Level) -> str:
    """The SOP class by which we ask others: of the Study Root model, of the Patient Root only for patients."""
    model = "1.2.840.10008.5.1.4.1.2.1" if level is Level.PATIENT else "1.2.840.10008.5.1.4.1.2.2"
    return next(f"{model}.{last}" for last, each in _QUERY_SERVICES.items() if each is service)


def is_storage(abstract_syntax: str) -> bool:
    """Whether a context is one of storage; one that nobody knows was accepted, or proposed, as such."""
    return SERVICES.get(abstract_syntax, Service.STORE) is Service.STORE


def is_unknown(abstract_syntax: str) -> bool:
    """Whether a UID is private or newer than our edition of the standard, so that it may name a storage SOP class."""
    return abstract_syntax not in uids()
