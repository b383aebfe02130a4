"""create_app: routers, layers around them, and the order in which everything starts and stops."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dicomweb_server.bootstrap import Holder, OpenStore, dicomweb_service, open_store, start_dimse
from dicomweb_server.bootstrap.access import user_check
from dicomweb_server.bootstrap.dicomweb import dicomweb_options, notifications
from dicomweb_server.dicomweb.resources import SEGMENTS
from dicomweb_server.errors import ServerError, StartError
from dicomweb_server.http.cors import Cors
from dicomweb_server.server.cross_site import CrossSiteGuard
from dicomweb_server.server.deferred import Deferred
from dicomweb_server.server.front import FrontDoor
from dicomweb_server.server.logs import LineWriter
from dicomweb_server.server.lull import lull
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.server.observation import Observation, request_log, safety_headers
from dicomweb_server.server.users import Authentication
from dicomweb_server.settings import Settings

PUBLIC_PATHS = frozenset({"/healthz", "/healthz/live"})
_logger = logging.getLogger("dicomweb_server.server")


class Application:
    """Few and thin layers around the services. DICOMweb is there at once; the others are made when they are needed."""

    def __init__(self, settings: Settings, writer: LineWriter) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.holder = Holder()
        self.is_to_restart = False
        self.failure: StartError | ServerError | None = None
        self.router = Router(lifespan=lambda _app: _lifespan(self))
        self.others = Deferred(self._other_services)
        self._layers = self._layered(writer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests pass our layers; the lifespan is the router's."""
        if scope["type"] == "lifespan":
            await self.router(scope, receive, _without_traceback(send))
        else:
            await self._layers(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The description of everything."""
        from dicomweb_server.bootstrap.framework import framework

        return framework(self.settings, self.holder, self.metrics).openapi()

    def _other_services(self) -> ASGIApp:
        from dicomweb_server.bootstrap.others import other_services

        return other_services(self.settings, self.holder, self.metrics, self._stop)

    def _stop(self, restart: bool) -> None:  # noqa: FBT001 - a callback
        """End as if told by a signal; whoever runs the application looks at `is_to_restart` then."""
        self.is_to_restart = restart
        _logger.info("told by a client to %s", "start again" if restart else "stop")
        signal.raise_signal(signal.SIGTERM)

    def _layered(self, writer: LineWriter) -> ASGIApp:
        """From the outside in: observation, CORS, cross-site guard, users, front door."""
        settings = self.settings
        root, service = settings.dicomweb_root, dicomweb_service(settings, self.holder)
        app: ASGIApp = FrontDoor(
            root,
            self.others,
            self.others,
            within=dict.fromkeys(SEGMENTS, service),
            web_sockets=notifications(settings, self.holder),
        )
        users = user_check(settings)
        if users is not None:
            app = Authentication(app, users, PUBLIC_PATHS)
        app = CrossSiteGuard(app, settings.cors_origins, dicomweb_options(settings).service_url)
        if settings.cors_origins:
            app = Cors(app, settings.cors_origins)
        headers = safety_headers(settings.cors_origins, tls=settings.tls_certificate is not None)
        return Observation(app, self.metrics, request_log(writer, settings.log_format), headers)


def create_app(settings: Settings | None = None, writer: LineWriter | None = None) -> Application:
    """The whole server as an ASGI application; it opens the store when it starts and closes it when it stops."""
    return Application(settings or Settings(), writer or LineWriter(sys.stderr))


@contextlib.asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    """Start: store, DIMSE, jobs. Stop, when HTTP has ended its requests: the other way round."""
    settings = app.settings
    async with contextlib.AsyncExitStack() as opened:
        try:
            if settings.ohif is not None:
                from dicomweb_server.ui.ohif import check_build  # rarely needed

                check_build(settings.ohif)
            store = await opened.enter_async_context(open_store(settings, app.metrics))
            opened.callback(_logger.info, "closing the store")
            app.holder.fill(store)
            opened.callback(app.holder.fill, None)
            dimse = await opened.enter_async_context(start_dimse(settings, store, app.metrics))
            if dimse is None:  # which tells all subscribers, those by the web too
                await store.services.workitems.announce("RESTARTED")
            # After DIMSE, by which jobs send.
            await opened.enter_async_context(_background(store, app.others))
        except (StartError, ServerError) as error:
            app.failure = error
            raise
        for port, ae_titles in dimse.ae_titles.items() if dimse else ():
            _logger.info("listening", extra={"dimse_port": port, "ae_title": ", ".join(ae_titles)})
        yield


def _without_traceback(send: Send) -> Send:
    async def send_plainly(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            message["message"] = ""
        await send(message)

    return send_plainly


async def _warm_up(store: OpenStore, others: Deferred) -> None:
    """Load what was left out to start soon, before someone has to wait for it.

    Not while clients that waited for the server to start need all processors; who needs it then is served all the same.
    """
    await lull()
    await store.store.warm_up()
    await others.made()
    store.services.ingest.warm_up()
    await store.services.rendering.warm_up()


@contextlib.asynccontextmanager
async def _background(store: OpenStore, others: Deferred) -> AsyncIterator[None]:
    """What runs beside the requests, for as long as the server does."""
    tasks = [
        asyncio.create_task(store.services.delete.sweep_forever(), name="sweep"),
        asyncio.create_task(store.services.changes.judge_forever(), name="stability"),
        asyncio.create_task(store.services.worklist.tidy_forever(), name="tidy-worklist"),
        asyncio.create_task(store.services.workitem_tidying.tidy_forever(), name="tidy-workitems"),
        asyncio.create_task(store.services.workitem_channels.run_forever(), name="workitem-channels"),
        asyncio.create_task(store.services.commitment_requests.answer_forever(), name="storage-commitment"),
        asyncio.create_task(store.routing.run_forever(), name="routing"),
        asyncio.create_task(store.worklist_import.run_forever(), name="import-worklist"),
        asyncio.create_task(store.sweep_leftovers(time.time()), name="sweep-leftovers"),
        asyncio.create_task(_warm_up(store, others), name="warm-up"),
    ]
    try:
        async with store.services.jobs.running():
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
