"""Which ports there are, and who is called at them."""

from pathlib import Path

from dicomweb_server.dicom.query import View
from dicomweb_server.dimse.contexts import Service
from dicomweb_server.dimse.entities import doors
from dicomweb_server.dimse.options import ApplicationEntity, DimseOptions, TlsOptions

TLS = TlsOptions(2762, Path("certificate.pem"))
NORTH = ApplicationEntity("NORTH", view=View(("north",)), labels=((1, "north"),), allow=frozenset({Service.FIND}))
EAST, WEST = ApplicationEntity("EAST", 4343, tls=True), ApplicationEntity("WEST", 4344)
OURS = DimseOptions(
    ae_title="US", other_ae_titles=("WE",), port=4242, tls=TLS, entities=(NORTH, EAST, WEST), ae_title_case=False
)


def test_an_entity_without_a_port_is_called_at_those_of_the_server() -> None:
    plain, tls, east, west = doors(OURS)
    assert [(door.port, door.tls) for door in (plain, tls, east, west)] == [
        (4242, False),
        (2762, True),
        (4343, True),
        (4344, False),
    ]
    assert plain.ae_titles == tls.ae_titles == ("US", "NORTH")
    for title, called in (("US", "US"), ("WE", "US"), ("north", "NORTH"), ("WEST", "US"), ("OTHER", "US")):
        assert plain.called(title).ae_title == called
    assert east.called("OTHER").ae_title == "EAST"
    north = plain.called("NORTH")
    assert (north.view, north.labels, north.allow) == (NORTH.view, NORTH.labels, NORTH.allow)
    assert (north.other_ae_titles, north.local_ae_title) == ((), "NORTH")
    assert plain.called("US").view is None


def test_where_several_share_a_port_of_theirs_the_title_must_be_right() -> None:
    shared = (ApplicationEntity("EAST", 4343), ApplicationEntity("WEST", 4343))
    (door,) = doors(DimseOptions(port=None, entities=shared))
    assert door.ae_titles == ("EAST", "WEST")
    assert all(each.check_called_ae_title for each in door.entities)
    assert door.called("WEST").ae_title == "WEST"


def test_without_a_port_of_the_server_only_those_with_one_are_there() -> None:
    assert [door.ae_titles for door in doors(DimseOptions(port=None, entities=(NORTH, WEST)))] == [("WEST",)]
