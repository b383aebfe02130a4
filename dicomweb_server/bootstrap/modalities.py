"""Settings → the DIMSE nodes that the configuration names."""

from collections.abc import Iterable

from dicomweb_server.services.modalities import Manufacturer, Modality, Service
from dicomweb_server.settings import Settings


def configured_modalities(settings: Settings) -> dict[str, Modality]:
    """The nodes of the configuration, unless it says that there are none in it."""
    if settings.modalities_in_database:
        return {}
    return {
        name: Modality(
            known.ae_title,
            known.host,
            known.port,
            permissions(known.allow),
            known.tls,
            known.associations,
            Manufacturer(known.manufacturer),
            known.timeout,
            known.local_ae_title,
            known.transcoding,
            known.max_associations,
            known.bandwidth,
        )
        for name, known in settings.modalities.items()
    }


def permissions(words: Iterable[str]) -> frozenset[Service]:
    """What a node may do."""
    return frozenset(Service(word) for word in words)
