"""What a request wants otherwise of a modality than what is known of it: who we are, how long to wait, and the like."""

import re
from typing import Any

from starlette.requests import Request

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.body import Members
from dicomweb_server.rest.context import Context
from dicomweb_server.services.modalities import Modality, Peer, PeerError
from dicomweb_server.services.sending_kinds import modality_of

_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_TITLES = ("LocalAet", "CalledAet", "MoveOriginatorAet", "TargetAet")
_MOST_SECONDS = 86_400


def wishes(request: Request, members: Members) -> dict[str, Any]:
    """The parameters of a job, or of `peer_for`; ServerError(BAD_REQUEST) for what cannot be."""
    found: dict[str, Any] = {"Modality": request.scope["path_params"]["name"]}
    for name in _TITLES:
        title = members.text(name, "")
        if title and not _AE_TITLE.fullmatch(title):
            raise ServerError(Reason.BAD_REQUEST, f"{name} must be an AE title: 1 to 16 printable ASCII characters")
        found |= {name: title} if title else {}
    host = members.text("Host", "")
    port = members.number("Port", 0, 0, 65_535)
    timeout = members.number("Timeout", 0, 0, _MOST_SECONDS)
    message_id = members.number("MoveOriginatorID", 0, 0, 65_535)
    given = {"Host": host, "Port": port, "Timeout": timeout, "MoveOriginatorID": message_id}
    return found | {name: value for name, value in given.items() if value}


def shown_titles(context: Context, wanted: dict[str, Any]) -> dict[str, str]:
    """Who talks to whom, as jobs show it; ServerError(NOT_FOUND) if there is no such modality."""
    modality = modality_of(context.services.modalities, wanted)
    return {"LocalAet": modality.local_ae_title or context.options.ae_title, "RemoteAet": modality.ae_title}


def peer_for(context: Context, wanted: dict[str, Any]) -> Peer:
    """The way to a modality; ServerError(NOT_FOUND)."""
    modality: Modality = modality_of(context.services.modalities, wanted)
    return context.services.modalities.peer(modality)


def failed(error: PeerError) -> ServerError:
    """How a request fails whose modality did."""
    return ServerError(Reason.PEER_FAILED, str(error))
