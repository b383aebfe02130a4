"""PURE: may this peer have an association, and what may it do? By AE titles, address and counts; never by content."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dicomweb_server.dimse.contexts import STORAGE_CLASSES, Contexts, Service
from dicomweb_server.dimse.items import APPLICATION_CONTEXT
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.pdu import AssociateRequest, Rejection


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no association, for the peer and for the log."""

    rejection: Rejection
    detail: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """The peer may have its association. `name`: of the configured modality that it is, "" if it is none."""

    name: str
    allow: frozenset[Service]


@dataclass(frozen=True, slots=True)
class Load:
    """How many associations are negotiated, altogether and with the peer's address."""

    total: int
    from_address: int


def admission(
    request: AssociateRequest,
    addresses_of: Mapping[str, Collection[str]],
    address: str,
    load: Load,
    options: DimseOptions,
) -> Admitted | Refused:
    """Decide. `addresses_of`: the addresses of those modalities (by name) whose host is to be checked."""
    refused = _protocol(request) or _titles(request, options)
    if refused is not None:
        return refused
    admitted = _identified(request.calling_ae_title, addresses_of, address, options)
    if not admitted.allow or not _may_call(request.calling_ae_title, options):
        return Refused(Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED, "this calling AE title may do nothing here")
    return _limits(admitted, load, options) or admitted


def contexts(admitted: Admitted, request: AssociateRequest, options: DimseOptions) -> Contexts:
    """What a peer that was admitted may propose."""
    common = request.user.common_extended  # PS3.7 §D.3.3.6
    special = {each.sop_class_uid for each in common if not STORAGE_CLASSES.isdisjoint(each.related)}
    allow = admitted.allow & options.allow
    if not options.worklist:
        allow -= {Service.WORKLIST, Service.MPPS}
    if not options.workitems:
        allow -= {Service.UPS}
    return Contexts(
        allow,
        options.acceptance.unknown_sop_classes,
        options.only_sop_classes,
        options.never_sop_classes,
        options.acceptance.syntaxes,
        frozenset(special),
    )


def is_ae_title(title: str) -> bool:
    """Whether a text may be an AE title (PS3.5 table 6.2-1)."""
    return 0 < len(title) <= 16 and all(" " <= c <= "~" and c != "\\" for c in title)


def _protocol(request: AssociateRequest) -> Refused | None:
    if not request.protocol_version & 1:
        return Refused(
            Rejection.PROTOCOL_VERSION_NOT_SUPPORTED, f"protocol version {request.protocol_version:04X}H, not bit 0"
        )
    if request.application_context != APPLICATION_CONTEXT:
        return Refused(Rejection.APPLICATION_CONTEXT_NOT_SUPPORTED, "another application context than DICOM's")
    return None


def _titles(request: AssociateRequest, options: DimseOptions) -> Refused | None:
    if not is_ae_title(request.calling_ae_title):
        return Refused(Rejection.CALLING_AE_TITLE_NOT_RECOGNIZED, "the calling AE title is empty or ill-formed")
    if not is_ae_title(request.called_ae_title):
        return Refused(Rejection.CALLED_AE_TITLE_NOT_RECOGNIZED, "the called AE title is empty or ill-formed")
    ours = (options.ae_title, *options.other_ae_titles)
    if options.check_called_ae_title and not any(same_title(request.called_ae_title, each, options) for each in ours):
        return Refused(Rejection.CALLED_AE_TITLE_NOT_RECOGNIZED, "the called AE title is not ours")
    return None


def same_title(one: str, other: str, options: DimseOptions) -> bool:
    """Whether two AE titles name the same; by the standard, capital and small letters differ (PS3.5 table 6.2-1)."""
    return one == other if options.ae_title_case else one.upper() == other.upper()


def _may_call(calling_ae_title: str, options: DimseOptions) -> bool:
    return not options.callers or any(same_title(calling_ae_title, each, options) for each in options.callers)


def _identified(
    calling_ae_title: str, addresses_of: Mapping[str, Collection[str]], address: str, options: DimseOptions
) -> Admitted:
    known = False
    for name, modality in options.modalities.items():
        if same_title(modality.ae_title, calling_ae_title, options):
            known = True
            if not options.check_modality_host or address in addresses_of.get(name, ()):
                return Admitted(name, modality.allow)
    if known:  # somebody else under a name that we know is not trusted even as far as a stranger
        return Admitted("", frozenset())
    return Admitted("", options.unknown_allow)


def _limits(admitted: Admitted, load: Load, options: DimseOptions) -> Refused | None:
    # A tenth of the places is for those we know: strangers must not keep them out.
    reserved = -(-options.most_associations // 10) if options.modalities and not admitted.name else 0
    if load.total >= options.most_associations - reserved:
        return Refused(Rejection.LOCAL_LIMIT_EXCEEDED, f"there are {load.total} associations already")
    if load.from_address >= options.most_associations_per_address:
        return Refused(
            Rejection.LOCAL_LIMIT_EXCEEDED, f"there are {load.from_address} associations with this address already"
        )
    return None


def with_title(ae_title: str, options: DimseOptions) -> dict[str, Modality]:
    """The modalities that have an AE title."""
    return {
        name: modality
        for name, modality in options.modalities.items()
        if same_title(modality.ae_title, ae_title, options)
    }
