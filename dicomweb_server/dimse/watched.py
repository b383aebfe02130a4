"""An association as those who run the server see it: who it is with, what has passed, and its end at their word."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from dicomweb_server.dimse.connection import Connection
from dicomweb_server.services.associations import Associations, OpenAssociation, Part


@dataclass(frozen=True, slots=True)
class Watched:
    """`operations`: those of the peer, as they end."""

    connection: Connection
    part: Part
    calling_ae_title: str
    called_ae_title: str
    contexts: int
    operations: Mapping[str, int]
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def describe(self) -> OpenAssociation:
        """How it stands."""
        return OpenAssociation(
            self.part,
            self.calling_ae_title,
            self.called_ae_title,
            self.connection.address,
            asyncio.get_running_loop().time() - self.began,
            self.contexts,
            self.connection.bytes_received,
            self.connection.bytes_sent,
            dict(self.operations),
        )

    def abort(self, why: str) -> None:
        """A-ABORT; what is under way fails."""
        self.connection.abort(why)

    def is_in(self, associations: Associations) -> None:
        """Be seen among these as long as the connection lasts."""
        number = associations.add(self)
        self.connection.closed.add_done_callback(lambda _: associations.remove(number))
