"""WADO-RS metadata over a real store."""

import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
import zstandard
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.app.dicomweb_harness import JSON, ROOT, Archive, Instance, open_archive, split_parts, values
from tests.builders import make_instance

XML = 'multipart/related; type="application/dicom+xml"'
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path) as opened:
        yield opened


async def series(archive: Archive, count: int = 3, **attributes: Any) -> list[Instance]:
    shared = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()} | attributes
    return await archive.add(*(make_instance(**shared, InstanceNumber=n) for n in range(1, count + 1)))


async def test_metadata_of_every_level(archive: Archive) -> None:
    instances = await series(archive)
    for path, expected in (
        (instances[0].study_path, instances),
        (instances[0].series_path, instances),
        (instances[1].path, instances[1:2]),
    ):
        for accept in (None, "*/*", JSON, "application/json", "application/*;q=0.1"):
            response = await archive.get(path + "/metadata", accept)
            assert response.headers["content-type"] == JSON
            assert values(response.json(), "00080018") == [one.uid for one in expected]


async def test_urls_lead_to_where_the_client_asked(archive: Archive) -> None:
    (one,) = await series(archive, 1)
    for headers, root in (
        ({}, ROOT),
        ({"x_forwarded_proto": "https", "x_forwarded_host": "pacs.example"}, "https://pacs.example/dicom-web"),
        ({"forwarded": 'host="pacs.example:8443";proto=https'}, "https://pacs.example:8443/dicom-web"),
    ):
        found = (await archive.get(one.path + "/metadata", **headers)).json()
        assert found[0]["7FE00010"] == {"vr": "OW", "BulkDataURI": f"{root}{one.path}/bulkdata/7FE00010"}


async def test_xml(archive: Archive) -> None:
    instances = await series(archive, 2)
    response = await archive.get(instances[0].series_path + "/metadata", XML)
    assert 'type="application/dicom+xml"' in response.headers["content-type"]
    parts = split_parts(response)
    assert [part.media_type for part in parts] == ["application/dicom+xml"] * 2
    roots = [ElementTree.fromstring(part.body) for part in parts]
    uids = [root.findtext(f"{NATIVE}DicomAttribute[@tag='00080018']/{NATIVE}Value") for root in roots]
    assert uids == [one.uid for one in instances]
    bulk = roots[0].find(f"{NATIVE}DicomAttribute[@tag='7FE00010']/{NATIVE}BulkData")
    assert bulk is not None
    assert bulk.get("uri", "").startswith(ROOT)


async def test_the_accept_parameter_wins(archive: Archive) -> None:
    (one,) = await series(archive, 1)
    response = await archive.get(
        one.path + "/metadata?accept=multipart/related%3B%20type%3Dapplication/dicom%2Bxml", JSON
    )
    assert response.headers["content-type"].startswith("multipart/related")
    assert (await archive.get(one.path + "/metadata?accept=image/png", JSON)).status_code == 406


async def test_a_subset_of_attributes(archive: Archive) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "S1"
    item.RequestedProcedureID = "R1"
    (one,) = await series(archive, 1, RequestAttributesSequence=[item])
    always = {"00080016", "00080018", "0020000D", "0020000E"}
    for query, expected in (
        ("includefield=Rows,00100020", {"00280010", "00100020"}),
        ("includefield=Rows&includefield=PatientID&includefield=Rows", {"00280010", "00100020"}),
        ("includefield=PixelData", {"7FE00010"}),
        ("includefield=SliceLocation", set()),
        ("includefield=RequestAttributesSequence", {"00400275"}),
        ("includefield=RequestAttributesSequence.RequestedProcedureID", {"00400275"}),
    ):
        response = await archive.get(f"{one.path}/metadata?{query}")
        assert set(response.json()[0]) == always | expected, query
    cut = (await archive.get(one.path + "/metadata?includefield=00400275.00401001")).json()[0]["00400275"]
    assert cut == {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["R1"]}}]}
    whole = (await archive.get(one.path + "/metadata?includefield=00400275,00400275.00401001")).json()[0]["00400275"]
    assert set(whole["Value"][0]) == {"00401001", "00400009"}
    everything = (await archive.get(one.path + "/metadata?includefield=all")).json()[0]
    assert {"00100010", "00280010", "7FE00010"} <= set(everything)
    uri = (await archive.get(one.path + "/metadata?includefield=PixelData")).json()[0]["7FE00010"]["BulkDataURI"]
    assert uri.startswith(ROOT)
    for wrong in ("NoSuchKeyword", "0028001", "patientid", "Rows.Columns", ",".join(["Rows"] * 1001)):
        refused = await archive.get(f"{one.path}/metadata?includefield={wrong}")
        assert (refused.status_code, "includefield" in refused.json()["detail"]) == (400, True)


async def test_private_attributes_come_with_their_creator(archive: Archive) -> None:
    dataset = Dataset()
    block = dataset.private_block(0x0011, "SOMEBODY", create=True)
    block.add_new(1, "LO", "private")
    from io import BytesIO

    import pydicom

    from tests.builders import write_part10

    file = pydicom.dcmread(BytesIO(make_instance()))
    file.update(dataset)
    (one,) = await archive.add(write_part10(file))
    found = (await archive.get(one.path + "/metadata?includefield=00111001")).json()[0]
    assert found["00110010"]["Value"] == ["SOMEBODY"]
    assert found["00111001"]["Value"] == ["private"]


async def test_a_copy_that_is_current_is_not_sent_again(archive: Archive) -> None:
    instances = await series(archive)
    path = instances[0].series_path + "/metadata"
    first = await archive.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    assert "Accept" in first.headers["vary"]
    again = await archive.get(path, if_none_match=f'"other", W/{first.headers["etag"]}')
    assert (again.status_code, again.content, "content-type" in again.headers) == (304, b"", False)
    xml = await archive.get(path, XML)
    subset = await archive.get(path + "?includefield=Rows")
    zipped = await archive.get(path, accept_encoding="gzip")
    assert len({one.headers["etag"] for one in (first, xml, subset, zipped)}) == 4
    await archive.add(make_instance(StudyInstanceUID=instances[0].study, SeriesInstanceUID=instances[0].series))
    assert (await archive.get(path, if_none_match=first.headers["etag"])).status_code == 200


@pytest.mark.parametrize(
    ("asked", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("br", None),
        ("gzip;q=0", None),
        ("*", "zstd"),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=nonsense", None),
        ("", None),
    ],
)
async def test_compression_is_only_used_when_asked_for(archive: Archive, asked: str, coding: str | None) -> None:
    instances = await series(archive)
    plain = (await archive.get(instances[0].series_path + "/metadata")).content
    async with archive.client.stream(
        "GET", ROOT + instances[0].series_path + "/metadata", headers={"accept-encoding": asked}
    ) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers.get("content-encoding") == coding
    assert int(response.headers["content-length"]) == len(raw)
    undone: dict[str | None, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "zstd": zstandard.ZstdDecompressor().decompressobj().decompress,
        None: bytes,
    }
    assert undone[coding](raw) == plain


async def test_compression_can_be_switched_off(tmp_path: Path) -> None:
    async with open_archive(tmp_path, compression=False) as archive:
        (one,) = await series(archive, 1)
        response = await archive.get(one.path + "/metadata", accept_encoding="gzip")
        assert "content-encoding" not in response.headers


async def test_large_metadata_is_streamed(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicomweb_server.http.documents._WHOLE_SIZE", 3000)
    instances = await series(archive, 150)
    response = await archive.get(instances[0].study_path + "/metadata")
    assert "content-length" not in response.headers
    assert values(orjson.loads(response.content), "00200013") == list(range(1, 151))
    zipped = await archive.get(instances[0].study_path + "/metadata", accept_encoding="gzip")
    assert zipped.json() == response.json()
    models = split_parts(await archive.get(instances[0].study_path + "/metadata", XML))
    assert len(models) == 150


async def test_head(archive: Archive) -> None:
    (one,) = await series(archive, 1)
    get, head = await archive.get(one.path + "/metadata"), await archive.send("HEAD", one.path + "/metadata")
    assert (head.status_code, head.content, dict(head.headers)) == (200, b"", dict(get.headers))


@pytest.mark.parametrize("accept", ["image/png", 'multipart/related; type="application/dicom"', "*/*;q=0"])
async def test_other_types_answer_406(archive: Archive, accept: str) -> None:
    (one,) = await series(archive, 1)
    refused = await archive.get(one.path + "/metadata", accept)
    assert refused.status_code == 406
    assert JSON in refused.json()["detail"]


async def test_a_damaged_row_does_not_hide_the_others(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    instances = await series(archive)
    metadata = archive.services.retrieve.metadata

    async def damaged(scope: Any) -> AsyncIterator[list[bytes]]:
        async for batch in metadata(scope):
            yield [b"" if instances[1].uid.encode() in one else one for one in batch]

    monkeypatch.setattr(archive.services.retrieve, "metadata", damaged)
    response = await archive.get(instances[0].series_path + "/metadata")
    assert response.status_code == 206
    assert values(response.json(), "00080018") == [instances[0].uid, instances[2].uid]
    assert response.headers["warning"].startswith(f"299 {ROOT}: ")
