"""/modalities/{name}: query, which keeps its answers under /queries; find-worklist; and the finds of former times."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.main_tags import MAIN_TAGS
from dicomweb_server.dicom.orthanc_json import TagFormat, formatted
from dicomweb_server.dicom.query_keys import (
    LEVEL_NAMES,
    PATIENT_ID,
    SERIES_UID,
    STUDY_UID,
    Keys,
    keys_of,
    level_named,
    normalized,
    with_unique_keys,
)
from dicomweb_server.dicom.scheduled import text_of
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import Members, object_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.modality_wishes import failed, peer_for, wishes
from dicomweb_server.rest.table import JSON, Table, row
from dicomweb_server.services.comparison import Comparison, compared
from dicomweb_server.services.modalities import PeerError
from dicomweb_server.services.queries import KeptQuery

_MOST_ANSWERS = 50_000
_LARGEST_ANSWERS = 64 << 20  # bytes of all answers as JSON
_OTHER_PATIENT_IDS = 0x00101000
_PARENTS = {Level.STUDY: (PATIENT_ID,), Level.SERIES: (STUDY_UID,), Level.INSTANCE: (STUDY_UID, SERIES_UID)}
_CHILDREN = {Level.PATIENT: ("Studies", Level.STUDY), Level.STUDY: ("Series", Level.SERIES)}

Match = dict[str, Any]


async def query(request: Request, context: Context) -> Response:
    """C-FIND, whose answers are kept."""
    members = await object_body(request, context)
    level, said = level_named(members.text("Level")), keys_of(members.members("Query").all)
    keys = normalized(said, level) if members.flag("Normalize", default=True) else said
    return json_answer(await kept_query(context, wishes(request, members), level, keys, said))


async def find_worklist(request: Request, context: Context) -> Response:
    """C-FIND of the modality worklist; the body is the query, or has it as Query."""
    members = await object_body(request, context)
    is_wrapped = isinstance(members.all.get("Query"), dict)
    keys = keys_of(members.members("Query").all if is_wrapped else members.all)
    wanted = wishes(request, members if is_wrapped else Members({}))
    matches = await _collected(peer_for(context, wanted).worklist(keys))
    form = format_of(members) if is_wrapped else TagFormat.SIMPLE
    return json_answer([formatted(match, form, limit=0) for match in matches])


async def compare(request: Request, context: Context) -> Response:
    """The same search here and there."""
    members = await object_body(request, context)
    level = level_named(members.text("Level", "Study"))
    keys = normalized(keys_of(members.members("Query").all), level)
    found = await _compared(context, wishes(request, members), level, keys)
    return json_answer(
        {
            "Level": LEVEL_NAMES[level],
            "Here": len(found.here),
            "There": len(found.there),
            "MissingHere": found.missing_here,
            "MissingThere": found.missing_there,
            "Different": {uid: [found.here[uid], found.there[uid]] for uid in found.different},
        }
    )


async def find(request: Request, context: Context) -> Response:
    """Patients, their studies, and the series of those, each with those below it."""
    members = await object_body(request, context)
    wanted = wishes(request, Members({}))
    return json_answer(await _tree(context, wanted, Level.PATIENT, keys_of(members.all)))


async def find_patient(request: Request, context: Context) -> Response:
    """C-FIND of patients."""
    return await _found(request, context, Level.PATIENT)


async def find_study(request: Request, context: Context) -> Response:
    """C-FIND of the studies of a patient."""
    return await _found(request, context, Level.STUDY)


async def find_series(request: Request, context: Context) -> Response:
    """C-FIND of the series of a study."""
    return await _found(request, context, Level.SERIES)


async def find_instance(request: Request, context: Context) -> Response:
    """C-FIND of the instances of a series."""
    return await _found(request, context, Level.INSTANCE)


async def kept_query(
    context: Context, wanted: Match, level: Level, keys: Keys, said: Keys | None = None
) -> dict[str, str]:
    """Ask, keep the answers, and tell under what. `said`: the keys as the user wrote them."""
    matches = await asked(context, wanted, level, keys)
    kept = KeptQuery(wanted["Modality"], level, keys if said is None else said, matches, wanted)
    query_id = context.services.queries.keep(kept)
    return {"ID": query_id, "Path": f"/queries/{query_id}"}


async def asked(context: Context, wanted: Match, level: Level, keys: Keys) -> list[Match]:
    """The answers of a modality; ServerError(PEER_FAILED) if it fails, or has too many."""
    return await _collected(peer_for(context, wanted).find(level, with_unique_keys(keys, level)))


def format_of(members: Members) -> TagFormat:
    """How a body wants its answers."""
    if members.flag("Full"):
        return TagFormat.FULL
    return TagFormat.SHORT if members.flag("Short") else TagFormat.SIMPLE


async def _compared(context: Context, wanted: Match, level: Level, keys: Keys) -> Comparison:
    if level is Level.PATIENT:
        raise ServerError(Reason.BAD_REQUEST, "Level must be Study, Series or Instance")
    try:
        return await compared(context.services.search, peer_for(context, wanted), level, keys)
    except PeerError as error:
        raise failed(error) from error


async def _collected(matches: AsyncIterator[Match]) -> list[Match]:
    found: list[Match] = []
    size = 0
    try:
        async with aclosing(matches) as answers:  # type: ignore[type-var]
            async for match in answers:
                size += len(orjson.dumps(match))
                if len(found) == _MOST_ANSWERS or size > _LARGEST_ANSWERS:
                    most = f"{_MOST_ANSWERS} answers, or {_LARGEST_ANSWERS} bytes of them"
                    raise ServerError(Reason.PEER_FAILED, f"the modality has more than {most}")
                found.append(match)
    except PeerError as error:
        raise failed(error) from error
    return found


async def _found(request: Request, context: Context, level: Level) -> Response:
    keys = keys_of((await object_body(request, context)).all)
    missing = [tag for tag in _PARENTS.get(level, ()) if not text_of(keys, tag)]
    if missing and not (level is Level.STUDY and (text_of(keys, STUDY_UID) or text_of(keys, "00080050"))):
        raise ServerError(Reason.BAD_REQUEST, f"the parent must be named: {', '.join(missing)}")
    matches = await asked(context, wishes(request, Members({})), level, _usual_keys(level) | normalized(keys, level))
    return json_answer([formatted(match, TagFormat.SIMPLE, limit=0) for match in matches])


async def _tree(context: Context, wanted: Match, level: Level, keys: Keys) -> list[Match]:
    """Matches with what is below them, as far as series."""
    found = []
    for match in await asked(context, wanted, level, _usual_keys(level) | normalized(keys, level)):
        shown = formatted(match, TagFormat.SIMPLE, limit=0)
        if level in _CHILDREN:
            name, below = _CHILDREN[level]
            parents = {tag: match[tag] for tag in _PARENTS[below] if text_of(match, tag)}
            shown[name] = await _tree(context, wanted, below, keys | parents) if parents else []
        found.append(shown)
    return found


def _usual_keys(level: Level) -> Keys:
    """What is answered of a level without being asked for."""
    tags = [*MAIN_TAGS[level], *([_OTHER_PATIENT_IDS] if level is Level.PATIENT else [])]
    return {f"{tag:08X}": {"vr": public_vr(tag)} for tag in tags if public_vr(tag) != "UN"}


_FAILS = (500,)

OPERATIONS: Table = (
    row("POST", "/modalities/{name}/query", query, "C-FIND whose answers are kept", consumes=(JSON,), errors=_FAILS),
    row(
        "POST",
        "/modalities/{name}/find-worklist",
        find_worklist,
        "C-FIND of the worklist",
        consumes=(JSON,),
        errors=_FAILS,
    ),
    row(
        "POST",
        "/modalities/{name}/compare",
        compare,
        "The same search here and there: what only one has, and of what they have unlike much",
        consumes=(JSON,),
        errors=_FAILS,
    ),
    row(
        "POST",
        "/modalities/{name}/find",
        find,
        "C-FIND of patients with what they have",
        consumes=(JSON,),
        errors=_FAILS,
    ),
    row("POST", "/modalities/{name}/find-patient", find_patient, "C-FIND of patients", consumes=(JSON,), errors=_FAILS),
    row("POST", "/modalities/{name}/find-study", find_study, "C-FIND of studies", consumes=(JSON,), errors=_FAILS),
    row("POST", "/modalities/{name}/find-series", find_series, "C-FIND of series", consumes=(JSON,), errors=_FAILS),
    row(
        "POST",
        "/modalities/{name}/find-instance",
        find_instance,
        "C-FIND of instances",
        consumes=(JSON,),
        errors=_FAILS,
    ),
)
