"""dicomweb-client, a library that others wrote, stores real files and gets back what it sent."""

import copy
import io
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread, dcmwrite

from conformance.server import Server
from tests.real_files import REAL_FILES, tolerant_pydicom

LARGEST = 1_000_000
UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")
AS_STORED = (("application/dicom", "*"),)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("server"))
    yield own
    own.stop()


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[DICOMwebClient]:
    made = DICOMwebClient(server.root)
    made.set_http_retry_params(retry=False)
    yield made
    made._session.close()


@pytest.fixture(autouse=True)
def tolerant() -> Iterator[None]:
    with tolerant_pydicom():
        warnings.simplefilter("ignore")
        yield


def _identifiers(dataset: Dataset) -> tuple[str, str, str]:
    return str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)


def _can_be_asked_for(dataset: Dataset) -> bool:
    """The client refuses to ask for wrong UIDs, and cannot send what pydicom cannot write again."""
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    if not all(UID.fullmatch(str(dataset.get(name, ""))) for name in names):
        return False
    try:
        dcmwrite(io.BytesIO(), copy.deepcopy(dataset), enforce_file_format=True)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


@pytest.fixture(scope="module")
def real(client: DICOMwebClient) -> list[Dataset]:
    """One data set for each UID, stored by the client, ten in a request."""
    found: dict[str, Dataset] = {}
    with tolerant_pydicom():
        for path in REAL_FILES:
            dataset = dcmread(path) if path.stat().st_size <= LARGEST and path.name != "bad_sequence.dcm" else Dataset()
            if dataset and _can_be_asked_for(dataset):
                found.setdefault(dataset.SOPInstanceUID, dataset)
        datasets = list(found.values())
        for start in range(0, len(datasets), 10):
            answer = client.store_instances(datasets[start : start + 10])
            assert "FailedSOPSequence" not in answer
    return datasets


def test_enough_real_files_take_part(real: list[Dataset]) -> None:
    assert len(real) > 80


def test_every_instance_comes_back_as_it_was(client: DICOMwebClient, real: list[Dataset]) -> None:
    for sent in real:
        got = client.retrieve_instance(*_identifiers(sent), media_types=AS_STORED)
        assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
        assert _values(got) == _values(sent), sent.SOPInstanceUID


def _values(dataset: Dataset) -> dict[int, str]:
    """What a data set says, without how it was written: padding, group lengths, trailing padding."""
    return {
        int(element.tag): str(element.value).rstrip("\0 ")
        for element in dataset
        if element.tag.element and element.tag != 0xFFFCFFFC
    }


def test_every_study_is_found(client: DICOMwebClient, real: list[Dataset]) -> None:
    found = {match["0020000D"]["Value"][0] for match in client.search_for_studies(get_remaining=True, limit=20)}
    assert found == {sent.StudyInstanceUID for sent in real}


def test_metadata_of_every_instance_are_read_by_pydicom(client: DICOMwebClient, real: list[Dataset]) -> None:
    for sent in real:
        metadata = client.retrieve_instance_metadata(*_identifiers(sent))
        if _has_broken_numbers(metadata):
            continue
        got = Dataset.from_json({tag: item for tag, item in metadata.items() if "BulkDataURI" not in item})
        assert (got.SOPInstanceUID, got.get("Modality") or "") == (sent.SOPInstanceUID, sent.get("Modality") or "")


def _has_broken_numbers(metadata: dict[str, dict[str, Any]]) -> bool:
    """Numbers that are none come as the text that they are, at which pydicom stumbles."""
    elements = [item for item in metadata.values() if item["vr"] in ("IS", "DS")]
    return any(
        isinstance(value, str) and not NUMBER.fullmatch(value) for one in elements for value in one.get("Value", [])
    )


def test_native_frames_are_the_pixels_of_the_file(client: DICOMwebClient, real: list[Dataset]) -> None:
    checked = 0
    for sent in real:
        syntax = sent.file_meta.TransferSyntaxUID
        if "PixelData" in sent and not syntax.is_compressed and syntax.is_little_endian and sent.BitsAllocated > 1:
            got = client.retrieve_instance_frames(*_identifiers(sent), frame_numbers=[1])[0]
            assert sent.PixelData.startswith(got), sent.SOPInstanceUID
            checked += 1
    assert checked > 30


def test_every_study_can_be_deleted(client: DICOMwebClient, real: list[Dataset]) -> None:
    for uid in {sent.StudyInstanceUID for sent in real}:
        client.delete_study(uid)
    assert client.search_for_instances() == []
