"""C-MOVE that a job does later: what was asked for is kept, and sent however often that has to be tried."""

from collections.abc import Sequence

from dicomweb_server.dimse.session import Operation
from dicomweb_server.services.modalities import Modality
from dicomweb_server.services.retrieve import Scope
from dicomweb_server.services.sending import written_scopes
from dicomweb_server.services.sending_kinds import MODALITY_STORE


async def move_later(
    operation: Operation, name: str, modality: Modality, scopes: Sequence[Scope], instances: int
) -> None:
    """Keep a job that sends what scopes have to a modality; ServerError if that cannot be. `instances`: their number.

    `name`: of the modality; `modality`: as who asked is to be served.
    """
    origin, options = operation.terms.origin, operation.terms.options
    await operation.terms.services.jobs.submit(
        MODALITY_STORE,
        {
            "Modality": name,
            "LocalAet": modality.local_ae_title,
            "Scopes": written_scopes(scopes),
            "InstancesCount": instances,
            "Permissive": True,
            "Thorough": True,
            "Asynchronous": True,
            "MoveOriginatorAet": origin.calling_ae_title,
            "MoveOriginatorID": operation.request.message_id or 0,
        },
        user=origin.user,
        content={
            "Description": "C-MOVE",
            "OriginatorAet": origin.calling_ae_title,
            "LocalAet": modality.local_ae_title or options.ae_title,
            "RemoteAet": modality.ae_title,
            "InstancesCount": instances,
            "FailedInstancesCount": 0,
        },
    )
