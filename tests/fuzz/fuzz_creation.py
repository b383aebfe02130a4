"""Whatever the tags and the content: an instance is made that can be parsed, or the request is refused."""

import json
from base64 import b64encode
from io import BytesIO
from typing import Any

from PIL import Image

from dicomweb_server.dicom.content import EMPTY, content_of
from dicomweb_server.dicom.creation import Wish, instance, new_identity, own_document
from dicomweb_server.dicom.directory import Directory, FileReference
from dicomweb_server.dicom.instance import parse_instance
from dicomweb_server.errors import Reason, ServerError

# Refused only when it is stored.
NOT_OURS = (Reason.MISSING_UID, Reason.CANNOT_UNDERSTAND, Reason.UNSUPPORTED_SOP_CLASS)


def fuzz(data: bytes) -> None:
    """Lines `name=value`: tags, items where the name has a "/", the content without a name; then into a DICOMDIR."""
    flags = data[0] if data else 0
    tags: dict[str, Any] = {}
    uri: str | None = None
    for line in data[1:].decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition("=")
        sequence, slash, inner = name.partition("/")
        if slash:
            items = tags.get(sequence)
            tags[sequence] = [*(items if isinstance(items, list) else ()), {inner: value}]
        elif name:
            tags[name] = value
        else:
            uri = value
    try:
        wish = Wish(tags=tags, creator="ACME" if flags & 1 else "", force=bool(flags & 2), interpret=not flags & 4)
        content = EMPTY if uri is None else content_of(uri, encapsulate=bool(flags & 8))
        file = instance(new_identity({}), content, [own_document(wish, {})], (1, 1))
    except ServerError:
        return
    try:
        parsed = parse_instance(file)
    except ServerError as error:
        if error.reason not in NOT_OURS:
            raise
        return
    directory = Directory("FUZZ", extended=True)
    record = parsed.record
    reference = FileReference("IMAGES\\IM0", record.sop_class_uid, record.instance_uid, record.transfer_syntax_uid)
    directory.add(reference, json.loads(parsed.metadata.replace(b"\1", b"")))
    assert len(b"".join(directory.pieces())) == directory.size


def seeds() -> list[bytes]:
    """Tags of every kind, images and documents."""
    images = []
    for form, mode in (("PNG", "RGB"), ("PNG", "L"), ("JPEG", "RGB")):
        stream = BytesIO()
        Image.new(mode, (3, 2)).save(stream, form)
        images.append(f"=data:image/{form.lower()};base64,{b64encode(stream.getvalue()).decode()}")
    texts = (
        "PatientName=A^B=山田\n0009,1001=x\nRows=5\nStudyDate=20240101\n0009,0010=Y",
        "RequestAttributesSequence/ScheduledProcedureStepID=1\nSOPInstanceUID=1.2\nStudyInstanceUID=1.3",
        "SOPClassUID=1.2.840.10008.5.1.4.1.1.88.11\nContentSequence/RelationshipType=HAS CONCEPT MOD\nSeriesNumber=7",
        "ImageComments=data:;base64,aGVs\nPixelSpacing=1\\2\nSelectorATValue=0010,0010",
        "=data:application/pdf;base64,JVBERi0xLjQ=",
        *images,
    )
    return [bytes((flags,)) + text.encode() for text in texts for flags in (0, 3, 15)]
