"""Data sets of no instance as DICOM JSON."""

import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.data_set_json import data_set_json, read_document
from dicomweb_server.errors import Reason, ServerError
from tests.builders import make_instance
from tests.worklists import encoded, item

IMPLICIT = "1.2.840.10008.1.2"


def test_a_data_set_becomes_json() -> None:
    found = data_set_json(encoded(item(PatientName="Doe^Jane"), implicit=True), IMPLICIT)
    assert found["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_value_that_is_left_to_bulk_data_is_refused(is_nested: bool) -> None:
    large = Dataset()
    large.add_new(0x00091010, "OB", bytes(2000))
    dataset = item()
    if is_nested:
        dataset.RequestAttributesSequence = [large]
    else:
        dataset.update(large)
    with pytest.raises(ServerError, match="large value") as caught:
        data_set_json(encoded(dataset), "1.2.840.10008.1.2.1")
    assert caught.value.reason is Reason.CANNOT_UNDERSTAND


def test_so_is_a_file_with_pixel_data() -> None:
    with pytest.raises(ServerError, match="pixel data"):
        read_document(make_instance())
