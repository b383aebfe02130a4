"""/storage-commitment: what other servers reported of what they were asked to answer for."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.answers import empty_answer, json_answer
from dicomweb_server.rest.context import Context
from dicomweb_server.rest.table import Table, row
from dicomweb_server.services.commitment import AskedCommitment, Reference
from dicomweb_server.services.committed import delete_committed, is_committed

_NO_ANSWER = 0x0110
# Failure Reasons of PS3.3 §C.14.1.1.
_REASONS = {
    0x0110: "a failure in processing",
    0x0112: "there is no such instance",
    0x0119: "the instance has another SOP class",
    0x0122: "the SOP class is not supported",
    0x0131: "the transaction UID is in use already",
    0x0213: "a lack of resources",
}


async def show_report(request: Request, context: Context) -> Response:
    """How it stands, and for which instances."""
    return json_answer(_shown(await context.services.commitments.asked(request.scope["path_params"]["id"])))


async def remove_committed(request: Request, context: Context) -> Response:
    """Delete here what another server answers for; it must answer for all."""
    asked = await context.services.commitments.asked(request.scope["path_params"]["id"])
    if not is_committed(asked):
        raise ServerError(Reason.BAD_REQUEST, "nothing is deleted: the other server does not answer for all instances")
    await delete_committed(asked, context.services)
    return empty_answer()


def _shown(asked: AskedCommitment) -> dict[str, Any]:
    answered = {*asked.committed, *(reference for reference, _ in asked.failed)}
    unanswered = [(each, _NO_ANSWER) for each in asked.references if each not in answered]
    failed = [*asked.failed, *unanswered] if asked.is_answered else []
    return {
        "Failures": [_failure(reference, reason) for reference, reason in failed],
        "RemoteAET": asked.ae_title,
        "Status": "Pending" if not asked.is_answered else "Success" if is_committed(asked) else "Failure",
        "Success": [_named(reference) for reference in asked.committed],
    }


def _failure(reference: Reference, reason: int) -> dict[str, Any]:
    text = _REASONS.get(reason, "another reason")
    return {"Description": text, "FailureReason": reason, **_named(reference)}


def _named(reference: Reference) -> dict[str, str]:
    return {"SOPClassUID": reference.sop_class_uid, "SOPInstanceUID": reference.instance_uid}


OPERATIONS: Table = (
    row("GET", "/storage-commitment/{id}", show_report, "What was reported of a transaction"),
    row("POST", "/storage-commitment/{id}/remove", remove_committed, "Delete what another server answers for"),
)
