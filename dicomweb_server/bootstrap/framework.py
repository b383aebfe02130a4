"""Settings → FastAPI's part: health, metrics, documentation and explorer, and the description of everything."""

from typing import Any

from fastapi import FastAPI

from dicomweb_server import __version__
from dicomweb_server.bootstrap.store import Holder
from dicomweb_server.dicomweb.openapi import TAGS, describe
from dicomweb_server.http.framework_errors import install
from dicomweb_server.rest import openapi as rest_openapi
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.server.operations import docs_router, health_router, metrics_router
from dicomweb_server.settings import Settings
from dicomweb_server.ui.ohif import OHIF_LINK, ohif_routes
from dicomweb_server.ui.routes import explorer_routes


class Framework(FastAPI):
    """FastAPI that also describes the services which it does not serve."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
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
        )

    def openapi(self) -> dict[str, Any]:
        """The description of everything: FastAPI's of its own routes, and those of the services at the front door."""
        if self.openapi_schema is None:
            settings, description = self._settings, super().openapi()
            for below in (
                describe(settings.dicomweb_root, settings.wado_uri_root),
                *(rest_openapi.describe(settings.dicomweb_root) if settings.rest else ()),
            ):
                description["paths"] = below["paths"] | description["paths"]
                for kind, parts in below["components"].items():
                    description.setdefault("components", {}).setdefault(kind, {}).update(parts)
            self.openapi_schema = description
        return self.openapi_schema


def framework(settings: Settings, holder: Holder, metrics: Metrics) -> Framework:
    """What FastAPI serves."""
    app = Framework(settings)
    install(app)
    app.include_router(health_router(holder.health))
    if settings.metrics:
        app.include_router(metrics_router(metrics, holder.gauges))
    if settings.docs:
        app.include_router(docs_router())
    if settings.ui:
        viewers = {**({"OHIF": OHIF_LINK} if settings.ohif is not None else {}), **settings.viewer_links}
        routes = explorer_routes(settings.dicomweb_root, __version__, rest=settings.rest, viewers=viewers)
        app.router.routes.extend(routes)
    if settings.ohif is not None:
        app.router.routes.extend(ohif_routes(settings.ohif, settings.dicomweb_root, settings.wado_uri_root or ""))
    return app
