"""What C-MOVE or C-GET names and is not here is fetched from another archive first. Sends nothing to who asked."""

import asyncio

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dimse.admission import same_title
from dicomweb_server.dimse.identifiers import LEVEL_NAMES, UNIQUE_KEYS, Identifier
from dicomweb_server.dimse.options import Modality
from dicomweb_server.dimse.progress import Progress
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import PENDING
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.modalities import Attributes, PeerError, Transfer, Watch

NOTHING = Transfer(0, 0, 0)


def other_archive(operation: Operation) -> Modality | None:
    """The one that has what is not here. Not for itself: two that have each other would go round in circles."""
    terms, options = operation.terms, operation.terms.options
    if not options.fallback or options.view is not None:  # a view has what has labels, and what is elsewhere has none
        return None
    modality = terms.services.modalities.named(options.fallback)
    return None if same_title(modality.ae_title, terms.origin.calling_ae_title, options) else modality


async def fetched(operation: Operation, identifier: Identifier) -> Transfer:
    """What came from the other archive, nothing where there is none to ask; ServerError(PEER_FAILED)."""
    terms, options, modality = operation.terms, operation.terms.options, other_archive(operation)
    if modality is None:
        return NOTHING
    level, progress = LEVEL_NAMES[identifier.level], Progress(asyncio.get_running_loop().time)

    def told(transfer: Transfer) -> None:
        """Nothing is sent yet, but somebody waits."""
        if progress.is_due():
            all_of_it = transfer.remaining + transfer.completed + transfer.warning + transfer.failed
            operation.respond(PENDING, remaining=all_of_it, completed=0, failed=0, warning=0)

    peer, watch = terms.services.modalities.peer(modality), Watch(told, lambda: operation.cancelled)
    try:
        if options.fallback_by_get:
            return await peer.get(level, _keys(identifier, level), watch)
        return await peer.move(level, _keys(identifier, level), modality.local_ae_title or options.ae_title, watch)
    except PeerError as error:  # in its own words, which are not for the log
        raise ServerError(Reason.PEER_FAILED, f"{options.fallback}, which may have it, cannot be asked") from error


def _keys(identifier: Identifier, level: Level) -> Attributes:
    """The unique keys; the Patient ID is none below the patient in the model by which others are asked."""
    found = {}
    for above in (level,) if level is Level.PATIENT else (Level.STUDY, Level.SERIES, Level.INSTANCE):
        if above <= level and (values := identifier.values(UNIQUE_KEYS[above])):
            vr = "LO" if above is Level.PATIENT else "UI"
            found[f"{UNIQUE_KEYS[above]:08X}"] = {"vr": vr, "Value": values}
    return found
