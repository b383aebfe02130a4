"""Settings → the rules of routing, and the service that follows them."""

from dicomweb_server.ports.routing import Via
from dicomweb_server.services import Services
from dicomweb_server.services.routing import Destination, RoutingRule, RoutingService
from dicomweb_server.settings import Settings
from dicomweb_server.settings.routes import Route
from dicomweb_server.storage.store import Store


def routing_service(settings: Settings, store: Store, services: Services) -> RoutingService:
    """The routing of a store, not running yet."""
    rules = [_rule(settings, name, route) for name, route in settings.routes.items()]
    return RoutingService(rules, store.routing, store.index, services.search, services.retrieve, services.jobs)


def _rule(settings: Settings, name: str, route: Route) -> RoutingRule:
    known = settings.modalities.get(route.destination) if route.via in (Via.MODALITY, Via.PRIORS) else None
    return RoutingRule(
        name=name,
        destination=Destination(route.via, route.destination, known.ae_title if known else ""),
        level=route.level,
        match=route.match,
        senders=frozenset(route.senders),
    )
