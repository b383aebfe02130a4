"""/modalities/{name}: store, store-straight, move, get, storage-commitment."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.query_keys import identifying, keys_of, level_named
from dicomweb_server.dicom.uids import is_valid_uid, new_uid
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import json_answer
from dicomweb_server.rest.body import Members, object_body, whole_body
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.modality_wishes import failed, peer_for, shown_titles, wishes
from dicomweb_server.rest.peers import MOST_STRAIGHT
from dicomweb_server.rest.sent_resources import chosen_resources, sent_resources
from dicomweb_server.rest.submission import answer_by_job, wish_of
from dicomweb_server.rest.table import DICOM, JSON, TEXT, Table, row
from dicomweb_server.services.fetching import GET, MOVE
from dicomweb_server.services.modalities import Modality, PeerError, Reference
from dicomweb_server.services.sending_kinds import MODALITY_STORE, modality_of


async def store(request: Request, context: Context) -> Response:
    """C-STORE of resources."""
    members = await sent_resources(request, context)
    wish, wanted = wish_of(members), wishes(request, members)
    titles = shown_titles(context, wanted)
    parameters, content = await chosen_resources(members, context)
    shown = {**content, **titles}
    if members.flag("StorageCommitment"):
        wanted["TransactionUid"] = shown["StorageCommitmentTransactionUID"] = new_uid()
    return await answer_by_job(request, context, MODALITY_STORE, {**parameters, **wanted}, wish, content=shown)


async def store_straight(request: Request, context: Context) -> Response:
    """C-STORE of a file that is not stored here."""
    body = await whole_body(request, min(context.options.max_instance_size, MOST_STRAIGHT))
    reference = await _stored(context, wishes(request, Members({})), body)
    return json_answer({"SOPClassUID": reference.sop_class_uid, "SOPInstanceUID": reference.instance_uid})


async def move(request: Request, context: Context) -> Response:
    """C-MOVE of what the body names, to an AE: this server, unless the body says otherwise."""
    return await _retrieved(request, context, await object_body(request, context), MOVE)


async def get(request: Request, context: Context) -> Response:
    """C-GET of what the body names."""
    return await _retrieved(request, context, await object_body(request, context), GET)


async def commit(request: Request, context: Context) -> Response:
    """Ask for storage commitment; the report comes later."""
    members = await object_body(request, context)
    modality = modality_of(context.services.modalities, wishes(request, members))
    transaction_uid = await _asked(context, modality, await _references(members, context))
    return json_answer({"ID": transaction_uid, "Path": f"/storage-commitment/{transaction_uid}"})


async def _retrieved(request: Request, context: Context, members: Members, type_: str) -> Response:
    wanted = wishes(request, members)
    titles = shown_titles(context, wanted)
    level = level_named(members.text("Level"))
    if "Resources" not in members:
        raise ServerError(Reason.BAD_REQUEST, "Resources is missing: a list of objects with identifiers is expected")
    keys = [identifying(keys_of(resource.all), level) for resource in members.objects("Resources")]
    parameters = {"Level": level.name, "Keys": keys, "TargetAet": context.options.ae_title, **wanted}
    shown = {
        **titles,
        "Query": [dict(resource.all) for resource in members.objects("Resources")],
        **({"TargetAet": parameters["TargetAet"]} if type_ == MOVE else {}),
    }
    return await answer_by_job(request, context, type_, parameters, wish_of(members), content=shown)


async def _stored(context: Context, wanted: dict[str, Any], body: bytes) -> Reference:
    try:
        return await peer_for(context, wanted).store_file(body)
    except PeerError as error:
        raise failed(error) from error


async def _asked(context: Context, modality: Modality, references: list[Reference]) -> str:
    try:
        return await context.services.commitments.ask(modality, references)
    except PeerError as error:
        raise failed(error) from error


async def _references(members: Members, context: Context) -> list[Reference]:
    """What the request names by UIDs, and by identifiers of resources."""
    named = members.all.get("DicomInstances") or []
    if not isinstance(named, list):
        raise _no_pairs()
    references = [_reference(each) for each in named]
    resources = context.services.resources
    for public_id in members.texts("Resources"):
        instances = await resources.instances(await resources.identify_any(public_id))
        references += [Reference(one.sop_class_uid, one.instance_uid) for one in instances]
    if not references:
        raise ServerError(Reason.BAD_REQUEST, "DicomInstances or Resources must name instances")
    return list(dict.fromkeys(references))


def _reference(raw: Any) -> Reference:
    """A pair of UIDs, or an object with them."""
    pair = [raw.get("SOPClassUID"), raw.get("SOPInstanceUID")] if isinstance(raw, dict) else raw
    if (
        not isinstance(pair, list)
        or len(pair) != 2
        or not all(isinstance(uid, str) and is_valid_uid(uid) for uid in pair)
    ):
        raise _no_pairs()
    return Reference(*pair)


def _no_pairs() -> ServerError:
    return ServerError(Reason.BAD_REQUEST, "DicomInstances must be a list of [SOP class UID, SOP instance UID] pairs")


_FAILS = (500,)

OPERATIONS: Table = (
    row("POST", "/modalities/{name}/store", store, "C-STORE of resources", consumes=(JSON, TEXT), errors=_FAILS),
    row(
        "POST",
        "/modalities/{name}/store-straight",
        store_straight,
        "C-STORE of a file",
        consumes=(DICOM,),
        errors=_FAILS,
    ),
    row("POST", "/modalities/{name}/move", move, "C-MOVE to an AE", consumes=(JSON,), errors=_FAILS),
    row("POST", "/modalities/{name}/get", get, "C-GET to this server", consumes=(JSON,), errors=_FAILS),
    row(
        "POST",
        "/modalities/{name}/storage-commitment",
        commit,
        "Ask for storage commitment",
        consumes=(JSON,),
        errors=_FAILS,
    ),
)
