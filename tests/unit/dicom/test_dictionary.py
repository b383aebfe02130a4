import pytest

from dicomweb_server.dicom.dictionary import US_OR_SS, keyword_of, private_vr, public_vr, tags_by_keyword


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100010, "PN"),
        (0x7FE00010, "OW"),  # implicit VR has words (PS3.5 §A.1)
        (0x00283006, "OW"),
        (0x00280106, US_OR_SS),
        (0x60003000, "OW"),
        (0x60023000, "OW"),
        (0x60020010, "US"),
        (0x50040005, "US"),
        (0x00203100, "CS"),
        (0x00080000, "UL"),
        (0x00980000, "UL"),
        (0x00981234, "UN"),
        (0xFFFCFFFC, "OB"),
    ],
)
def test_public_tags_have_the_vr_of_the_standard(tag: int, vr: str) -> None:
    assert public_vr(tag) == vr


@pytest.mark.parametrize(
    ("creator", "tag", "vr"),
    [
        ("SIEMENS CSA HEADER", 0x00291010, "OB"),
        ("SIEMENS CSA HEADER", 0x00291110, "OB"),
        ("SIEMENS CSA HEADER", 0x00290010, "LO"),
        ("SIEMENS CSA HEADER", 0x002910F7, "UN"),
        ("nobody", 0x00291010, "UN"),
        ("", 0x00290010, "LO"),
        ("", 0x00290000, "UL"),
    ],
)
def test_private_tags_have_the_vr_of_their_creator(creator: str, tag: int, vr: str) -> None:
    assert private_vr(creator, tag) == vr


@pytest.mark.parametrize(
    ("tag", "keyword"),
    [(0x00100010, "PatientName"), (0x60023000, "OverlayData"), (0x00291010, ""), (0x50110005, ""), (0x00981234, "")],
)
def test_keywords_of_tags(tag: int, keyword: str) -> None:
    assert keyword_of(tag) == keyword


def test_keywords_lead_back_to_their_tags() -> None:
    found = tags_by_keyword()
    assert found["PatientName"] == 0x00100010
    assert "" not in found
    assert all(keyword_of(tag) == keyword for keyword, tag in found.items())
