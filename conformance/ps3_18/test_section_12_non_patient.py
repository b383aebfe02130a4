"""PS3.18 chapter 12: instances of no patient, category by category."""

import httpx
import pytest

from conformance.multipart import decode
from conformance.non_patient import CLASSES, HANGING_PROTOCOL, color_palette, file, hanging_protocol, instance
from conformance.requirement import requires
from conformance.samples import new_uid, read
from conformance.service import DICOM, JSON, XML, Query, Service, value, values

COMMITTED, FAILED, INSTANCE_UID, UID, SOP_CLASS = "00081199", "00081198", "00081155", "00080018", "00080016"
NAME, PROTOCOLS, PALETTES = "00720002", "/hanging-protocols", "/color-palettes"


def stored(service: Service, data: bytes, path: str = PROTOCOLS) -> httpx.Response:
    response = service.store(data, path=path)
    assert response.status_code == 200, response.text
    return response


@pytest.fixture(scope="module")
def offered(service: Service) -> Service:
    """The service, if it offers hanging protocols."""
    if service.get(PROTOCOLS, accept=JSON).status_code in (404, 405, 501):
        pytest.skip("instances of no patient are not offered")
    return service


@requires("PS3.18 §12.3")
def test_the_capabilities_name_what_is_offered(offered: Service) -> None:
    assert "hanging-protocols" in offered.send("OPTIONS", "/").text


@requires("PS3.18 §12.5.3", "O")
@pytest.mark.parametrize("category", CLASSES)
def test_an_instance_of_each_category_is_stored_and_found(offered: Service, category: str) -> None:
    dataset = instance(CLASSES[category])
    response = stored(offered, file(dataset), f"/{category}")
    assert [value(one, INSTANCE_UID) for one in values(response.json(), COMMITTED)] == [dataset.SOPInstanceUID]
    (found,) = offered.search(f"/{category}", {"SOPInstanceUID": dataset.SOPInstanceUID})
    assert (value(found, UID), value(found, SOP_CLASS)) == (dataset.SOPInstanceUID, CLASSES[category])


@requires("PS3.18 §12.1.1")
def test_an_instance_of_another_category_is_refused(offered: Service) -> None:
    response = offered.store(file(color_palette()), path=PROTOCOLS)
    assert response.status_code == 409
    assert len(values(response.json(), FAILED)) == 1


@requires("PS3.18 §12.5.1.1", "O")
def test_an_instance_is_stored_where_it_belongs_only(offered: Service) -> None:
    protocol = hanging_protocol()
    assert offered.store(file(protocol), path=f"{PROTOCOLS}/{new_uid()}").status_code == 409
    assert offered.store(file(protocol), path=f"{PROTOCOLS}/{protocol.SOPInstanceUID}").status_code == 200


@requires("PS3.18 §12.4.3")
@pytest.mark.parametrize("multipart", [False, True], ids=["alone", "as a part"])
def test_an_instance_is_retrieved(offered: Service, multipart: bool) -> None:
    protocol = hanging_protocol()
    stored(offered, file(protocol))
    response = offered.get(f"{PROTOCOLS}/{protocol.SOPInstanceUID}", accept=DICOM if multipart else "application/dicom")
    assert response.status_code == 200
    data = decode(response)[0].body if multipart else response.content
    assert read(data).HangingProtocolName == "Chest"


@requires("PS3.18 §12.4.3")
@pytest.mark.parametrize("kind", [JSON, "application/dicom+xml"])
def test_its_metadata_are_retrieved(offered: Service, kind: str) -> None:
    protocol = hanging_protocol()
    stored(offered, file(protocol))
    response = offered.get(f"{PROTOCOLS}/{protocol.SOPInstanceUID}", accept=kind)
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, kind)
    assert "Chest with priors" in response.text


@requires("PS3.18 §8.7.3.2", "B")
def test_bulk_data_of_metadata_can_be_had(offered: Service) -> None:
    palette = color_palette()
    stored(offered, file(palette), PALETTES)
    found = offered.get(f"{PALETTES}/{palette.SOPInstanceUID}", accept=JSON).json()
    profile = (found[0] if isinstance(found, list) else found)["00282000"]
    if "InlineBinary" not in profile:
        response = offered.get(offered.relative(profile["BulkDataURI"]), accept="application/octet-stream")
        assert (response.status_code, response.content) == (200, palette.ICCProfile)


@requires("PS3.18 §12.4.3")
@pytest.mark.parametrize("category", CLASSES)
def test_an_unknown_instance_answers_404(offered: Service, category: str) -> None:
    assert offered.get(f"/{category}/{new_uid()}", accept="application/dicom").status_code == 404


@requires("PS3.4 §U.6.1")
@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ({"HangingProtocolName": "Suite*"}, True),
        ({"HangingProtocolName": "suite*"}, False),
        ({"HangingProtocolLevel": "SITE"}, True),
        ({"HangingProtocolLevel": "MANUFACTURER"}, False),
        ({"HangingProtocolDefinitionSequence.Modality": "CT"}, True),
        ({"HangingProtocolDefinitionSequence.Modality": "MR"}, False),
        ({"SOPClassUID": HANGING_PROTOCOL}, True),
        ({"NumberOfPriorsReferenced": "1"}, True),
    ],
    ids=["wildcard", "case", "level", "another level", "sequence", "another item", "class", "number"],
)
def test_keys_match(offered: Service, query: dict[str, str], is_found: bool) -> None:
    protocol = hanging_protocol("Suite")
    stored(offered, file(protocol))
    found = offered.search(PROTOCOLS, query | {"SOPInstanceUID": protocol.SOPInstanceUID})
    assert [value(one, UID) for one in found] == [protocol.SOPInstanceUID] * is_found


@requires("PS3.4 §U.6.1")
def test_an_answer_has_the_return_keys(offered: Service) -> None:
    protocol = hanging_protocol()
    stored(offered, file(protocol))
    (found,) = offered.search(PROTOCOLS, {"SOPInstanceUID": protocol.SOPInstanceUID})
    assert (value(found, NAME), value(found, "00720006"), value(found, "00720014")) == ("Chest", "SITE", 1)
    assert value(values(found, "0072000C")[0], "00080060") == "CT"


@requires("PS3.18 §8.3.4.4")
def test_pages_have_all_instances_once(offered: Service) -> None:
    for _ in range(3):
        stored(offered, file(hanging_protocol("Paged")))
    query = {"HangingProtocolName": "Paged"}
    whole = [value(one, UID) for one in offered.search(PROTOCOLS, query)]
    paged = [
        value(one, UID)
        for offset in range(0, len(whole), 2)
        for one in offered.search(PROTOCOLS, query | {"limit": "2", "offset": str(offset)})
    ]
    assert paged == whole


@requires("PS3.18 §12.6.3", "O")
def test_no_match_is_204_or_an_empty_list(offered: Service) -> None:
    query: Query = {"SOPInstanceUID": new_uid()}
    response = offered.get(PROTOCOLS, accept=JSON, query=query)
    assert (response.status_code, response.content) in ((204, b""), (200, b"[]"))
    assert offered.get(PROTOCOLS, accept=XML, query=query).status_code == 204


@requires("PS3.18 §12.1", "B")
def test_they_are_no_instances_of_studies(offered: Service) -> None:
    protocol = hanging_protocol()
    stored(offered, file(protocol))
    assert offered.search("/instances", {"SOPInstanceUID": protocol.SOPInstanceUID}) == []
