"""QIDO-RS over a real store: matching (PS3.18 §8.3.4.1, §10.6.1)."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from conformance.cost import at_most
from tests.app.dicomweb_harness import Archive, open_archive
from tests.app.qido_harness import found, qido_files


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Archive]:
    async with open_archive(tmp_path_factory.mktemp("store")) as opened:
        await opened.add(*qido_files())
        yield opened


pytestmark = pytest.mark.asyncio(loop_scope="module")


class TestMatching:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("PatientName=M%C3%BCller%5EJ%C3%B6rg", ["1.1"]),
            ("PatientName=MULLER*", ["1.1"]),
            ("00100010=muller*", ["1.1"]),
            ("PatientName=%E5%B1%B1%E7%94%B0*", ["1.2"]),
            ("PatientName=*=%E5%B1%B1*", ["1.2"]),
            ("PatientName=tarou&fuzzymatching=true", ["1.2"]),
            ("PatientName=tarou&fuzzymatching=false", []),
            ("PatientID=P%251", ["1.1"]),
            ("PatientID=p%251", []),
            ("PatientID=P_*", ["1.2"]),
            ("PatientID=P%25", []),
            ("PatientID=' OR 1=1 --", []),
            ("StudyDate=20240101-20240131", ["1.1"]),
            ("StudyDate=20240131-", ["1.2", "1.1"]),
            ("StudyTime=10", ["1.1", "1.3"]),
            ("StudyTime=0800-0859", ["1.2"]),
            ("StudyDate=20240131-20240201&StudyTime=1000-0900&combineddatetime=true", ["1.2", "1.1"]),
            ("ModalitiesInStudy=SR", ["1.1"]),
            ("ModalitiesInStudy=MR%5CSR", ["1.2", "1.1"]),
            ("ModalitiesInStudy=MR,SR", ["1.2", "1.1"]),
            ("Modality=CT", ["1.1"]),
            ("StudyInstanceUID=1.1,1.2", ["1.2", "1.1"]),
            ("StudyInstanceUID=1.1%5C1.2", ["1.2", "1.1"]),
            ('PatientID=""&emptyvaluematching=true', ["1.3"]),
            ('Modality=""&emptyvaluematching=true', ["1.3"]),
            ("PatientID=P_2,P%251&multiplevaluematching=true", ["1.2", "1.1"]),
            ("PatientID=P_2,P%251", []),
            ("PatientID=", ["1.2", "1.1", "1.3"]),
            ("NumberOfStudyRelatedInstances=4", ["1.1"]),
            ("ProcedureCodeSequence.CodeValue=CODE", ["1.1"]),
            ("RequestAttributesSequence.ScheduledProcedureStepID=SPS1", ["1.1"]),
            ("00091001=private*&00090010=ACME", ["1.2"]),
            ("00093301=private*&00090033=ACME", ["1.2"]),
            ("00091001=private*&00090010=OTHER", []),
        ],
    )
    async def test_studies(self, archive: Archive, query: str, expected: list[str]) -> None:
        assert await found(archive, f"/studies?{query}") == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("Modality=SR", ["1.1.2"]),
            ("SeriesInstanceUID=1.1.1", ["1.1.1"]),
            ("SeriesNumber=2", ["1.1.2"]),
            ("PerformedProcedureStepStartDate=20240131", ["1.1.1"]),
            ("RequestAttributesSequence.ScheduledProcedureStepID=SPS*", ["1.1.1"]),
            ("00400275.00401001=RP1", ["1.1.1"]),
            ("00400275.00401001=RP1&00400275.00400009=SPS1", ["1.1.1"]),
            ("00400275.00401001=RP1&00400275.00400009=SPS2", []),
            ("PatientName=muller*", ["1.1.1", "1.1.2"]),
        ],
    )
    async def test_series(self, archive: Archive, query: str, expected: list[str]) -> None:
        assert await found(archive, f"/studies/1.1/series?{query}", "0020000E") == expected
        assert await found(archive, f"/series?{query}&StudyInstanceUID=1.1", "0020000E") == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("SOPInstanceUID=1.1.1.2", ["1.1.1.2"]),
            ("InstanceNumber=3", ["1.1.1.3"]),
            ("SliceThickness=2", ["1.1.1.2"]),
            ("SOPClassUID=1.2.3", []),
            ("InstanceNumber=1&Modality=SR", ["1.1.2.1"]),
        ],
    )
    async def test_instances(self, archive: Archive, query: str, expected: list[str]) -> None:
        assert await found(archive, f"/studies/1.1/instances?{query}", "00080018") == expected

    @pytest.mark.parametrize(
        ("query", "detail"),
        [
            ("Patientname=x", "parameter Patientname: the case of letters counts"),
            ("PatientNam=x", "key PatientNam: expected a keyword"),
            ("StudyDate=yesterday", "key StudyDate: expected YYYYMMDD"),
            ("PatientID=1&00100020=1", "key 00100020: the attribute is given twice"),
            ("limit=-1", "parameter limit"),
            ("fuzzymatching=maybe", "parameter fuzzymatching: expected true or false"),
            ("PatientID=%FF", "not UTF-8"),
            ("00091001=x", "needs its private creator"),
        ],
    )
    async def test_refusals_say_why(self, archive: Archive, query: str, detail: str) -> None:
        response = await archive.get(f"/studies?{query}")
        assert response.status_code == 400
        assert detail in response.json()["detail"]


class TestHostileInput:
    @pytest.mark.parametrize(
        ("query", "statuses"),
        [
            ("&".join(f"{0x00100000 + n:08X}=x" for n in range(2500)), {400, 413}),
            ("&".join(["includefield=PatientID"] * 2500), {400, 413}),
            ("includefield=" + ",".join(f"{n:08X}" for n in range(5000)), {400, 413}),
            ("PatientName=" + "*a" * 4000, {200}),
            ("PatientID=" + "*a?" * 2700 + "b", {200}),
            ("PatientID=" + "[" * 8000, {200}),
            ("StudyInstanceUID=" + ",".join(f"1.{n}" for n in range(4000)), {200}),
            ("ModalitiesInStudy=" + ",".join(f"M{n}" for n in range(4000)), {200}),
            ("StudyDate=" + "-" * 8000, {400}),
            ("&".join(["x"] * 600), {400}),
            ("PatientID=" + "9" * 20_000, {400}),
        ],
    )
    async def test_is_answered_at_once(self, archive: Archive, query: str, statuses: Sequence[int]) -> None:
        with at_most(1):
            response = await archive.get(f"/studies?{query}")
            assert response.status_code in statuses
