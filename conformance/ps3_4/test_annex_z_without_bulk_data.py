"""PS3.4 annex Z: C-GET of instances without their bulk data."""

import io

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from conformance.archive import Archive
from conformance.ps3_4.test_annex_c_retrieve import IDENTIFIER_DOES_NOT_MATCH, SUCCESS, Taken
from conformance.query_retrieve import Address, get, identifier
from conformance.requirement import requires
from conformance.samples import CT, ENCAPSULATED_PDF, EXPLICIT, JPEG, SECONDARY_CAPTURE, Sample

WITHOUT_BULK_DATA = "1.2.840.10008.5.1.4.1.2.5."


def got(dimse: Address, one: Sample, sop_class: str, syntax: str = EXPLICIT) -> Dataset:
    """One instance, by its UID alone."""
    taken = Taken()
    asked = identifier("IMAGE", SOPInstanceUID=one.instance)
    *_, final = get(dimse, asked, [(sop_class, [syntax])], taken, WITHOUT_BULK_DATA)
    assert (final.status, final.completed) == (SUCCESS, 1)
    return read_dataset(io.BytesIO(taken.datasets[one.instance]), is_implicit_VR=False, is_little_endian=True)


@requires("PS3.4 §Z.1.3", "O")
def test_the_pixels_are_left_out_and_nothing_else(dimse: Address, archive: Archive) -> None:
    one = archive.ct[0]
    assert "PixelData" in one.dataset
    expected = Dataset(one.dataset)
    del expected.PixelData
    assert got(dimse, one, CT) == expected


@requires("PS3.4 §Z.1.3", "O")
@pytest.mark.parametrize("syntax", [JPEG, EXPLICIT])
def test_without_pixels_their_compression_does_not_matter(dimse: Address, archive: Archive, syntax: str) -> None:
    one = archive.jpeg["basic offset table"]
    found = got(dimse, one, SECONDARY_CAPTURE, syntax)
    assert "PixelData" not in found
    assert (found.Rows, found.NumberOfFrames) == (one.dataset.Rows, one.dataset.NumberOfFrames)


@requires("PS3.4 §Z.1.3", "O")
def test_a_document_is_left_out(dimse: Address, archive: Archive) -> None:
    found = got(dimse, archive.pdf, ENCAPSULATED_PDF)
    assert "EncapsulatedDocument" not in found
    assert found.MIMETypeOfEncapsulatedDocument == "application/pdf"


@requires("PS3.4 §Z.4.2.1.3.1", "O")
def test_a_list_of_instances(dimse: Address, archive: Archive) -> None:
    taken = Taken()
    asked = identifier("IMAGE", SOPInstanceUID=[one.instance for one in archive.ct])
    *_, final = get(dimse, asked, [(CT, [EXPLICIT])], taken, WITHOUT_BULK_DATA)
    assert (final.status, final.completed) == (SUCCESS, 3)
    assert set(taken.instances) == {one.instance for one in archive.ct}


@requires("PS3.4 §Z.4.2.1.3.1", "O")
@pytest.mark.parametrize("level", ["STUDY", "SERIES", ""])
def test_the_level_is_that_of_instances(dimse: Address, archive: Archive, level: str) -> None:
    one = archive.ct[0]
    asked = identifier(level, StudyInstanceUID=one.study, SeriesInstanceUID=one.series, SOPInstanceUID=one.instance)
    *_, final = get(dimse, asked, [(CT, [EXPLICIT])], Taken(), WITHOUT_BULK_DATA)
    assert final.status == IDENTIFIER_DOES_NOT_MATCH or 0xC000 <= final.status < 0xD000
