"""What an operator asks a server: is it well, what has it done, what can it do."""

import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dicomweb_server.server import api_page
from dicomweb_server.server.health import OK, HealthCheck
from dicomweb_server.server.metrics import CONTENT_TYPE, Metrics

_logger = logging.getLogger("dicomweb_server.health")

Gauges = Callable[[], Awaitable[dict[str, float]]]


class Health(BaseModel):
    """Is the server able to do its work? Each check says `ok`, or what is wrong."""

    status: Literal["ok", "unhealthy"]
    checks: dict[str, str] = {}


def health_router(check: HealthCheck) -> APIRouter:
    """`/healthz`: can it store and find; `/healthz/live`: does it answer at all."""
    router = APIRouter(tags=["Operation"])

    @router.get("/healthz", summary="Can the server store and find?", responses={503: {"model": Health}})
    async def ready(response: Response) -> Health:
        """200 when index and storage work, 503 otherwise; needs no user."""
        checks = await check()
        well = all(said == OK for said in checks.values())
        if not well:
            response.status_code = 503
            _logger.warning("unhealthy", extra=checks)
        return Health(status="ok" if well else "unhealthy", checks=checks)

    @router.get("/healthz/live", summary="Does the server answer?")
    async def live() -> Health:
        """200 as long as the process answers at all; needs no user."""
        return Health(status="ok")

    return router


def metrics_router(metrics: Metrics, gauges: Gauges) -> APIRouter:
    """`/metrics` for Prometheus; `gauges`: values that have to be waited for."""
    router = APIRouter(tags=["Operation"])

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response,
                responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})  # fmt: skip
    async def show_metrics() -> Response:
        """Requests by route, durations, ingest outcomes, queues, and the process itself."""
        return Response(metrics.render(await gauges()), headers={"content-type": CONTENT_TYPE})

    return router


def docs_router() -> APIRouter:
    """`/docs`: the OpenAPI description as a page that needs no script and nothing from elsewhere."""
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def show_docs(request: Request) -> HTMLResponse:
        """The description as HTML."""
        page = api_page.render(request.app.openapi(), "openapi.json")
        return HTMLResponse(page, headers={"content-security-policy": api_page.CONTENT_SECURITY_POLICY})

    return router
