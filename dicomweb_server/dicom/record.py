"""InstanceRecord: what the index keeps of one instance, as UTF-8 text by column."""

from collections.abc import Mapping
from typing import NamedTuple


class InstanceRecord(NamedTuple):
    """The row of one instance and of its parents, read from its header.

    `values` maps a column of `attributes.ATTRIBUTES` to its text: padding removed, several values joined by a
    backslash, person names with their component groups (`=`), integers in decimal, sequences as the `Value` array of
    their DICOM JSON. An absent or empty attribute has no entry. Extra indexed attributes appear under their tag as
    eight upper-case hex digits.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    values: Mapping[str, str]


class ParsedInstance(NamedTuple):
    """Everything that ingest learns from one instance's bytes, in one pass.

    `metadata`: the DICOM JSON object (PS3.18 Annex F) as UTF-8; its bulk data URIs start with the byte 0x01, which
    stands for the URL of the DICOMweb service root. `frames`: a packed `frames.FrameIndex`.
    """

    record: InstanceRecord
    metadata: bytes
    frames: bytes
