"""PS3.18 §10.4.1.1.2: metadata of studies, series and instances."""

from xml.etree import ElementTree

import pytest

from conformance.archive import Archive
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.service import JSON, OCTETS, XML, Service, value

NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@requires("PS3.18 §10.4.1.1.2")
@pytest.mark.parametrize("level", ["study_path", "series_path", "path"])
def test_metadata_has_one_data_set_for_each_instance(service: Service, archive: Archive, level: str) -> None:
    expected = {"study_path": archive.first_study, "series_path": archive.ct, "path": archive.ct[:1]}[level]
    found = [value(one, "00080018") for one in service.metadata(getattr(archive.ct[0], level))]
    assert sorted(found) == sorted(one.instance for one in expected)


@requires("PS3.18 §10.4.1.1.2")
def test_instances_of_a_series_come_in_a_stable_order(service: Service, archive: Archive) -> None:
    found = [value(one, "00080018") for one in service.metadata(archive.ct[0].series_path)]
    assert found == [value(one, "00080018") for one in service.metadata(archive.ct[0].series_path)]


@requires("PS3.18 §10.4.1.1.2", "B")
def test_instances_of_a_series_come_by_instance_number(service: Service, archive: Archive) -> None:
    assert [value(one, "00200013") for one in service.metadata(archive.ct[0].series_path)] in ([1, 2, 3], list("123"))


@requires("PS3.18 §10.4.1.1.2")
def test_metadata_has_all_attributes_but_bulk(service: Service, archive: Archive) -> None:
    metadata = service.metadata(archive.ct[0].path)[0]
    tags = {f"{element.tag:08X}" for element in archive.ct[0].dataset}
    assert tags - set(metadata) == set()


@requires("PS3.18 §10.4.1.1.2", "B")
@pytest.mark.parametrize("name", ["ct", "colour", "jpeg", "floats", "bits"])
def test_metadata_never_has_pixel_data_inline(service: Service, archive: Archive, name: str) -> None:
    one = {"ct": archive.ct[0], "jpeg": archive.jpeg["basic offset table"]}.get(name) or getattr(archive, name)
    metadata = service.metadata(one.path)[0]
    pixels = [metadata.get(tag, {}) for tag in ("7FE00008", "7FE00009", "7FE00010")]
    assert not [element for element in pixels if "InlineBinary" in element or "Value" in element]


@requires("PS3.18 §10.4.1.1.5")
@pytest.mark.parametrize("tag", ["00111002", "7FE00010"])
def test_a_bulk_data_uri_leads_to_the_value(service: Service, archive: Archive, tag: str) -> None:
    uri = service.metadata(archive.ct[0].path)[0][tag]["BulkDataURI"]
    assert service.get(service.relative(uri), accept=OCTETS).status_code == 200


@requires("PS3.18 §10.4.1.1.2", "B")
def test_a_private_bulk_value_has_a_uri(service: Service, archive: Archive) -> None:
    metadata = service.metadata(archive.ct[0].path)[0]
    assert set(metadata["00111002"]) == {"vr", "BulkDataURI"}


@requires("PS3.18 §10.4.1.1.2", "B")
def test_includefield_limits_metadata(service: Service, archive: Archive) -> None:
    response = service.get(
        archive.ct[0].path + "/metadata", accept=JSON, query={"includefield": "SliceLocation,00280010"}
    )
    found = set(response.json()[0])
    assert {"00201041", "00280010"} <= found
    assert "00280011" not in found


@requires("PS3.18 §8.7.3.5")
def test_xml_metadata_is_one_native_model_for_each_instance(service: Service, archive: Archive) -> None:
    parts = decode(service.get(archive.ct[0].series_path + "/metadata", accept=XML))
    assert [ElementTree.fromstring(part.body).tag for part in parts] == [NATIVE + "NativeDicomModel"] * 3


@requires("PS3.19 §A.1")
def test_xml_metadata_names_keyword_and_vr(service: Service, archive: Archive) -> None:
    body = decode(service.get(archive.ct[0].path + "/metadata", accept=XML))[0].body
    rows = ElementTree.fromstring(body).find(f"{NATIVE}DicomAttribute[@tag='00280010']")
    assert rows is not None
    assert (rows.get("keyword"), rows.get("vr"), rows.findtext(NATIVE + "Value")) == ("Rows", "US", "16")


@requires("PS3.19 §A.1")
def test_xml_metadata_has_the_parts_of_a_person_name(service: Service, archive: Archive) -> None:
    body = decode(service.get(archive.japanese.path + "/metadata", accept=XML))[0].body
    name = ElementTree.fromstring(body).find(f"{NATIVE}DicomAttribute[@tag='00100010']/{NATIVE}PersonName")
    assert name is not None
    assert name.findtext(f"{NATIVE}Ideographic/{NATIVE}FamilyName") == "山田"


@requires("PS3.19 §A.1")
def test_xml_metadata_numbers_values_and_items(service: Service, archive: Archive) -> None:
    body = decode(service.get(archive.ct[0].path + "/metadata", accept=XML))[0].body
    spacing = ElementTree.fromstring(body).findall(f"{NATIVE}DicomAttribute[@tag='00280030']/{NATIVE}Value")
    assert [(one.get("number"), float(one.text or "nan")) for one in spacing] == [("1", 0.5), ("2", 0.25)]


@requires("PS3.19 §A.1")
def test_xml_metadata_names_the_private_creator(service: Service, archive: Archive) -> None:
    body = decode(service.get(archive.ct[0].path + "/metadata", accept=XML))[0].body
    private = ElementTree.fromstring(body).findall(f"{NATIVE}DicomAttribute[@privateCreator='CONFORMANCE SUITE']")
    tags = {one.get("tag", "") for one in private}
    assert {tag[:4] + tag[6:] for tag in tags} >= {"001101", "001102"}


@requires("PS3.19 §A.1")
def test_xml_metadata_refers_to_bulk_data(service: Service, archive: Archive) -> None:
    body = decode(service.get(archive.ct[0].path + "/metadata", accept=XML))[0].body
    bulk = ElementTree.fromstring(body).find(f"{NATIVE}DicomAttribute[@tag='7FE00010']/{NATIVE}BulkData")
    assert bulk is not None
    assert service.get(service.relative(bulk.get("uri", "")), accept=OCTETS).status_code == 200
