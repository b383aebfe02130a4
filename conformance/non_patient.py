"""Instances of no patient for the suites: hanging protocols, color palettes, and one of each other category."""

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from conformance.samples import new_uid, part10

HANGING_PROTOCOL, COLOR_PALETTE = "1.2.840.10008.5.1.4.38.1", "1.2.840.10008.5.1.4.39.1"
# Category: a storage SOP class of it.
CLASSES = {
    "color-palettes": COLOR_PALETTE,
    "defined-procedure-protocols": "1.2.840.10008.5.1.4.1.1.200.1",
    "hanging-protocols": HANGING_PROTOCOL,
    "implant-templates": "1.2.840.10008.5.1.4.43.1",
    "inventories": "1.2.840.10008.5.1.4.1.1.201.1",
}


def hanging_protocol(name: str = "Chest", **attributes: Any) -> Dataset:
    """One with a definition and a display set; `attributes` by keyword."""
    dataset = instance(HANGING_PROTOCOL)
    dataset.HangingProtocolName, dataset.HangingProtocolDescription = name, f"{name} with priors"
    dataset.HangingProtocolLevel, dataset.HangingProtocolCreator = "SITE", "Müller"
    dataset.HangingProtocolCreationDateTime = "20290101120000"
    dataset.NumberOfPriorsReferenced = 1
    dataset.HangingProtocolDefinitionSequence = [_item(Modality="CT", Laterality="")]
    dataset.HangingProtocolUserIdentificationCodeSequence = []
    dataset.DisplaySetsSequence = [_item(DisplaySetNumber=1, DisplaySetPresentationGroup=1)]
    return _with(dataset, attributes)


def color_palette(label: str = "HOT", **attributes: Any) -> Dataset:
    """One with its three tables and a profile that is too long to be inline."""
    dataset = instance(COLOR_PALETTE)
    dataset.ContentLabel, dataset.ContentDescription, dataset.ContentCreatorName = label, "Hot metal", "Doe^Jane"
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", bytes(range(256)))
    dataset.ICCProfile = bytes(range(256)) * 12
    return _with(dataset, attributes)


def instance(sop_class: str, **attributes: Any) -> Dataset:
    """Of any category, with no more than it needs to be told from others."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, new_uid()
    return _with(dataset, attributes)


def file(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """As a Part 10 file."""
    return part10(dataset, transfer_syntax)


def _item(**attributes: Any) -> Dataset:
    return _with(Dataset(), attributes)


def _with(dataset: Dataset, attributes: dict[str, Any]) -> Dataset:
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset
