"""The errors of FastAPI's routes as problems: of the services, of its router, of its validation."""

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.http.errors import STATUS, problem, problem_body, problem_of
from dicomweb_server.http.responses import Whole

# The last reason of each status, the most general one, speaks for it.
_REASONS = {int(STATUS[reason]): reason for reason in Reason}


def install(app: Starlette) -> None:
    """Answer every error of the routes of `app` with a problem, also those of its router and of validation."""
    app.add_exception_handler(ServerError, _on_server_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(Exception, _on_defect)


async def _on_server_error(_request: Request, error: Exception) -> Whole:
    assert isinstance(error, ServerError)
    return problem_of(error)


async def _on_http_exception(_request: Request, error: Exception) -> Whole:
    assert isinstance(error, HTTPException)
    headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    if error.status_code in (204, 304):
        return Whole(status=error.status_code, headers=headers)
    reason = _REASONS.get(error.status_code, Reason.INTERNAL if error.status_code >= 500 else Reason.BAD_REQUEST)
    return problem_body(error.status_code, str(error.detail), reason, headers)


async def _on_invalid_request(_request: Request, error: Exception) -> Whole:
    assert isinstance(error, RequestValidationError)
    # Where and why, but never the value itself: it may be a patient's.
    wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:10]]
    return problem(Reason.BAD_REQUEST, "; ".join(wrong))


async def _on_defect(_request: Request, _error: Exception) -> Whole:
    return problem(Reason.INTERNAL)
