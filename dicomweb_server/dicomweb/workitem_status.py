"""What UPS-RS says of a workitem beside the status: Warning header fields (PS3.18 §11.4.3.2 and the like)."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from dicomweb_server.dicom.workitem import Notice, Problem, WorkitemError
from dicomweb_server.dicomweb.context import Context
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.errors import AnswerError
from dicomweb_server.http.responses import HeaderList
from dicomweb_server.http.routing import Endpoint
from dicomweb_server.http.warning import warning

_INCONSISTENT = "The submitted request is inconsistent with the current state of the Workitem."

# The standard's words where it has some (§11.6.3.2, §11.7.3.2, §11.8.3.2); the others are told in ours.
REFUSED: Mapping[Problem, str] = {
    Problem.DUPLICATE: _INCONSISTENT,
    Problem.FINAL: _INCONSISTENT,
    Problem.NO_TRANSACTION: "The Transaction UID is missing.",
    Problem.WRONG_TRANSACTION: "The Transaction UID is incorrect.",
    Problem.CLAIMED: _INCONSISTENT,
    Problem.ALREADY_IN_PROGRESS: _INCONSISTENT,
    Problem.NOT_SCHEDULED_ANEW: _INCONSISTENT,
    Problem.NOT_READY: _INCONSISTENT,
    Problem.NOT_IN_PROGRESS: "The target URI did not reference a claimed Workitem.",
    Problem.COMPLETED: "The UPS is already COMPLETED.",
    Problem.NOBODY_TO_ASK: "The performer cannot be contacted.",
}
TOLD: Mapping[Notice, str] = {
    Notice.MODIFIED: "The Workitem was created with modifications.",
    Notice.NOT_LOCKED: "Deletion Lock not granted.",
    Notice.ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED.",
    Notice.ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED.",
}


def told(notice: Notice | None, request: Request, context: Context) -> HeaderList:
    """The header fields that a notice is."""
    return [] if notice is None else [warning(context.options.service_url.root(request.scope), TOLD[notice])]


def require_workitems(context: Context) -> None:
    """ServerError(NOT_OFFERED) if workitems are not offered."""
    if not context.options.workitems:
        raise ServerError(Reason.NOT_OFFERED, "workitems are switched off")


class Workitems:
    """An endpoint of the worklist service: it may be switched off; its refusals have a Warning header field."""

    def __init__(self, endpoint: Endpoint[Context]) -> None:
        self._endpoint = endpoint

    async def __call__(self, request: Request, context: Context) -> Response:
        """AnswerError in the place of a WorkitemError; ServerError(NOT_OFFERED)."""
        require_workitems(context)
        try:
            return await self._endpoint(request, context)
        except WorkitemError as error:
            text = REFUSED.get(error.problem, f"{error.problem.text[0].upper()}{error.problem.text[1:]}.")
            header = warning(context.options.service_url.root(request.scope), text)
            raise AnswerError(error.reason, error.detail, [header]) from None
