"""PURE: a C-FIND identifier → the search that it means, and how its answers are written. Runs no search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Query, View
from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.identifiers import (
    AVAILABILITY,
    QUERY_LEVEL,
    RETRIEVE_AE_TITLE,
    RETRIEVE_URL,
    UNIQUE_KEYS,
    Identifier,
    RequestKey,
    Rules,
    find_query,
    is_supported,
    is_to_be_answered,
    query_level,
    require_parents,
)

# Numbers of what a patient has in all, also beyond a view.
_OF_PATIENTS = frozenset({0x00201200, 0x00201202, 0x00201204})


@dataclass(frozen=True, slots=True)
class FindRequest:
    """What a C-FIND asks for. `all_supported`: every key in it can be answered, which decides between FF00 and FF01."""

    query: Query
    all_supported: bool
    keys: tuple[RequestKey, ...]
    constants: dict[int, tuple[str, str]]
    character_set: str
    web_root: str = ""

    def encoder(self, transfer_syntax_uid: str) -> AnswerEncoder:
        """What writes the answers."""
        return AnswerEncoder(self.keys, self.constants, transfer_syntax_uid, self.character_set, self.web_root)


def find_request(
    identifier: Identifier,
    levels: tuple[Level, ...],
    rules: Rules,
    retrieve_ae_title: str,
    web_root: str = "",
    view: View | None = None,
) -> FindRequest:
    """The request; ServerError(BAD_REQUEST) if the information model does not allow it (PS3.4 §C.4.1.2).

    `web_root`: of the DICOMweb service, for Retrieve URLs; "" if it is not known under one name. `view`: what is there.
    """
    level = query_level(identifier, levels)
    if not rules.relational:
        require_parents(identifier, level, levels)
    asked = [key for key in identifier.keys if is_to_be_answered(key)]
    unknown = (frozenset() if web_root else {RETRIEVE_URL}) | (frozenset() if view is None else _OF_PATIENTS)
    answered = {key.tag: key for key in asked if is_supported(key, level) and key.tag not in unknown}
    unique = (UNIQUE_KEYS[each] for each in levels if each <= level)
    for tag in unique:
        answered.setdefault(tag, RequestKey(tag, "LO" if tag == UNIQUE_KEYS[Level.PATIENT] else "UI", ""))
    keys = tuple(answered.values())
    return FindRequest(
        replace(find_query(Identifier(identifier.level, keys), level, rules), view=view),
        len(asked) == sum(key.tag in answered for key in asked),
        keys,
        _constants(identifier, keys, retrieve_ae_title),
        identifier.character_set,
        web_root,
    )


def _constants(
    identifier: Identifier, keys: Sequence[RequestKey], retrieve_ae_title: str
) -> dict[int, tuple[str, str]]:
    """What every answer says (PS3.4 §C.4.1.1.3.2): its level, where to retrieve it, that it can be had at once."""
    return {
        QUERY_LEVEL: ("CS", identifier.level),
        RETRIEVE_AE_TITLE: ("AE", retrieve_ae_title),
        AVAILABILITY: ("CS", "ONLINE"),
        **creators(keys),
    }


def creators(keys: Sequence[RequestKey]) -> dict[int, tuple[str, str]]:
    """The elements that reserve the blocks of private keys."""
    return {
        key.tag & 0xFFFF0000 | key.tag >> 8 & 0xFF: ("LO", key.private_creator)
        for key in keys
        if key.private_creator is not None
    }
