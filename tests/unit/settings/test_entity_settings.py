"""Further application entities, as text, in TOML, and from Orthanc's multitenant plugin."""

import json
from pathlib import Path

import pytest

from dicomweb_server.bootstrap.dimse import dimse_options
from dicomweb_server.dicom.query import LabelsConstraint, View
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.settings import SettingsError, load

TOML = """
[application_entities.north]
ae_title = "NORTH"
port = 4343
labels = ["north", "all"]
labels_constraint = "any"
label_levels = ["series"]
callers = ["WARD"]
"""


def test_as_text() -> None:
    entities = load({"application_entities": "a=NORTH@4343,b=SOUTH"}).settings.application_entities
    assert [(each.ae_title, each.port, each.labels) for each in entities.values()] == [
        ("NORTH", 4343, ()),
        ("SOUTH", None, ()),
    ]


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text(TOML)
    (entity,) = dimse_options(load(config=path).settings).entities
    assert (entity.ae_title, entity.port, entity.callers) == ("NORTH", 4343, frozenset({"WARD"}))
    assert entity.view == View(("north", "all"), LabelsConstraint.ANY)
    assert entity.labels == ((1, "north"), (1, "all"), (2, "north"), (2, "all"))
    assert Service.WORKLIST not in entity.allow  # which has no labels
    assert Service.GET in entity.allow


def test_a_view_of_what_is_not_labelled_labels_nothing(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text('[application_entities.rest]\nae_title = "REST"\nlabels = ["a"]\nlabels_constraint = "none"\n')
    (entity,) = dimse_options(load(config=path).settings).entities
    assert entity.view == View(("a",), LabelsConstraint.NONE)
    assert entity.labels == ()


@pytest.mark.parametrize(
    "text",
    ["a", "a=", "a=NORTH@x", "a=NORTH@70000", "a=A\\B", "a=TOO LONG A TITLE FOR AN AE"],
)
def test_what_is_no_entity_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="application_entities"):
        load({"application_entities": text})


@pytest.mark.parametrize("line", ['labels = ["ä"]', 'label_levels = ["frame"]', "tls = true", "other = 1"])
def test_wrong_members_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "server.toml"
    path.write_text(f'[application_entities.a]\nae_title = "A"\n{line}\n')
    with pytest.raises(SettingsError, match="application_entities"):
        load(config=path)


def test_contradictions(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"application_entities\.a has a port of the server's"):
        load({"application_entities": "a=NORTH@4242"})
    path = tmp_path / "server.toml"
    path.write_text('[application_entities.a]\nae_title = "A"\nport = 4343\ntls = true\n')
    with pytest.raises(SettingsError, match=r"application_entities\.a has tls without dimse_tls_port"):
        load(config=path)


def test_multitenant_plugin(tmp_path: Path) -> None:
    server = {"AET": "HELLO", "Port": 4343, "Labels": ["hello"]}
    more = {"LabelsConstraint": "Any", "LabelsStoreLevels": ["Patient", "Study"]}
    path = tmp_path / "orthanc.json"
    path.write_text(json.dumps({"MultitenantDicom": {"Servers": [server | more, server | {"AET": "B", "Port": 1}]}}))
    loaded = load(config=path)
    assert loaded.warnings == ()
    first, second = dimse_options(loaded.settings).entities
    assert (first.ae_title, first.port, first.view) == ("HELLO", 4343, View(("hello",), LabelsConstraint.ANY))
    assert first.labels == ((0, "hello"), (1, "hello"))
    assert (second.ae_title, second.view) == ("B", View(("hello",)))
    wrongs: tuple[object, ...] = ({}, [{"AET": "A"}], [server | {"Indexer": True}])
    for wrong in wrongs:
        path.write_text(json.dumps({"MultitenantDicom": {"Servers": wrong}}))
        with pytest.raises(SettingsError, match=r"MultitenantDicom\.Servers"):
            load(config=path)
