"""C-FIND of instances of no patient, and what C-MOVE and C-GET name (PS3.4 annexes U, X, BB, HH, II, JJ)."""

from collections.abc import Sequence
from contextlib import aclosing

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.non_patient import CATEGORY_OF
from dicomweb_server.dicom.query import Match, MatchKind, Query
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dimse.contexts import NON_PATIENT_MODELS
from dicomweb_server.dimse.identifiers import Identifier, agreed_rules, worklist_matches
from dicomweb_server.dimse.query_scp import requested_identifier, send_matches
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import PENDING, SUCCESS, Status
from dicomweb_server.dimse.worklist_scp import worklist_encoder
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.non_patient import NonPatientReference

MOST_UIDS = 10_000
_SOP_CLASS, _INSTANCE = 0x00080016, 0x00080018


class _Encoded:
    """For answers that were written elsewhere."""

    def encode(self, match: bytes) -> bytes:
        """As it is."""
        return match


async def find_non_patient(operation: Operation) -> Status:
    """Every attribute can be matched and returned; there is one level, so none is named (PS3.4 §U.6)."""
    context, terms = operation.context, operation.terms
    identifier = await requested_identifier(operation)
    rules = agreed_rules(terms.extended.get(context.abstract_syntax, b""))
    category, classes = _model(operation)
    of_model = Match((_SOP_CLASS,), "UI", MatchKind.UID_LIST, tuple(classes))
    keys = (*worklist_matches(identifier, rules), of_model)
    if terms.options.view is not None:
        return SUCCESS
    encoder = worklist_encoder(identifier, context.transfer_syntax)  # in the thread that compares: some are long
    query = Query(Level.INSTANCE, matches=keys, fuzzy=rules.fuzzy, combined_datetime=True)
    async with aclosing(terms.services.non_patient.find(category, query, encoder.encode)) as found:
        return await send_matches(operation, PENDING, _Encoded(), found)


async def named_non_patient(operation: Operation, identifier: Identifier) -> Sequence[NonPatientReference]:
    """The instances that an identifier of C-MOVE or C-GET names; ServerError(BAD_REQUEST) if it names none."""
    uids = identifier.values(_INSTANCE)
    if not uids or not all(map(is_valid_uid, uids)) or len(uids) > MOST_UIDS:
        raise ServerError(Reason.BAD_REQUEST, f"expected 1 to {MOST_UIDS} UIDs as SOP Instance UID")
    if operation.terms.options.view is not None:  # it is one of studies, which these are not
        return ()
    category, classes = _model(operation)
    found = await operation.terms.services.non_patient.references(category, uids)
    return [each for each in found if each.sop_class_uid in classes]


def _model(operation: Operation) -> tuple[str, frozenset[str]]:
    """The category of the SOP class of a query or retrieval, and the storage SOP classes that it is about."""
    classes = NON_PATIENT_MODELS[operation.context.abstract_syntax]
    return CATEGORY_OF[next(iter(classes))], classes
