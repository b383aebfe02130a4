"""Options of the REST interface in Orthanc's style; a part of the table of options."""

from collections.abc import Mapping
from dataclasses import dataclass

from dicomweb_server.settings.kinds import Seconds, Toggle
from dicomweb_server.settings.numbered_names import ATTACHMENT_NUMBERS, NUMBERS
from dicomweb_server.settings.option import option

_GROUP = "REST"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings:
    """How what clients add to resources is named, and when a resource is called stable."""

    stable_age: float = option(
        _GROUP,
        Seconds(0, 86_400 * 365),
        "A patient, study or series is called stable when nothing was added for this long.",
        default=60.0,
    )
    check_revisions: bool = option(
        _GROUP,
        Toggle(),
        "Metadata and attachments that exist are changed only by those who name their revision in If-Match.",
        default=False,
    )
    user_metadata: Mapping[str, int] = option(
        _GROUP, NUMBERS, "Names of metadata that users may set, with their numbers.", default={}
    )
    user_attachments: Mapping[str, int] = option(
        _GROUP, ATTACHMENT_NUMBERS, "Names of attachments that users may add, with their numbers.", default={}
    )
