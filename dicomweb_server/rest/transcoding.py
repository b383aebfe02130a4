"""How requests say which transfer syntax they want files in, and how much may be lost on the way."""

from dicomweb_server.rest.arguments import Arguments
from dicomweb_server.rest.body import Members
from dicomweb_server.rest.table import number, word
from dicomweb_server.services.transcoding import TranscodingWish

_BEST_QUALITY = 100

TRANSCODING_PARAMETERS = (
    word("transcode", "Transfer syntax UID of what comes"),
    number("lossy-quality", "Quality of lossy compression, from 1 to 100"),
)


def transcoding_by_arguments(arguments: Arguments) -> TranscodingWish | None:
    """What the query wants; ServerError(BAD_REQUEST) for what cannot be."""
    quality = arguments.number("lossy-quality", 0, _BEST_QUALITY, least=1) or None
    syntax = arguments.text("transcode")
    return TranscodingWish(syntax, quality) if syntax else None


def transcoding_by_members(members: Members) -> TranscodingWish | None:
    """What the body wants."""
    quality = members.number("LossyQuality", 0, 1, _BEST_QUALITY) or None
    syntax = members.text("Transcode", "")
    return TranscodingWish(syntax, quality) if syntax else None
