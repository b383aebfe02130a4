"""Editing for tests: plans as clients write them, applied to files."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomweb_server.dicom.deidentify import Deidentification
from dicomweb_server.dicom.deidentify_options import Option
from dicomweb_server.dicom.deidentify_rules import Profile
from dicomweb_server.dicom.edit import Note, edit
from dicomweb_server.dicom.edit_path import edit_path, path_or_pattern
from dicomweb_server.dicom.edit_plan import EditPlan
from dicomweb_server.dicom.edit_value import edit_value
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.modification import Modification
from dicomweb_server.dicom.pseudonyms import Pseudonyms


def plan(
    replace: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    keep: Sequence[str] = (),
    *,
    remove_private: bool = False,
    creator: str = "",
) -> EditPlan:
    """A plan of what a client writes."""
    paths = [(edit_path(name), value) for name, value in (replace or {}).items()]
    return EditPlan(
        tuple((path, edit_value(path, value, creator)) for path, value in paths),
        tuple(map(path_or_pattern, remove)),
        tuple(map(path_or_pattern, keep)),
        remove_private,
        creator,
    )


def apply(file: bytes, change: Modification | Deidentification, note: Note | None = None) -> bytes:
    """The file after an edit."""
    header = open_part10(file)
    edited = edit(header, change.task(header, note))
    data = edited.whole()
    assert len(data) == edited.size == sum(map(len, edited))
    assert b"".join(edited) == data
    return data


def modified(file: bytes, uids: Mapping[str, str] | None = None, **wishes: Any) -> Dataset:
    """What pydicom reads in a file that was modified."""
    return dcmread(BytesIO(apply(file, Modification(plan(**wishes), uids or {}))))


def deidentification(*options: Option, keeps_private: bool = False, **wishes: Any) -> Deidentification:
    """The profile with some options and wishes."""
    return Deidentification(plan(**wishes), Profile(frozenset(options), Pseudonyms(b"secret"), keeps_private))


def anonymized(file: bytes, *options: Option, keeps_private: bool = False, **wishes: Any) -> Dataset:
    """What pydicom reads in a file that was de-identified."""
    return dcmread(BytesIO(apply(file, deidentification(*options, keeps_private=keeps_private, **wishes))))


def item(**attributes: Any) -> Dataset:
    """An item of a sequence."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset
