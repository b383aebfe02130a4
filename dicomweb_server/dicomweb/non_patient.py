"""Non-Patient Instances (PS3.18 chapter 12): hanging protocols and the like are stored, found and retrieved."""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.non_patient import described
from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dicomweb import data_sets, store_response
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import data_set, one_body
from dicomweb_server.dicomweb.document_search import DocumentSearch, found_documents
from dicomweb_server.dicomweb.offers import instance_offers
from dicomweb_server.dicomweb.qido import ACCEPT, CHARSET, FOUND, KEYS, PAGE, RULES
from dicomweb_server.dicomweb.stow import ACCEPTED, taken_in
from dicomweb_server.http.conditional import entity_tag, is_fresh, not_modified, validators
from dicomweb_server.http.description import Description
from dicomweb_server.http.documents import PLACE_OF_ROOT
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.intake import Intake
from dicomweb_server.http.origin import origin_of
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Endpoint, Operation
from dicomweb_server.services.document_page import DocumentPage
from dicomweb_server.services.non_patient import CATEGORIES, LARGEST, NonPatientDoor, NonPatientInstance
from dicomweb_server.wire.media_types import DICOM, DICOM_JSON, DICOM_XML, OCTET_STREAM, RELATED, Offer, choose

_TAG = "Non-patient instances"
_DICOM_PARTS = f'{RELATED}; type="{DICOM}"'
_BULK_OFFERS = (Offer(OCTET_STREAM), Offer(OCTET_STREAM, multipart=True))


def _search(category: str) -> Endpoint[Context]:
    async def search(request: Request, context: Context) -> Response:
        """The matches, one page of them (§12.6)."""
        asked = DocumentSearch(request, context)
        page = await context.services.non_patient.page(category, asked.query, asked.limit)
        root = context.options.service_url.root(request.scope).encode("latin-1")
        documents = [orjson.loads(one.replace(PLACE_OF_ROOT, root)) for one in page.metadata]
        wanted = asked.wanted
        shown = documents if wanted is None else [described(one, wanted) for one in documents]
        return await found_documents(request, context, asked, DocumentPage(documents, page.is_more), shown)

    return search


def _store(category: str) -> Endpoint[Context]:
    async def store(request: Request, context: Context) -> Response:
        """Store what the body holds, only the instance of the path if it names one (§12.5)."""
        offer = choose(accepted(request.scope), store_response.OFFERS)
        door = NonPatientDoor(context.services.non_patient, category, request.scope["path_params"].get("instance"))
        most = min(LARGEST, context.options.max_instance_size)
        intake = Intake(door, origin_of(request, "stow"), None, max_instance_size=most)
        outcomes = await taken_in(request, intake, context.options.max_request_size)
        root = context.options.service_url.root(request.scope)
        return store_response.store_response(outcomes, root, offer, category)

    return store


def _retrieve(category: str) -> Endpoint[Context]:
    async def retrieve(request: Request, context: Context) -> Response:
        """The instance as a file, or its metadata (§12.4)."""
        http, service = request.scope, context.services.non_patient
        instance = await service.instance(category, http["path_params"]["instance"])
        offer = choose(accepted(http), [*_file_offers(instance), *data_sets.OFFERS])
        digest = instance.digest.hex()[:32]
        shape = "parts" if offer.multipart else "alone"
        tag = entity_tag(digest, "-".join((offer.media_type, shape, offer.transfer_syntax or "")))
        headers = validators(tag, instance.received, immutable=False)
        if is_fresh(http, tag, instance.received):
            return not_modified(headers)
        if offer.media_type != DICOM:
            root = context.options.service_url.root(http).encode("latin-1")
            return data_set(orjson.loads(instance.metadata.replace(PLACE_OF_ROOT, root)), offer, headers=headers)
        syntax = instance.transfer_syntax_uid if offer.stored else EXPLICIT_VR_LITTLE_ENDIAN
        shown = replace(offer, transfer_syntax=syntax)  # which is "*" where the stored one is not to be asked for
        return one_body(await service.file(instance, syntax), shown, digest, headers=headers)

    return retrieve


def _retrieve_bulk_value(category: str) -> Endpoint[Context]:
    async def retrieve_bulk_value(request: Request, context: Context) -> Response:
        """The value that a BulkDataURI of the metadata leads to."""
        offer = choose(accepted(request.scope), _BULK_OFFERS)
        named, service = request.scope["path_params"], context.services.non_patient
        instance = await service.instance(category, named["instance"])
        _, value = await service.bulk_value(instance, named["path"])
        return one_body(value, offer, instance.digest.hex()[:32], headers=[(b"vary", b"Accept")])

    return retrieve_bulk_value


def _delete(category: str) -> Endpoint[Context]:
    async def delete(request: Request, context: Context) -> Response:
        """204 when it is gone, 404 if it was not there: an extension of the standard."""
        await context.services.non_patient.remove(category, request.scope["path_params"]["instance"])
        return Whole(status=204)

    return delete


def _file_offers(instance: NonPatientInstance) -> list[Offer]:
    """As a file, by itself first; nothing of it is compressed."""
    offers = instance_offers(instance.transfer_syntax_uid, alone=True)
    files = [
        one
        for one in offers
        if one.media_type == DICOM and (one.stored or one.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN)
    ]
    return sorted(files, key=lambda one: one.multipart)


def _operations(category: str) -> Sequence[Operation[Context]]:
    """The resources of a category; the names of operations have that of the category, or of one of it, in them."""
    title = category.title().replace("-", "")
    one = title.removesuffix("ies") + "y" if title.endswith("ies") else title.removesuffix("s")
    words, single = category.replace("-", " "), f"/{category}/{{instance}}"
    searching = Description(
        f"searchFor{title}",
        f"Search for {words}",
        _TAG,
        FOUND,
        data_sets.ACCEPTED,
        parameters=(KEYS, *RULES, *PAGE, ACCEPT, CHARSET),
        errors=(400, 406, 500, 503),
    )
    return (
        Operation("GET", f"/{category}", _search(category), searching),
        Operation("POST", f"/{category}", _store(category), _storing(f"store{title}", f"Store {words}")),
        Operation("POST", single, _store(category), _storing(f"store{one}", "Store this instance only")),
        Operation("GET", single, _retrieve(category), _retrieving(f"retrieve{one}")),
        Operation("GET", f"{single}/bulkdata/{{path:path}}", _retrieve_bulk_value(category), _valuing(one)),
        Operation("DELETE", single, _delete(category), _deleting(f"delete{one}")),
    )


def _storing(name: str, summary: str) -> Description:
    stored = {200: "All are stored", 202: "Some are stored, others failed; or some are stored with a warning"}
    errors, told = (400, 406, 409, 413, 415, 500, 503), (400, 409, 413, 415, 500, 503)
    bodies = {DICOM_JSON: {"$ref": "#/components/schemas/StoreResponse"}}
    return Description(name, summary, _TAG, stored, (DICOM_JSON, DICOM_XML), ACCEPTED, (ACCEPT,), errors, told, bodies)


def _retrieving(name: str) -> Description:
    summary, produces = "The instance as a DICOM file, or its metadata", (DICOM, _DICOM_PARTS, *data_sets.ACCEPTED)
    success = {200: "The instance", 304: "The client has the current representation"}
    errors, bodies = (400, 404, 406, 500, 503), {DICOM_JSON: {"$ref": "#/components/schemas/DataSet"}}
    return Description(name, summary, _TAG, success, produces, parameters=(ACCEPT,), errors=errors, bodies=bodies)


def _valuing(one: str) -> Description:
    name, summary = f"retrieve{one}BulkValue", "The value that a BulkDataURI leads to"
    produces, errors = (OCTET_STREAM, f'{RELATED}; type="{OCTET_STREAM}"'), (400, 404, 406, 500, 503)
    return Description(name, summary, _TAG, {200: "The value"}, produces, parameters=(ACCEPT,), errors=errors)


def _deleting(name: str) -> Description:
    return Description(name, "Delete the instance", _TAG, {204: "It is gone"}, errors=(400, 404, 500, 503))


OPERATIONS: Sequence[Operation[Context]] = tuple(
    operation for category in CATEGORIES for operation in _operations(category)
)
