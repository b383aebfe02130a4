"""PURE: which instance a data set says that it is, from its first bytes. Decodes nothing else."""

from dicomweb_server.dicom.elements import locate
from dicomweb_server.dicom.encoding import Encoding
from dicomweb_server.dicom.uids import uid_from
from dicomweb_server.errors import ServerError

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018


def stated_identity(head: bytes, encoding: Encoding) -> tuple[str, str] | None:
    """SOP class and instance UID; None where the first bytes do not tell: deflated, damaged, or further back."""
    if encoding.deflated:
        return None
    class_uid = ""
    position = before = 0
    try:
        while position < len(head):
            tag, _, value, length = locate(head, position, len(head), encoding)
            position = value + length
            if position > len(head) or tag > _SOP_INSTANCE_UID or tag <= before:
                return None
            before = tag
            if tag == _SOP_CLASS_UID:
                class_uid = uid_from(head[value:position])
            elif tag == _SOP_INSTANCE_UID:
                return class_uid, uid_from(head[value:position])
    except ServerError:
        return None
    return None
