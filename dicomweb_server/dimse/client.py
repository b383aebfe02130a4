"""This server where it is the one who asks: the ways to all peers, and what they have in common."""

from dicomweb_server.dimse.destinations import Destinations
from dicomweb_server.dimse.meter import Meter, NoMeter
from dicomweb_server.dimse.options import DimseOptions, Modality
from dicomweb_server.dimse.peer import DimsePeer
from dicomweb_server.dimse.pool import AssociationPool
from dicomweb_server.dimse.scu import ServiceUser
from dicomweb_server.services import Services


class DimseClient:
    """Made once; works whether or not the server listens for DIMSE itself."""

    def __init__(self, services: Services, options: DimseOptions, meter: Meter | None = None) -> None:
        self.user = ServiceUser(services, options, meter or NoMeter(), services.associations)
        self._pool = AssociationPool(self.user)
        self.destinations = Destinations(self.user, self._pool)

    def peer(self, modality: Modality) -> DimsePeer:
        """The way to a modality."""
        return DimsePeer(modality, self.user, self.destinations, self._pool)

    async def close(self) -> None:
        """Release the associations that are kept."""
        await self._pool.close()
