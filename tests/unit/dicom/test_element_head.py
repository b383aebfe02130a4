"""Heads of elements, against the elements that tests make by hand."""

import pytest

from dicomweb_server.dicom.element_head import ITEM_DELIMITER, SEQUENCE_DELIMITER, element_head, item_head
from dicomweb_server.dicom.elements import VR_BYTES
from tests.encoded import encoded, item


@pytest.mark.parametrize("vr", sorted(VR_BYTES))
def test_head_has_the_form_of_its_vr(vr: str) -> None:
    assert element_head(0x00091001, vr, 6) + b"abcdef" == encoded(0x00091001, vr, b"abcdef")


@pytest.mark.parametrize(("length", "vr"), [(65535, "LO"), (65536, "UN")])
def test_long_value_of_a_short_vr_is_unknown(length: int, vr: str) -> None:
    assert element_head(0x00091001, "LO", length) == encoded(0x00091001, vr, length=length)


def test_heads_of_items() -> None:
    assert item_head(4) + b"abcd" == item(b"abcd")
    assert encoded(0xFFFEE00D, "") == ITEM_DELIMITER
    assert encoded(0xFFFEE0DD, "") == SEQUENCE_DELIMITER
