"""PURE: a C-FIND identifier → the search that it means, and how its answers are written. Runs no search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.query import Include, Query, View
from dicomweb_server.dicom.timezone import PARTNERS, adjusted, offset_minutes
from dicomweb_server.dimse.answers import AnswerEncoder
from dicomweb_server.dimse.identifiers import (
    AVAILABILITY,
    QUERY_LEVEL,
    RETRIEVE_AE_TITLE,
    RETRIEVE_URL,
    TIMEZONE,
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
from dicomweb_server.errors import Reason, ServerError

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

    def encoder(self, transfer_syntax_uid: str, availability: str = "ONLINE") -> AnswerEncoder:
        """What writes the answers."""
        constants = {**self.constants, AVAILABILITY: ("CS", availability)}
        zone = self.query.timezone
        change = None if zone is None else lambda match: dict(adjusted(match, zone))
        return AnswerEncoder(self.keys, constants, transfer_syntax_uid, self.character_set, self.web_root, change)


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
    query = replace(find_query(Identifier(identifier.level, keys), level, rules), view=view)
    zone = _timezone(identifier) if rules.timezone else None
    if zone is not None:
        needed = {TIMEZONE, *(PARTNERS[tag] for tag in answered if tag in PARTNERS)} - set(answered)
        query = replace(query, timezone=zone, include=(*query.include, *(Include((tag,)) for tag in sorted(needed))))
        keys = (*keys, RequestKey(TIMEZONE, "SH", ""))
    return FindRequest(
        query,
        len(asked) == sum(key.tag in answered for key in asked),
        keys,
        _constants(identifier, keys, retrieve_ae_title),
        identifier.character_set,
        web_root,
    )


def _timezone(identifier: Identifier) -> int | None:
    """The zone that the dates and times of the keys are meant in, if one is given (PS3.4 §C.4.1.1.3.1)."""
    given = "".join(identifier.values(TIMEZONE)[:1])
    minutes = offset_minutes(given)
    if given and minutes is None:
        raise ServerError(Reason.BAD_REQUEST, "Timezone Offset From UTC is none such as +0100")
    return minutes


def _constants(
    identifier: Identifier, keys: Sequence[RequestKey], retrieve_ae_title: str
) -> dict[int, tuple[str, str]]:
    """What every answer says (PS3.4 §C.4.1.1.3.2): its level, where to retrieve it."""
    return {
        QUERY_LEVEL: ("CS", identifier.level),
        RETRIEVE_AE_TITLE: ("AE", retrieve_ae_title),
        **creators(keys),
    }


def creators(keys: Sequence[RequestKey]) -> dict[int, tuple[str, str]]:
    """The elements that reserve the blocks of private keys."""
    return {
        key.tag & 0xFFFF0000 | key.tag >> 8 & 0xFF: ("LO", key.private_creator)
        for key in keys
        if key.private_creator is not None
    }
