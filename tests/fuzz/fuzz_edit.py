"""Fuzzes editing: whatever the bytes, an edit ends with a file or a ServerError, and the repeated edit agrees."""

from dicomweb_server.dicom.deidentify_options import Option
from dicomweb_server.dicom.edit import edit
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.modification import Modification
from dicomweb_server.dicom.repeated_edit import RepeatedEdit
from dicomweb_server.errors import ServerError
from tests.editing import deidentification, plan
from tests.fuzz import fuzz_header

CHANGES = (
    deidentification(),
    deidentification(Option.CLEAN_DESCRIPTORS, Option.CLEAN_STRUCTURED_CONTENT, Option.RETAIN_SAFE_PRIVATE),
    deidentification(Option.RETAIN_MODIFIED_DATES),
    Modification(plan({"InstitutionName": "日本", "0008,1140[*].0008,1155": "1.2"}, ["0010,*"], remove_private=True)),
)


def fuzz(data: bytes) -> None:
    """Every change of a file."""
    for change in CHANGES:
        try:
            header = open_part10(data)
            edited = edit(header, change.task(header))
        except ServerError:
            continue
        whole = edited.whole()
        assert len(whole) == edited.size
        repeated = RepeatedEdit(change)
        for _ in range(3):
            assert repeated.edit(header)[0].whole() == whole


def seeds() -> list[bytes]:
    """Those of the header: every encoding and shape."""
    return fuzz_header.seeds()
