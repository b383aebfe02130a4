"""Routes as a configuration writes them."""

import pytest

from dicomweb_server.dicom.attributes import Level
from dicomweb_server.ports.routing import Via
from dicomweb_server.settings.routes import Route, Routes


def test_a_table_and_a_text() -> None:
    table = {
        "heads": {
            "to": "modality:pacs",
            "when": "study",
            "match": {"ModalitiesInStudy": "CT", "StudyDescription": "*HEAD*"},
            "from": ["CT1"],
        }
    }
    keys = (("ModalitiesInStudy", "CT"), ("StudyDescription", "*HEAD*"))
    assert Routes().read(table) == {"heads": Route(Via.MODALITY, "pacs", Level.STUDY, keys, ("CT1",))}
    assert Routes().read("a=peer:x, b=dicomweb:y") == {"a": Route(Via.PEER, "x"), "b": Route(Via.DICOMWEB, "y")}
    assert Routes().read("a=priors:x") == {"a": Route(Via.PRIORS, "x", Level.STUDY)}
    assert Routes().read({}) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        ["a"],
        "a",
        {"a": "modality:x"},
        {"a": {}},
        {"a": {"to": "x"}},
        {"a": {"to": "fax:x"}},
        {"a": {"to": "modality:"}},
        {"a": {"to": "modality:x", "when": "patient"}},
        {"a": {"to": "modality:x", "match": ["CT"]}},
        {"a": {"to": "modality:x", "match": {"Nothing": "CT"}}},
        {"a": {"to": "modality:x", "match": {"limit": "5"}}},
        {"a": {"to": "modality:x", "from": ["much too long to be an AE title"]}},
        {"a": {"to": "modality:x", "else": "y"}},
        {"a": {"to": "priors:x", "when": "study"}},
    ],
)
def test_what_is_no_route(wrong: object) -> None:
    with pytest.raises(ValueError):
        Routes().read(wrong)
