"""create_app: routers, layers around them, and the order in which everything starts and stops."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb_server import __version__
from dicomweb_server.bootstrap import (
    Holder,
    OpenStore,
    dicomweb_service,
    open_store,
    rest_services,
    running,
    start_dimse,
    wado_uri_service,
)
from dicomweb_server.dicomweb.openapi import TAGS, describe
from dicomweb_server.errors import ServerError, StartError
from dicomweb_server.http import errors
from dicomweb_server.http.cors import Cors
from dicomweb_server.rest import openapi as rest_openapi
from dicomweb_server.rest.operations import BELOW_DICOMWEB, ROOTS
from dicomweb_server.rest.running import Running
from dicomweb_server.server.cross_site import CrossSiteGuard
from dicomweb_server.server.front import FrontDoor
from dicomweb_server.server.logs import LineWriter
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.server.observation import Observation, request_log, safety_headers
from dicomweb_server.server.operations import docs_router, health_router, metrics_router
from dicomweb_server.server.users import BasicAuthentication
from dicomweb_server.settings import Settings
from dicomweb_server.settings.passwords import verify_password
from dicomweb_server.ui.routes import explorer_routes

PUBLIC_PATHS = frozenset({"/healthz", "/healthz/live"})
_logger = logging.getLogger("dicomweb_server.server")


class Application(FastAPI):
    """FastAPI with few and thin layers around it; the DICOMweb services are asked before FastAPI's own router."""

    def __init__(self, settings: Settings, writer: LineWriter) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.holder = Holder()
        self.is_to_restart = False
        self.failure: StartError | ServerError | None = None
        self._writer = writer
        super().__init__(
            title=settings.name,
            version=__version__,
            description="Stores, finds and serves medical images: DICOMweb (PS3.18).",
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            openapi_tags=[*TAGS, *(rest_openapi.TAGS if settings.rest else ())],
            servers=[{"url": "/", "description": "The server that this description comes from"}],
            generate_unique_id_function=lambda route: route.name,
            docs_url=None,
            redoc_url=None,
            lifespan=_lifespan,
        )
        self._layers = self._layered()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests pass our layers and may end at the front door; what does not, and the lifespan, is FastAPI's."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, _without_traceback(send))
        else:
            scope["app"] = self
            await self._layers(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The description of everything: FastAPI's of its own routes, and those of the services at the front door."""
        if self.openapi_schema is None:
            description = super().openapi()
            root = self.settings.dicomweb_root
            for below in (
                describe(root, self.settings.wado_uri_root),
                *(rest_openapi.describe(root) if self.settings.rest else ()),
            ):
                description["paths"] = below["paths"] | description["paths"]
                for kind, parts in below["components"].items():
                    description.setdefault("components", {}).setdefault(kind, {}).update(parts)
            self.openapi_schema = description
        return self.openapi_schema

    def _front_door(self) -> ASGIApp:
        root, service = self.settings.dicomweb_root, dicomweb_service(self.settings, self.holder)
        wado_uri = wado_uri_service(self.settings, self.holder)
        if not self.settings.rest:
            return FrontDoor(root, service, super().__call__, others=wado_uri)
        at_root, below = rest_services(self.settings, self.holder, self._running())
        within = dict.fromkeys((one.path.split("/")[1] for one in BELOW_DICOMWEB), below)
        return FrontDoor(
            root, service, super().__call__, others={**dict.fromkeys(ROOTS, at_root), **wado_uri}, within=within
        )

    def _running(self) -> Running:
        return running(self.settings, self._render_metrics, self._stop)

    async def _render_metrics(self) -> bytes:
        return self.metrics.render(await self.holder.gauges())

    def _stop(self, restart: bool) -> None:  # noqa: FBT001 - a callback
        """End as if told by a signal; whoever runs the application looks at `is_to_restart` then."""
        self.is_to_restart = restart
        _logger.info("told by a client to %s", "start again" if restart else "stop")
        signal.raise_signal(signal.SIGTERM)

    def _layered(self) -> ASGIApp:
        """From the outside in: observation, CORS, cross-site guard, users, front door."""
        settings = self.settings
        app = self._front_door()
        if settings.users:
            app = BasicAuthentication(app, settings.users, verify_password, PUBLIC_PATHS)
        app = CrossSiteGuard(app, settings.cors_origins)
        if settings.cors_origins:
            app = Cors(app, settings.cors_origins)
        headers = safety_headers(settings.cors_origins, tls=settings.tls_certificate is not None)
        return Observation(app, self.metrics, request_log(self._writer, settings.log_format), headers)


def create_app(settings: Settings | None = None, writer: LineWriter | None = None) -> Application:
    """The whole server as an ASGI application; it opens the store when it starts and closes it when it stops."""
    settings = settings or Settings()
    app = Application(settings, writer or LineWriter(sys.stderr))
    errors.install(app)
    app.include_router(health_router(app.holder.health))
    if settings.metrics:
        app.include_router(metrics_router(app.metrics, app.holder.gauges))
    if settings.docs:
        app.include_router(docs_router())
    if settings.ui:
        app.router.routes.extend(explorer_routes(settings.dicomweb_root, __version__, rest=settings.rest))
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start: store, DIMSE, jobs. Stop, when HTTP has ended its requests: the other way round."""
    assert isinstance(app, Application)
    settings = app.settings
    async with contextlib.AsyncExitStack() as opened:
        try:
            store = await opened.enter_async_context(open_store(settings, app.metrics))
            opened.callback(_logger.info, "closing the store")
            app.holder.fill(store)
            opened.callback(app.holder.fill, None)
            store.services.ingest.warm_up()
            dimse = await opened.enter_async_context(start_dimse(settings, store, app.metrics))
            # After DIMSE, by which jobs send.
            await opened.enter_async_context(_background(store))
        except (StartError, ServerError) as error:
            app.failure = error
            raise
        for port in dimse.ports if dimse else ():
            _logger.info("listening", extra={"dimse_port": port, "ae_title": settings.ae_title})
        yield


def _without_traceback(send: Send) -> Send:
    async def send_plainly(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            message["message"] = ""
        await send(message)

    return send_plainly


@contextlib.asynccontextmanager
async def _background(store: OpenStore) -> AsyncIterator[None]:
    """What runs beside the requests, for as long as the server does."""
    tasks = [
        asyncio.create_task(store.services.delete.sweep_forever(), name="sweep"),
        asyncio.create_task(store.services.changes.judge_forever(), name="stability"),
        asyncio.create_task(store.services.worklist.tidy_forever(), name="tidy-worklist"),
        asyncio.create_task(store.routing.run_forever(), name="routing"),
        asyncio.create_task(store.sweep_leftovers(time.time()), name="sweep-leftovers"),
        asyncio.create_task(store.services.rendering.warm_up(), name="warm-up-rendering"),
    ]
    try:
        async with store.services.jobs.running():
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
