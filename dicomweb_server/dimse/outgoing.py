"""PURE: in which transfer syntaxes a stored instance can go out: what is proposed for it, which context it takes."""

from collections.abc import Iterator, Sequence

from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dimse.negotiation import NATIVE, Context
from dicomweb_server.services.retrieve import StoredInstance

WRITABLE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)  # native encodings that another can be made into


def proposals(instance: StoredInstance) -> Iterator[tuple[str, tuple[str, ...]]]:
    """As it is stored; and what a native encoding can be re-encoded to, in a context of its own: the peer chooses."""
    yield instance.sop_class_uid, (instance.transfer_syntax_uid,)
    if instance.transfer_syntax_uid in NATIVE:
        yield instance.sop_class_uid, WRITABLE


def chosen_context(instance: StoredInstance, contexts: Sequence[Context]) -> Context | None:
    """As it is stored if a context has that, else in a native encoding if it is in another one.

    `contexts`: those that the peer accepted for the instance's SOP class.
    """
    for context in contexts:
        if context.transfer_syntax == instance.transfer_syntax_uid:
            return context
    if instance.transfer_syntax_uid not in NATIVE:
        return None
    return next((each for each in contexts if each.transfer_syntax in WRITABLE), None)
