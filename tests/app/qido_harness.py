"""What tests of QIDO-RS search in, and how."""

from typing import Any

import httpx
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from tests.app.dicomweb_harness import JSON, Archive
from tests.builders import make_dataset, make_instance, write_part10


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def qido_files() -> list[bytes]:
    """Three studies: CT and SR of a Müller in two series, MR of a Yamada, and one of nobody in particular."""
    request = [_item(ScheduledProcedureStepID="SPS1", RequestedProcedureID="RP1")]
    first: dict[str, Any] = {
        "StudyInstanceUID": "1.1",
        "PatientName": "Müller^Jörg",
        "PatientID": "P%1",
        "StudyDate": "20240131",
        "StudyTime": "101530",
        "AccessionNumber": "A1",
        "StudyDescription": "Thorax",
        "ProcedureCodeSequence": [_item(CodeValue="CODE", CodingSchemeDesignator="99X", CodeMeaning="Code")],
    }
    ct = first | {
        "SeriesInstanceUID": "1.1.1",
        "SeriesNumber": 1,
        "Modality": "CT",
        "RequestAttributesSequence": DicomSequence(request),
        "PerformedProcedureStepStartDate": "20240131",
    }
    files = [make_instance(**ct, SOPInstanceUID=f"1.1.1.{n}", InstanceNumber=n, SliceThickness=n) for n in (1, 2, 3)]
    sr = first | {"SeriesInstanceUID": "1.1.2", "SeriesNumber": 2, "Modality": "SR", "SeriesDescription": "Report"}
    files.append(make_instance(**sr, SOPInstanceUID="1.1.2.1"))
    yamada = {
        "SpecificCharacterSet": "ISO_IR 192",
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.1",
        "SOPInstanceUID": "1.2.1.1",
        "PatientName": "Yamada^Tarou=山田^太郎",
        "PatientID": "P_2",
        "StudyDate": "20240201",
        "StudyTime": "08",
        "Modality": "MR",
    }
    dataset = make_dataset(**yamada)
    dataset.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "private value")
    files.append(write_part10(dataset))
    nobody: dict[str, Any] = dict.fromkeys(
        ("PatientName", "PatientID", "Modality", "StudyDate", "AccessionNumber", "SeriesNumber")
    )
    files.append(make_instance(StudyInstanceUID="1.3", SeriesInstanceUID="1.3.1", SOPInstanceUID="1.3.1.1", **nobody))
    return files


async def search(archive: Archive, path: str) -> list[dict[str, Any]]:
    response = await archive.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == JSON
    found: list[dict[str, Any]] = response.json()
    return found


async def found(archive: Archive, path: str, tag: str = "0020000D") -> list[str]:
    """The first value of a UID in each match."""
    return [match[tag]["Value"][0] for match in await search(archive, path)]


def warnings(response: httpx.Response) -> str:
    text: str = response.headers.get("warning", "")
    return text
