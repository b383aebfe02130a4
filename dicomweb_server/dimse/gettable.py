"""PURE: the presentation contexts that a C-GET of ours proposes for what it may bring: 127 at most."""

from collections.abc import Iterator, Sequence

from dicomweb_server.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicomweb_server.dimse.contexts import STORAGE_CLASSES, is_storage
from dicomweb_server.dimse.items import MOST_CONTEXTS

_ROOT = "1.2.840.10008.5.1.4.1.1."
# What archives mostly hold; where they do not say, these are proposed before the others.
_COMMON = tuple(
    _ROOT + last
    for last in (
        "2", "2.1", "4", "4.1", "7", "1", "1.1", "1.2", "6.1", "3.1", "12.1", "12.2", "20", "128", "130",
        "88.11", "88.22", "88.33", "88.34", "88.59", "88.67", "11.1", "11.2", "66", "66.4", "66.1", "66.2",
        "7.1", "7.2", "7.3", "7.4", "77.1.1", "77.1.2", "77.1.4", "77.1.5.1", "77.1.5.4", "77.1.6",
        "104.1", "104.2", "104.3", "9.1.1", "9.1.2", "481.1", "481.2", "481.3", "481.5", "13.1.3", "2.2", "4.4",
    )
)  # fmt: skip
# A context of its own for each: where there is one for a compressed instance, it comes as it is.
_NATIVE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
_COMPRESSED = ("4.70", "4.50", "4.90", "4.80", "4.91", "5", "4.57", "4.51", "4.81", "4.201", "4.203", "4.100", "4.102")
_SYNTAXES = (_NATIVE, *((f"1.2.840.10008.1.2.{last}",) for last in _COMPRESSED))


def storage_proposals(sop_classes: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Contexts for these classes, or for the usual ones if none are known; room that is left is for compressed ones."""
    known = [uid for uid in dict.fromkeys(sop_classes) if is_storage(uid)]
    classes = (known or list(_usual()))[: MOST_CONTEXTS - 1]
    syntaxes = _SYNTAXES[: max(1, (MOST_CONTEXTS - 1) // len(classes))]
    return [(uid, each) for each in syntaxes for uid in classes]


def _usual() -> Iterator[str]:
    yield from _COMMON
    yield from sorted(STORAGE_CLASSES - set(_COMMON))
