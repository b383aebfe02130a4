"""Rules for what arrives, as a configuration writes them."""

import pytest

from dicomweb_server.settings.ingest_rules import IngestRule, IngestRules

HTJ2K, JPEG = "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.50"


def test_a_table_and_a_text() -> None:
    table = {
        "mammography": {"to": "none", "modality": ["MG"]},
        "ward": {"to": JPEG, "modality": ["US"], "sop_class": ["1.2.3.*"], "from": ["WARD1", "WARD 2"]},
        "rest": {"to": HTJ2K},
    }
    read = IngestRules().read(table)
    assert list(read.items()) == [
        ("mammography", IngestRule(None, ("MG",))),
        ("ward", IngestRule(JPEG, ("US",), ("1.2.3.*",), ("WARD1", "WARD 2"))),
        ("rest", IngestRule(HTJ2K)),
    ]
    text = IngestRules().read(f"MG=none, CT={HTJ2K}")
    assert text == {"MG": IngestRule(None, ("MG",)), "CT": IngestRule(HTJ2K, ("CT",))}
    assert IngestRules().read({}) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        ["a"],
        "CT",
        "ct=none",
        {"a": HTJ2K},
        {"a": {"modality": ["CT"]}},
        {"a": {"to": "jpeg"}},
        {"a": {"to": HTJ2K, "modality": ["computed tomography"]}},
        {"a": {"to": HTJ2K, "sop_class": ["CTImageStorage"]}},
        {"a": {"to": HTJ2K, "from": ["much too long to be an AE title"]}},
        {"a": {"to": HTJ2K, "when": "study"}},
    ],
)
def test_what_is_no_rule(wrong: object) -> None:
    with pytest.raises(ValueError):
        IngestRules().read(wrong)
