"""DICOM nodes as Orthanc writes them: read, shown and read again."""

import json
from typing import Any

import pytest

from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.ports.peers import Manufacturer, Modality, Service
from dicomweb_server.services.orthanc_modalities import read_modality, written_modality

NODE = {"AET": "A", "Host": "h", "Port": 104}


def test_a_list_is_a_node_that_may_do_everything() -> None:
    assert read_modality(["A", "h", 104]) == Modality("A", "h", 104)
    assert read_modality(["A", "h", "104", "Vitrea"]) == Modality("A", "h", 104, manufacturer=Manufacturer.VITREA)
    assert read_modality(["A", "h", 104, "SiemensSyngoCT"]) == Modality("A", "h", 104)
    assert read_modality(["A", "h", 104, "AgfaImpax"]).manufacturer is Manufacturer.NO_WILDCARD_IN_DATES


def test_an_object_says_all() -> None:
    said = {
        "AllowStore": False, "AllowFindWorklist": False, "AllowNAction": False, "UseDicomTls": True, "LocalAet": "ME",
        "Timeout": 7, "AllowTranscoding": False, "Associations": 3, "MaxAssociations": 4, "Bandwidth": 1000,
        "Unknown": 5,
    }  # fmt: skip
    assert read_modality(NODE | said) == Modality(
        "A",
        "h",
        104,
        allow=frozenset({Service.ECHO, Service.FIND, Service.GET, Service.MOVE}),
        tls=True,
        associations=3,
        timeout=7,
        local_ae_title="ME",
        transcoding=False,
        max_associations=4,
        bandwidth=1000,
    )


def test_what_is_kept_comes_back() -> None:
    for raw in (NODE, NODE | {"AllowStorageCommitment": False, "AllowMove": False, "Timeout": 9, "Manufacturer": "GE"}):
        modality = read_modality(raw)
        assert read_modality(json.loads(json.dumps(written_modality(modality)))) == modality
    shown = written_modality(read_modality(NODE))
    assert {name: shown[name] for name in ("AET", "Host", "Port", "Manufacturer", "LocalAet", "Timeout")} == NODE | {
        "Manufacturer": "Generic", "LocalAet": "", "Timeout": 0,
    }  # fmt: skip
    assert shown["AllowEventReport"] is True


@pytest.mark.parametrize(
    "raw",
    [
        None, 5, "A@h:104", [], ["A", "h"], ["A", "h", 104, "Generic", 5], {}, {"AET": "A", "Host": "h"},
        NODE | {"AET": ""}, NODE | {"AET": "x" * 17}, NODE | {"AET": "a\\b"}, NODE | {"AET": 5}, NODE | {"Host": "a b"},
        NODE | {"Host": "a/b"}, NODE | {"Port": 0}, NODE | {"Port": 65536}, NODE | {"Port": True}, NODE | {"Port": 1.5},
        NODE | {"Port": "x"}, NODE | {"Manufacturer": "Acme"}, NODE | {"AllowEcho": "yes"}, NODE | {"Timeout": -1},
        NODE | {"LocalAet": "x" * 17}, NODE | {"UseDicomTls": 1}, NODE | {"Associations": 0},
        NODE | {"MaxAssociations": -1}, NODE | {"Bandwidth": "fast"},
    ],
)  # fmt: skip
def test_what_is_none_is_refused_in_words(raw: Any) -> None:
    with pytest.raises(ServerError, match="expected is ") as error:
        read_modality(raw)
    assert error.value.reason is Reason.BAD_REQUEST
