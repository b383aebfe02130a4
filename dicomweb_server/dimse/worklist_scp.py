"""C-FIND of the modality worklist: the scheduled steps, asked and answered in identifiers (PS3.4 annex K)."""

from contextlib import aclosing

import orjson

from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.find_request import creators
from dicomweb_server.dimse.identifiers import Identifier, agreed_rules, is_to_be_answered, worklist_matches
from dicomweb_server.dimse.query_scp import requested_identifier, send_matches
from dicomweb_server.dimse.session import Operation
from dicomweb_server.dimse.status import PENDING, Status
from dicomweb_server.services.worklist import WorklistSearch


async def find_worklist_items(operation: Operation) -> Status:
    """Every attribute can be matched and returned: what a step does not have comes back empty (PS3.4 §K.4.1.1.3)."""
    context, terms = operation.context, operation.terms
    identifier = await requested_identifier(operation)
    rules = agreed_rules(terms.extended.get(context.abstract_syntax, b""))
    search = WorklistSearch(
        worklist_matches(identifier, rules),
        terms.origin.calling_ae_title,
        terms.origin.called_ae_title,
        rules.fuzzy,
    )
    encoder = worklist_encoder(identifier, context.transfer_syntax)
    async with aclosing(terms.services.worklist.find(search)) as found:
        matches = ([orjson.dumps(each) for each in batch] async for batch in found)
        return await send_matches(operation, PENDING, encoder, matches)


def worklist_encoder(identifier: Identifier, transfer_syntax_uid: str) -> AnswerEncoder:
    """What writes the answers to an identifier."""
    keys = [key for key in identifier.keys if is_to_be_answered(key)]
    return AnswerEncoder(keys, creators(keys), transfer_syntax_uid, identifier.character_set)
