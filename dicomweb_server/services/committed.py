"""Committed: what another server answers for may be deleted here."""

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.index import Scope
from dicomweb_server.services import Services
from dicomweb_server.services.commitment import AskedCommitment
from dicomweb_server.services.verification import AT_ONCE


def is_committed(asked: AskedCommitment) -> bool:
    """Whether the other server answers for all that it was asked for."""
    return asked.is_answered and not asked.failed and set(asked.references) <= set(asked.committed)


async def delete_committed(asked: AskedCommitment, services: Services) -> None:
    """Delete the instances of a request that was answered for; those that are gone already are no matter."""
    for start in range(0, len(asked.references), AT_ONCE):
        batch = asked.references[start : start + AT_ONCE]
        found = await services.verification.places(batch)
        for scope in [scope for reference in batch for scope in found.get(reference.instance_uid, ())]:
            await _deleted(scope, services)


async def _deleted(scope: Scope, services: Services) -> None:
    try:
        await services.delete.delete(scope)
    except ServerError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
