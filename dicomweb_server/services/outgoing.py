"""Outgoing: the file of a stored instance in the transfer syntax that its receiver wants."""

from dicomweb_server.dicom.pixels.encode import can_encode
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.contents import Content
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.services.transcoding import TranscodingService


def file_in(transcoding: TranscodingService, instance: StoredInstance, transfer_syntax_uid: str) -> Content:
    """The Part 10 file; "" for as it is stored. ServerError(UNSUPPORTED_TRANSFER_SYNTAX) if it cannot be made."""
    wanted = transfer_syntax_uid or instance.transfer_syntax_uid
    if wanted != instance.transfer_syntax_uid and not can_encode(wanted):
        problem = f"what is stored in {instance.transfer_syntax_uid} cannot be sent in {transfer_syntax_uid}"
        raise ServerError(Reason.UNSUPPORTED_TRANSFER_SYNTAX, problem)
    return transcoding.file(instance, wanted)
