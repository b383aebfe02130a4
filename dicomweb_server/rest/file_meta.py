"""The file meta information as Orthanc shows it."""

from collections.abc import Mapping
from typing import Any

from dicomweb_server.dicom.dictionary import public_vr
from dicomweb_server.dicom.orthanc_json import TagFormat, formatted


def file_meta_json(elements: Mapping[int, bytes], form: TagFormat) -> dict[str, Any]:
    """Elements of group 0002 by their raw values, without the binary ones."""
    shown = {f"{tag:08X}": _element(tag, raw) for tag, raw in sorted(elements.items()) if public_vr(tag) != "OB"}
    return formatted(shown, form)


def _element(tag: int, raw: bytes) -> dict[str, Any]:
    vr = public_vr(tag)
    if vr == "UL":
        return {"vr": vr, "Value": [str(int.from_bytes(raw[:4], "little"))]}
    return {"vr": vr, "Value": [raw.decode("latin-1").strip(" \0")]}
