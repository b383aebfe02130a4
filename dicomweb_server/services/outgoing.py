"""Outgoing: the file of a stored instance in the transfer syntax that its receiver wants."""

from dicomweb_server.dicom.uids import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.services.contents import Content
from dicomweb_server.services.retrieve import RetrieveService, StoredInstance

_NATIVE = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
_WRITABLE = frozenset({EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN})


def file_in(retrieve: RetrieveService, instance: StoredInstance, transfer_syntax_uid: str) -> Content:
    """The Part 10 file; "" for as it is stored. ServerError(UNSUPPORTED_TRANSFER_SYNTAX) if it cannot be made."""
    if transfer_syntax_uid in ("", instance.transfer_syntax_uid):
        return retrieve.file(instance)
    if instance.transfer_syntax_uid in _NATIVE and transfer_syntax_uid in _WRITABLE:
        return retrieve.native_file(instance, transfer_syntax_uid)
    raise ServerError(
        Reason.UNSUPPORTED_TRANSFER_SYNTAX,
        f"what is stored in {instance.transfer_syntax_uid} cannot be sent in {transfer_syntax_uid}",
    )
