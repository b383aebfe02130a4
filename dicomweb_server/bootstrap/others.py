"""Settings → all that is served beside the DICOMweb resources, as one application. Loaded when it is needed."""

from starlette.types import ASGIApp

from dicomweb_server.bootstrap.dicomweb import dicomweb_service, wado_uri_service
from dicomweb_server.bootstrap.framework import framework
from dicomweb_server.bootstrap.rest import Stop, rest_services, running
from dicomweb_server.bootstrap.store import Holder
from dicomweb_server.rest.operations import BELOW_DICOMWEB, ROOTS
from dicomweb_server.server.front import FrontDoor
from dicomweb_server.server.metrics import Metrics
from dicomweb_server.settings import Settings


def other_services(settings: Settings, holder: Holder, metrics: Metrics, stop: Stop) -> ASGIApp:
    """WADO-URI, REST and what FastAPI serves; below the root of DICOMweb REST comes first, then DICOMweb again."""
    root, service = settings.dicomweb_root, dicomweb_service(settings, holder)
    wado_uri, own = wado_uri_service(settings, holder), framework(settings, holder, metrics)
    if not settings.rest:
        return FrontDoor(root, service, own, others=wado_uri)

    async def render_metrics() -> bytes:
        return metrics.render(await holder.gauges())

    at_root, below = rest_services(settings, holder, running(settings, render_metrics, stop))
    within = dict.fromkeys((one.path.split("/")[1] for one in BELOW_DICOMWEB), below)
    return FrontDoor(root, service, own, others={**dict.fromkeys(ROOTS, at_root), **wado_uri}, within=within)
