"""PS3.18 §10.6: the six resources, the attributes of their matches, paging and order."""

from xml.etree import ElementTree

import pytest

from conformance.archive import PRIVATE_CREATOR, Archive
from conformance.cost import Clock, at_most
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.samples import make, new_uid, sample
from conformance.service import JSON, XML, DicomJson, Service, value, values

LAST_OF_OFFSETS = "9223372036854775808"


def resources(archive: Archive) -> dict[str, tuple[str, int]]:
    """The six resources, narrowed to the first study, and how many matches they have."""
    one, series = archive.ct[0], len({sample.series for sample in archive.first_study})
    instances = len(archive.first_study)
    return {
        "studies": (f"/studies?StudyInstanceUID={one.study}", 1),
        "study's series": (f"{one.study_path}/series", series),
        "series' instances": (f"{one.series_path}/instances", 3),
        "study's instances": (f"{one.study_path}/instances", instances),
        "series": (f"/series?StudyInstanceUID={one.study}", series),
        "instances": (f"/instances?StudyInstanceUID={one.study}", instances),
    }


SIX = ["studies", "study's series", "series' instances", "study's instances", "series", "instances"]


def study(service: Service, archive: Archive, **query: str) -> DicomJson:
    return service.search("/studies", {"StudyInstanceUID": archive.ct[0].study, **query})[0]


def series(service: Service, archive: Archive, **query: str) -> DicomJson:
    path = f"{archive.ct[0].study_path}/series"
    return service.search(path, {"SeriesInstanceUID": archive.ct[0].series, **query})[0]


def instance(service: Service, archive: Archive, **query: str) -> DicomJson:
    path = f"{archive.ct[0].series_path}/instances"
    return service.search(path, {"SOPInstanceUID": archive.ct[0].instance, **query})[0]


@requires("PS3.18 §10.6.1.1")
@pytest.mark.parametrize("name", SIX)
def test_each_of_the_six_resources_answers(service: Service, archive: Archive, name: str) -> None:
    path, count = resources(archive)[name]
    assert len(service.search(path)) == count


@requires("PS3.18 §10.6.3.3")
@pytest.mark.parametrize("name", SIX)
def test_the_default_is_a_json_array(service: Service, archive: Archive, name: str) -> None:
    response = service.get(resources(archive)[name][0])
    assert (response.headers["content-type"].split(";")[0], type(response.json())) == (JSON, list)


@requires("PS3.18 §10.6.3.3")
@pytest.mark.parametrize("name", SIX)
def test_xml_has_a_part_for_each_match(service: Service, archive: Archive, name: str) -> None:
    path, count = resources(archive)[name]
    parts = decode(service.get(path, accept=XML))
    assert [ElementTree.fromstring(part.body).tag.rpartition("}")[2] for part in parts] == ["NativeDicomModel"] * count


@requires("PS3.18 §10.6.3", "B")
@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
def test_no_match_answers_an_empty_array_or_204(service: Service, path: str) -> None:
    response = service.get(f"{path}?PatientID=nobody-{new_uid()}", accept=JSON)
    assert (response.status_code, response.text.replace(" ", "").strip()) in [(200, "[]"), (204, "")]


@requires("PS3.18 §10.6.1.1", "B")
@pytest.mark.parametrize("path", ["/studies/{}/series", "/studies/{}/instances", "/studies/{}/series/1.2/instances"])
def test_a_search_below_an_unknown_study_is_empty(service: Service, path: str) -> None:
    assert service.search(path.format(new_uid())) == []


STUDY_ATTRIBUTES = {
    "00080020": ["20210314"],
    "00080030": ["150926"],
    "00080056": ["ONLINE"],
    "00080061": ["CT", "DOC", "MR", "OT", "SEG", "SR"],
    "00080090": [{"Alphabetic": "Referrer^Renée"}],
    "00100030": ["19700102"],
    "00100040": ["F"],
    "00200010": ["S-1"],
}


@requires("PS3.18 §10.6.3.3.1")
@pytest.mark.parametrize("tag", list(STUDY_ATTRIBUTES))
def test_a_study_has_the_attribute(service: Service, archive: Archive, tag: str) -> None:
    assert values(study(service, archive), tag) == STUDY_ATTRIBUTES[tag]


@requires("PS3.18 §10.6.3.3.1")
@pytest.mark.parametrize("tag", ["00080050", "00100010", "00100020", "0020000D"])
def test_a_study_has_the_identifying_attribute(service: Service, archive: Archive, tag: str) -> None:
    expected = {
        "00080050": f"A{archive.run}",
        "00100010": {"Alphabetic": f"Müller{archive.run}^Änne"},
        "00100020": archive.patient_id,
        "0020000D": archive.ct[0].study,
    }
    assert values(study(service, archive), tag) == [expected[tag]]


@requires("PS3.18 §10.6.3.3.1")
@pytest.mark.parametrize("tag", ["00201206", "00201208"])
def test_a_study_counts_its_series_and_instances(service: Service, archive: Archive, tag: str) -> None:
    expected = {"00201206": resources(archive)["series"][1], "00201208": len(archive.first_study)}
    assert int(value(study(service, archive), tag)) == expected[tag]


@requires("PS3.18 §10.6.3.3.1")
def test_counts_follow_a_delete(service: Service) -> None:
    first = sample(make())
    second = sample(make(study=first.study, series=first.series))
    service.store(first.data, second.data)
    service.send("DELETE", second.path)
    found = service.search("/studies", {"StudyInstanceUID": first.study})[0]
    assert int(value(found, "00201208")) == 1


@requires("PS3.18 §10.6.3.3.1")
def test_the_retrieve_url_of_a_study_works(service: Service, archive: Archive) -> None:
    url = str(value(study(service, archive), "00081190"))
    assert service.relative(url) == archive.ct[0].study_path


@requires("PS3.18 §10.6.3.3.1", "B")
def test_a_study_without_modality_has_no_empty_modalities(service: Service) -> None:
    one = make()
    del one.Modality
    service.store(sample(one).data)
    found = service.search("/studies", {"StudyInstanceUID": str(one.StudyInstanceUID)})[0]
    assert "00080061" not in found or values(found, "00080061")


SERIES_ATTRIBUTES = {
    "00080060": ["CT"],
    "0008103E": ["Axial"],
    "00400244": ["20210315"],
    "00400245": ["151000"],
}


@requires("PS3.18 §10.6.3.3.2")
@pytest.mark.parametrize("tag", list(SERIES_ATTRIBUTES))
def test_a_series_has_the_attribute(service: Service, archive: Archive, tag: str) -> None:
    assert values(series(service, archive), tag) == SERIES_ATTRIBUTES[tag]


@requires("PS3.18 §10.6.3.3.2")
@pytest.mark.parametrize(("tag", "expected"), [("00200011", 7), ("00201209", 3)])
def test_a_series_has_the_number(service: Service, archive: Archive, tag: str, expected: int) -> None:
    assert int(value(series(service, archive), tag)) == expected


@requires("PS3.18 §10.6.3.3.2")
def test_a_series_has_its_request_attributes(service: Service, archive: Archive) -> None:
    item = value(series(service, archive), "00400275")
    assert (value(item, "00400009"), value(item, "00401001")) == (f"SPS{archive.run}", f"RP{archive.run}")


@requires("PS3.18 §10.6.3.3.2")
def test_the_retrieve_url_of_a_series_works(service: Service, archive: Archive) -> None:
    assert service.relative(str(value(series(service, archive), "00081190"))) == archive.ct[0].series_path


@requires("PS3.18 §10.6.3.3.3")
@pytest.mark.parametrize(("tag", "expected"), [("00200013", 1), ("00280010", 16), ("00280011", 12), ("00280100", 16)])
def test_an_instance_has_the_number(service: Service, archive: Archive, tag: str, expected: int) -> None:
    assert int(value(instance(service, archive), tag)) == expected


@requires("PS3.18 §10.6.3.3.3")
@pytest.mark.parametrize("tag", ["00080016", "00080018"])
def test_an_instance_has_the_identifier(service: Service, archive: Archive, tag: str) -> None:
    expected = {"00080016": str(archive.ct[0].dataset.SOPClassUID), "00080018": archive.ct[0].instance}
    assert values(instance(service, archive), tag) == [expected[tag]]


@requires("PS3.18 §10.6.3.3.3")
def test_a_multi_frame_instance_has_its_number_of_frames(service: Service, archive: Archive) -> None:
    found = service.search("/instances", {"SOPInstanceUID": archive.odd.instance})[0]
    assert int(value(found, "00280008")) == 3


@requires("PS3.18 §10.6.3.3.3")
def test_the_retrieve_url_of_an_instance_works(service: Service, archive: Archive) -> None:
    assert service.relative(str(value(instance(service, archive), "00081190"))) == archive.ct[0].path


@requires("PS3.18 §10.6.3.3.3", "B")
def test_an_instance_says_how_it_is_encoded(service: Service, archive: Archive) -> None:
    found = service.search("/instances", {"SOPInstanceUID": archive.jpeg["basic offset table"].instance})[0]
    assert "1.2.840.10008.1.2.4.50" in values(found, "00083002")


@requires("PS3.18 §10.6.3.3.2")
@pytest.mark.parametrize("tag", ["0020000D", "00100020", "00080020"])
def test_a_relational_search_of_series_adds_study_attributes(service: Service, archive: Archive, tag: str) -> None:
    found = service.search("/series", {"SeriesInstanceUID": archive.ct[0].series})[0]
    assert value(found, tag) in (archive.ct[0].study, archive.patient_id, "20210314")


@requires("PS3.18 §10.6.3.3.3")
@pytest.mark.parametrize("tag", ["0020000D", "0020000E", "00100020", "00080060"])
def test_a_relational_search_of_instances_adds_higher_attributes(service: Service, archive: Archive, tag: str) -> None:
    found = service.search("/instances", {"SOPInstanceUID": archive.ct[0].instance})[0]
    assert value(found, tag) in (archive.ct[0].study, archive.ct[0].series, archive.patient_id, "CT")


@requires("PS3.18 §10.6.3.3.3")
@pytest.mark.parametrize("tag", ["0020000E", "00080060"])
def test_a_search_of_a_study_s_instances_adds_series_attributes(service: Service, archive: Archive, tag: str) -> None:
    path = f"{archive.ct[0].study_path}/instances"
    found = service.search(path, {"SOPInstanceUID": archive.ct[0].instance})[0]
    assert value(found, tag) in (archive.ct[0].series, "CT")


@requires("PS3.18 §8.3.4.3")
@pytest.mark.parametrize(
    "query",
    [
        [("includefield", "StudyDescription")],
        [("includefield", "00081030")],
        [("includefield", "AccessionNumber,StudyDescription")],
        [("includefield", "AccessionNumber"), ("includefield", "StudyDescription")],
        [("includefield", "StudyDescription,00081030"), ("includefield", "StudyDescription")],
        [("includefield", "all")],
        [("includefield", "PatientID, StudyDescription")],
    ],
)
def test_includefield_adds_a_study_attribute(service: Service, archive: Archive, query: list[tuple[str, str]]) -> None:
    found = service.search("/studies", [("StudyInstanceUID", archive.ct[0].study), *query])[0]
    assert values(found, "00081030") == [f"Conformance study {archive.run}"]


@requires("PS3.18 §8.3.4.3")
@pytest.mark.parametrize("field", ["SliceLocation", "00201041", "all"])
def test_includefield_adds_an_attribute_that_is_in_no_index(service: Service, archive: Archive, field: str) -> None:
    assert float(value(instance(service, archive, includefield=field), "00201041")) == 2.5


@requires("PS3.18 §8.3.4.3")
def test_includefield_adds_a_value_inside_a_sequence(service: Service, archive: Archive) -> None:
    found = series(service, archive, includefield="RequestAttributesSequence.RequestedProcedureID")
    assert value(value(found, "00400275"), "00401001") == f"RP{archive.run}"


@requires("PS3.18 §10.6.3.3.1")
@pytest.mark.parametrize("field", ["SOPInstanceUID", "SeriesInstanceUID", "InstanceNumber", "all"])
def test_attributes_of_lower_levels_are_not_returned(service: Service, archive: Archive, field: str) -> None:
    found = study(service, archive, includefield=field)
    assert not {"00080018", "0020000E", "00200013"} & set(found)


@requires("PS3.18 §10.6.3.3.2")
@pytest.mark.parametrize("field", ["SOPInstanceUID", "InstanceNumber"])
def test_attributes_of_instances_are_not_returned_for_series(service: Service, archive: Archive, field: str) -> None:
    assert not {"00080018", "00200013"} & set(series(service, archive, includefield=field))


@requires("PS3.18 §10.6.3.3.1")
@pytest.mark.parametrize(("key", "tag"), [("StudyDescription", "00081030"), ("PatientSex", "00100040")])
def test_a_matching_key_is_returned(service: Service, archive: Archive, key: str, tag: str) -> None:
    assert tag in study(service, archive, **{key: ""})


@requires("PS3.18 §10.6.3.3.3", "O")
def test_a_private_includefield_is_returned_with_its_creator(service: Service, archive: Archive) -> None:
    found = instance(service, archive, includefield="00111001,00110010")
    assert (value(found, "00111001"), value(found, "00110010")) == (f"private {archive.run}", PRIVATE_CREATOR)


@requires("PS3.18 §8.3.4.3", "B")
def test_an_unknown_includefield_is_refused_or_warned_about(service: Service) -> None:
    response = service.get("/studies?limit=1&includefield=NoSuchKeyword", accept=JSON)
    assert response.status_code == 400 or response.headers.get("warning", "").startswith("299 ")


@requires("PS3.18 §8.3.4.4")
@pytest.mark.parametrize(
    ("query", "count"), [("limit=2", 2), ("limit=99", 3), ("offset=2", 1), ("limit=2&offset=2", 1)]
)
def test_limit_and_offset(service: Service, archive: Archive, query: str, count: int) -> None:
    assert len(service.search(f"{archive.ct[0].series_path}/instances?{query}")) == count


@requires("PS3.18 §8.3.4.4")
@pytest.mark.parametrize("name", ["study's series", "study's instances", "instances"])
def test_pages_make_up_the_whole(service: Service, archive: Archive, name: str) -> None:
    path, count = resources(archive)[name]
    mark = "&" if "?" in path else "?"
    tag = "0020000E" if "series" in name.split()[-1] else "00080018"
    pages = [service.search(f"{path}{mark}limit=3&offset={start}") for start in range(0, count, 3)]
    found = [value(one, tag) for page in pages for one in page]
    assert sorted(found) == sorted({value(one, tag) for one in service.search(path)})


@requires("PS3.18 §8.3.4.4", "B")
@pytest.mark.parametrize("name", SIX)
def test_the_same_search_twice_gives_the_same_order(service: Service, archive: Archive, name: str) -> None:
    path, _ = resources(archive)[name]
    assert service.get(path, accept=JSON).content == service.get(path, accept=JSON).content


@requires("PS3.18 §8.3.4.4")
@pytest.mark.parametrize("name", ["study's series", "study's instances", "instances"])
def test_a_cut_answer_says_how_many_remain(service: Service, archive: Archive, name: str) -> None:
    path, count = resources(archive)[name]
    response = service.get(f"{path}{'&' if '?' in path else '?'}limit=2", accept=JSON)
    warning = response.headers.get("warning", "")
    assert (warning.startswith("299 "), str(count - 2) in warning.split("/")[-1]) == (True, True)


@requires("PS3.18 §8.3.4.4")
def test_a_whole_answer_has_no_warning(service: Service, archive: Archive) -> None:
    assert "warning" not in service.get(f"{archive.ct[0].series_path}/instances?limit=3", accept=JSON).headers


@requires("PS3.18 §8.3.4.4")
@pytest.mark.parametrize("offset", ["3", "1000000"])
def test_an_offset_past_the_end_is_empty(service: Service, archive: Archive, offset: str) -> None:
    assert service.search(f"{archive.ct[0].series_path}/instances?offset={offset}") == []


@requires("PS3.18 §8.3.4.4", "B")
def test_a_limit_of_zero_is_empty_or_refused(service: Service) -> None:
    response = service.get("/studies?limit=0", accept=JSON)
    assert response.status_code in (204, 400) or response.json() == []


@requires("PS3.18 §8.3.4.4", "B")
@pytest.mark.parametrize("query", [f"offset={LAST_OF_OFFSETS}", f"limit={LAST_OF_OFFSETS}", "offset=" + "9" * 400])
def test_a_huge_number_is_answered_quickly(service: Service, clock: Clock, query: str) -> None:
    with at_most(1, clock):
        response = service.get(f"/studies?{query}&PatientID=nobody", accept=JSON)
    assert response.status_code in (200, 204, 400)


@requires("orderby, an extension of ours", "B")
@pytest.mark.parametrize(("order", "expected"), [("InstanceNumber", [1, 2, 3]), ("-InstanceNumber", [3, 2, 1])])
def test_orderby_sorts(service: Service, archive: Archive, order: str, expected: list[int]) -> None:
    found = service.search(f"{archive.ct[0].series_path}/instances", {"orderby": order})
    assert [int(value(one, "00200013")) for one in found] == expected


@requires("PS3.18 §10.6.3.3")
def test_results_are_utf_8_and_say_so(service: Service, archive: Archive) -> None:
    found = service.search("/studies", {"StudyInstanceUID": archive.japanese.study})[0]
    assert values(found, "00080005") in ([], ["ISO_IR 192"])


@requires("PS3.18 §F.2.2")
def test_names_in_results_have_their_component_groups(service: Service, archive: Archive) -> None:
    found = service.search("/studies", {"StudyInstanceUID": archive.japanese.study})[0]
    expected = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert value(found, "00100010") == expected


@requires("count, an extension of ours", "B")
@pytest.mark.parametrize("name", SIX)
def test_the_total_is_told_when_asked(service: Service, archive: Archive, name: str) -> None:
    path, count = resources(archive)[name]
    response = service.get(f"{path}{'&' if '?' in path else '?'}limit=1&count=true", accept=JSON)
    assert response.headers.get("x-total-count") == str(count)


@requires("PS3.18 §8.3.3.2")
@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "iso-8859-1,utf-8;q=0.5"])
def test_utf_8_is_an_acceptable_character_set(service: Service, archive: Archive, charset: str) -> None:
    response = service.get(f"/studies?StudyInstanceUID={archive.japanese.study}&charset={charset}", accept=JSON)
    assert "山田" in response.text
