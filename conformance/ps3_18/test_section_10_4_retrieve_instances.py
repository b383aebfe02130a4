"""PS3.18 §10.4: retrieve of studies, series and instances."""

import io
import zipfile

import httpx
import numpy as np
import pytest

from conformance import samples
from conformance.archive import Archive
from conformance.multipart import decode
from conformance.requirement import requires
from conformance.samples import read, transfer_syntax_of, without_meta
from conformance.service import DICOM, STORED, Service

LEVELS = ["study_path", "series_path", "path"]


def syntax(uid: str) -> str:
    return f'multipart/related; type="application/dicom"; transfer-syntax={uid}'


@requires("PS3.18 §10.4.1.1")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("accept", [None, "*/*"])
def test_the_default_is_one_dicom_part_for_each_instance(
    service: Service, archive: Archive, level: str, accept: str | None
) -> None:
    count = {"study_path": len(archive.first_study), "series_path": 3, "path": 1}[level]
    parts = decode(service.get(getattr(archive.ct[0], level), accept=accept))
    assert [part.content_type for part in parts] == ["application/dicom"] * count


@requires("PS3.18 §10.4.1.1")
@pytest.mark.parametrize("level", ["study_path", "series_path"])
def test_as_many_parts_come_as_a_search_counts(service: Service, archive: Archive, level: str) -> None:
    path = getattr(archive.ct[0], level)
    assert len(decode(service.get(path, accept=STORED))) == len(service.search(path + "/instances"))


@requires("PS3.18 §10.4.1.1")
def test_the_parts_are_the_instances_of_the_series(service: Service, archive: Archive) -> None:
    parts = decode(service.get(archive.ct[0].series_path, accept=DICOM))
    assert {read(part.body).SOPInstanceUID for part in parts} == {one.instance for one in archive.ct}


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("name", ["ct", "implicit", "big_endian", "deflated", "jpeg"])
def test_any_transfer_syntax_gives_the_stored_one(service: Service, archive: Archive, name: str) -> None:
    one = {
        "ct": archive.ct[0],
        "jpeg": archive.jpeg["basic offset table"],
        "implicit": archive.implicit,
        "big_endian": archive.big_endian,
        "deflated": archive.deflated,
    }[name]
    expected = transfer_syntax_of(one.data)
    assert transfer_syntax_of(decode(service.get(one.path, accept=STORED))[0].body) == expected


@requires("PS3.18 §8.7.3.5.2", "B")
@pytest.mark.parametrize("name", ["ct", "deflated", "jpeg", "pdf", "report", "colour"])
def test_the_stored_data_set_comes_bit_by_bit(service: Service, archive: Archive, name: str) -> None:
    one = {
        "ct": archive.ct[0],
        "jpeg": archive.jpeg["several fragments, offset table"],
        "deflated": archive.deflated,
        "pdf": archive.pdf,
        "report": archive.report,
        "colour": archive.colour,
    }[name]
    assert without_meta(decode(service.get(one.path, accept=STORED))[0].body) == without_meta(one.data)


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("accept", [None, DICOM, syntax(samples.EXPLICIT)])
@pytest.mark.parametrize("name", ["implicit", "big_endian", "deflated"])
def test_other_native_encodings_come_as_explicit_little_endian(
    service: Service, archive: Archive, name: str, accept: str | None
) -> None:
    response = service.get(getattr(archive, name).path, accept=accept)
    assert transfer_syntax_of(decode(response)[0].body) == samples.EXPLICIT


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("name", ["implicit", "big_endian", "deflated"])
def test_a_changed_encoding_keeps_the_pixels(service: Service, archive: Archive, name: str) -> None:
    body = decode(service.get(getattr(archive, name).path, accept=syntax(samples.EXPLICIT)))[0].body
    assert read(body).PixelData == (np.arange(30, dtype="<i2") * 257 - 300).tobytes()


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("name", ["implicit", "big_endian", "deflated"])
def test_a_changed_encoding_keeps_the_attributes(service: Service, archive: Archive, name: str) -> None:
    one = getattr(archive, name)
    got = read(decode(service.get(one.path, accept=syntax(samples.EXPLICIT)))[0].body)
    del got.PixelData
    assert got.to_json_dict() == {key: item for key, item in one.dataset.to_json_dict().items() if key != "7FE00010"}


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("uid", [samples.IMPLICIT, samples.BIG_ENDIAN])
@pytest.mark.parametrize("name", ["ct", "implicit", "big_endian"])
def test_implicit_and_big_endian_are_never_sent_by_name(
    service: Service, archive: Archive, name: str, uid: str
) -> None:
    one = archive.ct[0] if name == "ct" else getattr(archive, name)
    response = service.get(one.path, accept=syntax(uid))
    assert response.status_code == 406 or transfer_syntax_of(decode(response)[0].body) == samples.EXPLICIT


@requires("PS3.18 §8.7.3.5.2")
@pytest.mark.parametrize("uid", ["1.2.3.4", "nonsense", "1.2.840.10008.1.2.4.100"])
def test_a_transfer_syntax_that_cannot_be_made_answers_406(service: Service, archive: Archive, uid: str) -> None:
    assert service.get(archive.ct[0].path, accept=syntax(uid)).status_code == 406


@requires("PS3.18 §8.7.6")
@pytest.mark.parametrize(
    ("first", "second"),
    [("1.2.3.4", samples.EXPLICIT), (samples.EXPLICIT, "1.2.3.4"), ("*", samples.EXPLICIT)],
)
def test_the_best_transfer_syntax_that_is_possible_is_chosen(
    service: Service, archive: Archive, first: str, second: str
) -> None:
    accept = f"{syntax(first)};q=0.9, {syntax(second)};q=0.5"
    assert transfer_syntax_of(decode(service.get(archive.ct[0].path, accept=accept))[0].body) == samples.EXPLICIT


@requires("PS3.18 §8.7.6")
def test_a_higher_q_for_the_stored_compression_is_obeyed(service: Service, archive: Archive) -> None:
    accept = f"{syntax(samples.EXPLICIT)};q=0.2, {syntax('*')};q=0.9"
    response = service.get(archive.jpeg["basic offset table"].path, accept=accept)
    assert transfer_syntax_of(decode(response)[0].body) == samples.JPEG


@requires("PS3.18 §10.4.3")
@pytest.mark.parametrize("accept", [DICOM, STORED])
def test_a_transfer_syntax_of_a_part_agrees_with_its_file_meta(service: Service, archive: Archive, accept: str) -> None:
    parts = decode(service.get(archive.ct[0].study_path, accept=accept))
    named = [(part.parameter("transfer-syntax"), transfer_syntax_of(part.body)) for part in parts]
    assert all(header in (None, meta) for header, meta in named)


@requires("PS3.18 §8.7.3.5.2", "B")
def test_one_instance_comes_as_a_single_part_when_asked(service: Service, archive: Archive) -> None:
    response = service.get(archive.ct[0].path, accept="application/dicom")
    assert response.headers["content-type"].split(";")[0] == "application/dicom"


@requires("PS3.18 §8.7.3.5.2", "B")
def test_the_single_part_is_the_stored_data_set(service: Service, archive: Archive) -> None:
    response = service.get(archive.ct[0].path, accept="application/dicom; transfer-syntax=*")
    assert without_meta(response.content) == without_meta(archive.ct[0].data)


@requires("PS3.18 §8.7.3.5.2", "B")
def test_a_series_as_a_single_part_answers_406(service: Service, archive: Archive) -> None:
    assert service.get(archive.ct[0].series_path, accept="application/dicom").status_code == 406


def entries(response: httpx.Response) -> list[tuple[str, bytes]]:
    assert response.headers["content-type"].split(";")[0] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist() if not info.is_dir()]


@requires("PS3.18 §8.7.3.5.3", "O")
@pytest.mark.parametrize("level", LEVELS)
def test_a_zip_has_one_file_for_each_instance(service: Service, archive: Archive, level: str) -> None:
    expected = {"study_path": archive.first_study, "series_path": archive.ct, "path": archive.ct[:1]}[level]
    files = entries(service.get(getattr(archive.ct[0], level), accept="application/zip"))
    found = {read(data).SOPInstanceUID for name, data in files if not name.upper().endswith("DICOMDIR")}
    assert found == {one.instance for one in expected}


@requires("PS3.18 §8.7.3.5.3", "B")
def test_names_in_a_zip_are_safe_and_different(service: Service, archive: Archive) -> None:
    names = [name for name, _ in entries(service.get(archive.ct[0].study_path, accept="application/zip"))]
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.startswith("/") or ".." in name.split("/") or "\\" in name]


@requires("PS3.18 §10.4.1.1.7", "B")
@pytest.mark.parametrize("resource", ["renderedMPR", "rendered3D"])
def test_volume_rendering_is_refused_cleanly(service: Service, archive: Archive, resource: str) -> None:
    assert service.get(f"{archive.ct[0].series_path}/{resource}").status_code in (404, 406, 501)
