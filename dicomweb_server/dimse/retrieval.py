"""Which instances a C-MOVE or C-GET identifier names (PS3.4 §C.4.2.1.4). Sends nothing."""

from collections.abc import Sequence

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.instance import stored_document
from dicomweb_server.dicom.query import Include, Match, MatchKind, Query, View
from dicomweb_server.dicom.uids import is_valid_uid
from dicomweb_server.dimse.identifiers import UNIQUE_KEYS, Identifier, query_level, require_parents
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services import Services
from dicomweb_server.services.retrieve import Scope, StoredInstance

MOST_INSTANCES = 65535 * 4  # of one request: what their list takes in memory is bounded
_PATIENT_ID, _STUDY, _SERIES, _INSTANCE = (UNIQUE_KEYS[level] for level in Level)


async def named_scopes(
    identifier: Identifier,
    levels: tuple[Level, ...],
    services: Services,
    *,
    relational: bool,
    view: View | None = None,
) -> list[Scope]:
    """What is named, none if nothing matches; ServerError(BAD_REQUEST) if the identifier is wrong."""
    level = query_level(identifier, levels)
    if not relational:
        require_parents(identifier, level, levels)
    if not identifier.values(UNIQUE_KEYS[level]):
        raise ServerError(Reason.BAD_REQUEST, f"the unique key of level {identifier.level} has no value")
    return await _scopes(identifier, level, services, view)


async def instances_of(scopes: Sequence[Scope], services: Services) -> list[StoredInstance]:
    """The instances of scopes in their order; ServerError(TOO_LARGE) for more than can be sent at once."""
    found: list[StoredInstance] = []
    for scope in scopes:
        found += await _below(scope, services)
        if len(found) > MOST_INSTANCES:
            raise ServerError(Reason.TOO_LARGE, f"more than {MOST_INSTANCES} instances at once")
    return found


async def _scopes(identifier: Identifier, level: Level, services: Services, view: View | None) -> list[Scope]:
    """What the unique keys name: searched for, so that a study of another patient is not taken for one of this."""
    matches = [match for above in Level if above <= level and (match := _match(identifier, above))]
    lowest = max(level, Level.STUDY)
    query = Query(
        level=lowest,
        matches=tuple(matches),
        include=tuple(Include((UNIQUE_KEYS[each],)) for each in Level if Level.STUDY <= each <= lowest),
        only_included=True,
        view=view,
    )
    page = await services.search.find(query, most=MOST_INSTANCES)
    if page.remaining:
        raise ServerError(Reason.TOO_LARGE, "the identifier names more than can be sent at once")
    return [_scope(match, level) for match in page.matches]


def _match(identifier: Identifier, level: Level) -> Match | None:
    tag = UNIQUE_KEYS[level]
    values = identifier.values(tag)
    if not values:
        return None
    if level is Level.PATIENT:
        return Match((tag,), "LO", MatchKind.SINGLE, (values[0],))
    if not all(is_valid_uid(value) for value in values):
        raise ServerError(Reason.BAD_REQUEST, f"the unique key of level {identifier.level} is no list of UIDs")
    if len(values) == 1:
        return Match((tag,), "UI", MatchKind.SINGLE, (values[0],))
    return Match((tag,), "UI", MatchKind.UID_LIST, tuple(dict.fromkeys(values)))


def _scope(match: bytes, level: Level) -> Scope:
    attributes = stored_document(match)
    uids = [attributes[f"{tag:08X}"]["Value"][0] for tag in (_STUDY, _SERIES, _INSTANCE)[: max(level, 1)]]
    return Scope(*uids)


async def _below(scope: Scope, services: Services) -> Sequence[StoredInstance]:
    try:
        if scope.instance_uid is not None:
            return [await services.retrieve.instance(scope)]
        return await services.retrieve.instances(scope)
    except ServerError as error:
        if error.reason is Reason.NOT_FOUND:  # deleted since the search
            return []
        raise
