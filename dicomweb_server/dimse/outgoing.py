"""PURE: in which transfer syntaxes a stored instance can go out: what is proposed for it, which context it takes."""

from collections.abc import Iterator, Sequence

from dicomweb_server.dicom.frames import FrameIndex
from dicomweb_server.dicom.uids import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    JPEG_BASELINE,
    JPEG_XL_RECOMPRESSION,
    TRANSFER_SYNTAXES,
    transfer_syntax,
)
from dicomweb_server.dimse.negotiation import NATIVE, Context
from dicomweb_server.services.retrieve import StoredInstance
from dicomweb_server.services.sendable import Sendable

WRITABLE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
# What is sent in rather than not at all; compressing without losses, only what has pixels.
_LAST_RESORT = tuple(f"1.2.840.10008.1.2.4.{last}" for last in ("70", "80", "90", "201", "57", "202"))


def proposals(instance: Sendable, *, transcoding: bool = True) -> Iterator[tuple[str, tuple[str, ...]]]:
    """As it is stored; and what it can be made into, in a context of its own: the peer chooses.

    `transcoding`: whether pixels may be coded otherwise; a native encoding can become another one in any case.
    """
    yield instance.sop_class_uid, (instance.transfer_syntax_uid,)
    if transcoding and instance.transfer_syntax_uid == JPEG_XL_RECOMPRESSION:
        yield instance.sop_class_uid, (JPEG_BASELINE,)
    if _can_change(instance, transcoding=transcoding):
        yield instance.sop_class_uid, WRITABLE


def chosen_context(instance: Sendable, contexts: Sequence[Context], *, transcoding: bool = True) -> Context | None:
    """As it is stored if a context has that, else in a native encoding, else in one that loses nothing.

    What is recompressed goes out as the JPEG that it was made of, if it can.
    `contexts`: those that the peer accepted for the instance's SOP class.
    """
    for context in contexts:
        if context.transfer_syntax == instance.transfer_syntax_uid:
            return context
    if not _can_change(instance, transcoding=transcoding):
        return None
    was_jpeg = transcoding and instance.transfer_syntax_uid == JPEG_XL_RECOMPRESSION
    wanted = [*([JPEG_BASELINE] if was_jpeg else []), *WRITABLE, EXPLICIT_VR_BIG_ENDIAN]
    if transcoding and isinstance(instance, StoredInstance) and FrameIndex.unpack(instance.frames).tag:
        wanted += _LAST_RESORT
    by_syntax = {context.transfer_syntax: context for context in reversed(contexts)}
    return next((by_syntax[uid] for uid in wanted if uid in by_syntax), None)


def bare_context(instance: Sendable, contexts: Sequence[Context]) -> Context | None:
    """For a data set without its pixels, whose compression means nothing then."""
    encoding = transfer_syntax(instance.transfer_syntax_uid).encoding
    wanted = [] if encoding.deflated else [instance.transfer_syntax_uid]
    if encoding.explicit and encoding.little_endian:
        wanted.append(EXPLICIT_VR_LITTLE_ENDIAN)
    by_syntax = {context.transfer_syntax: context for context in reversed(contexts)}
    return next((by_syntax[uid] for uid in reversed(wanted) if uid in by_syntax), None)


def _can_change(instance: Sendable, *, transcoding: bool) -> bool:
    if not transcoding:
        return instance.transfer_syntax_uid in NATIVE
    syntax = TRANSFER_SYNTAXES.get(instance.transfer_syntax_uid)
    return syntax is not None and not syntax.media_type.startswith("video/") and "JPIP" not in syntax.name
