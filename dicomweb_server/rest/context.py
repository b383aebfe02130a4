"""Context: what every endpoint of the REST interface is given beside its request."""

from dataclasses import dataclass, field

from dicomweb_server.rest.names import ATTACHMENTS, NUMBERS, Names
from dicomweb_server.rest.running import Running
from dicomweb_server.services import Services


@dataclass(frozen=True, slots=True)
class RestOptions:
    """The settings of the REST interface.

    `stable_age`: seconds without a change after which a patient, study or series is called stable. `check_revisions`:
    what clients gave is changed only by those who name its revision. `max_json_size`: of a JSON body;
    `max_request_size`: of any other, after its content coding was undone.
    """

    name: str = ""
    ae_title: str = "DICOMWEB"
    dimse_port: int = 4242
    http_port: int = 8042
    is_https: bool = False
    has_users: bool = False
    overwrites: bool = False
    dicomweb_root: str = "/dicom-web"
    stable_age: float = 60.0
    check_revisions: bool = False
    metadata: Names = field(default_factory=lambda: Names(NUMBERS, {}))
    attachments: Names = field(default_factory=lambda: Names(ATTACHMENTS, {}))
    retrieve_method: str = "move"
    echo_checks_find: bool = False
    running: Running = field(default_factory=Running)
    max_json_size: int = 1 << 26
    max_request_size: int = 1 << 36
    max_instance_size: int = 1 << 34


@dataclass(frozen=True, slots=True)
class Context:
    """The services, and the options of this adapter."""

    services: Services
    options: RestOptions
