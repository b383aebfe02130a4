"""Storage Commitment (PS3.18 chapter 13): requests to answer for instances, and what is said to them."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.uids import require_uid
from dicomweb_server.dicomweb.commitment_modules import read_wanted, response_module
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.dicomweb.data_sets import ACCEPTED, OFFERS, data_set, received_data_set
from dicomweb_server.http.description import Description, Parameter
from dicomweb_server.http.errors import RETRY_AFTER_SECONDS
from dicomweb_server.http.headers import accepted
from dicomweb_server.http.responses import Whole
from dicomweb_server.http.routing import Operation
from dicomweb_server.services.commitment_requests import Judged
from dicomweb_server.wire.media_types import Offer, choose

LARGEST_REQUEST = 32 << 20
_VARY = (b"vary", b"Accept")


async def request_commitment(request: Request, context: Context) -> Response:
    """Answer for the instances that the body names, now or later (§13.4)."""
    offer = choose(accepted(request.scope), OFFERS)
    transaction_uid = _transaction_uid(request)
    document = await received_data_set(request, min(LARGEST_REQUEST, context.options.max_request_size))
    wanted = await asyncio.to_thread(read_wanted, document, transaction_uid)
    return await _answer(await context.services.commitment_requests.take(transaction_uid, wanted), offer)


async def check_result(request: Request, context: Context) -> Response:
    """What was said to a request, if that is known by now (§13.5)."""
    offer = choose(accepted(request.scope), OFFERS)
    return await _answer(await context.services.commitment_requests.answer(_transaction_uid(request)), offer)


def _transaction_uid(request: Request) -> str:
    return require_uid(request.scope["path_params"]["transaction"], "the transaction UID in the path")


async def _answer(judged: Sequence[Judged] | None, offer: Offer) -> Response:
    if judged is None:
        return Whole(status=202, headers=[(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)])
    # A second for hundreds of thousands of instances, in which others are to be served.
    return await asyncio.to_thread(lambda: data_set(response_module(judged), offer, headers=[_VARY]))


_ACCEPT = Parameter("accept", "Acceptable media types; wins over the Accept header", {"type": "string"})
_ANSWERS = {200: "For which instances the server answers, and for which not", 202: "It is not known yet: check again"}
_TAG = "Storage commitment"

OPERATIONS: Sequence[Operation[Context]] = (
    Operation(
        "POST",
        "/commitment-requests/{transaction}",
        request_commitment,
        Description(
            "requestStorageCommitment",
            "Ask the server to answer for instances",
            _TAG,
            _ANSWERS,
            ACCEPTED,
            ACCEPTED,
            (_ACCEPT,),
            (400, 406, 409, 413, 415, 500, 503),
            bare=(202,),
        ),
    ),
    Operation(
        "GET",
        "/commitment-requests/{transaction}",
        check_result,
        Description(
            "checkStorageCommitment",
            "For which instances the server answers",
            _TAG,
            _ANSWERS,
            ACCEPTED,
            parameters=(_ACCEPT,),
            errors=(400, 404, 406, 410, 500, 503),
            bare=(202,),
        ),
    ),
)
