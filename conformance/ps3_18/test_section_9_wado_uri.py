"""PS3.18 chapter 9: WADO-URI. The service is at /wado of the server that has the DICOMweb root."""

import io
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from conformance.archive import Archive
from conformance.requirement import requires
from conformance.samples import Sample, add_pixels, make, new_uid, sample
from conformance.service import Service, is_problem

PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"
Get = Callable[..., httpx.Response]


@pytest.fixture
def get(service: Service) -> Get:
    """Ask for a sample; a parameter given as None is left out."""

    def ask(one: Sample, accept: str | None = None, **query: str | None) -> httpx.Response:
        known = {"requestType": "WADO", "studyUID": one.study, "seriesUID": one.series, "objectUID": one.instance}
        asked = {name: value for name, value in (known | query).items() if value is not None}
        url = str(httpx.URL(service.root).copy_with(path="/wado")) + "?" + urlencode(asked)
        return service.http.get(url, headers={"Accept": accept} if accept else {})

    return ask


@requires("PS3.18 §9.1")
@pytest.mark.parametrize("missing", ["requestType", "studyUID", "seriesUID", "objectUID"])
def test_all_identifiers_are_needed(get: Get, archive: Archive, missing: str) -> None:
    response = get(archive.ct[0], **{missing: None})
    assert response.status_code == 400
    assert is_problem(response)


@requires("PS3.18 §9.1.2.2.1")
@pytest.mark.parametrize("accept", [None, "*/*"])
def test_an_image_is_jpeg_unless_something_else_is_asked_for(get: Get, archive: Archive, accept: str | None) -> None:
    assert get(archive.ct[0], accept).headers["content-type"] == "image/jpeg"
    assert get(archive.ct[0], accept, contentType="image/png").headers["content-type"] == "image/png"


@requires("PS3.18 §9.1.2.2.1")
def test_the_instance_itself(get: Get, archive: Archive) -> None:
    response = get(archive.ct[0], contentType="application/dicom")
    assert response.headers["content-type"].startswith("application/dicom")
    assert response.content == archive.ct[0].data


@requires("PS3.18 §9.4.2.4")
def test_a_transfer_syntax_of_a_picture_answers_400(get: Get, archive: Archive) -> None:
    assert get(archive.ct[0], contentType="image/jpeg", transferSyntax="1.2.840.10008.1.2.1").status_code == 400


@requires("PS3.18 §9.1.2.2.4")
def test_nobody_is_named_where_anonymity_is_asked_for(get: Get, archive: Archive) -> None:
    response = get(archive.ct[0], contentType="application/dicom", anonymize="yes")
    assert response.status_code >= 400 or archive.patient_id.encode() not in response.content


@requires("PS3.18 §9.1.2.2")
@pytest.mark.parametrize(
    "query",
    [
        {"windowCenter": "1"}, {"windowWidth": "1"}, {"frameNumber": "0"}, {"frameNumber": "99"}, {"frameNumber": "x"},
        {"rows": "0"}, {"region": "0,0,2,2"}, {"imageQuality": "0"}, {"presentationUID": "1.2"},
        {"presentationUID": "1.2", "presentationSeriesUID": "1.3", "windowCenter": "1", "windowWidth": "1"},
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_obeyed_answer_400(get: Get, archive: Archive, query: dict[str, str]) -> None:
    response = get(archive.odd, **query)
    assert response.status_code == 400
    assert is_problem(response)


@requires("PS3.18 §9.1")
def test_parents_are_checked(get: Get, archive: Archive) -> None:
    assert get(archive.ct[0], seriesUID=archive.odd.series).status_code == 404
    assert get(archive.ct[0], studyUID=archive.second.study).status_code == 404


@requires("PS3.18 §9.1.2.2")
def test_rows_and_columns_limit_the_size(get: Get, archive: Archive) -> None:
    shown = Image.open(io.BytesIO(get(archive.odd, rows="20", columns="100").content))
    assert shown.size == (20, 20)


@requires("PS3.18 §9.5.1.2.7")
def test_a_presentation_state_is_named_by_its_series_and_itself(service: Service, get: Get) -> None:
    one = sample(add_pixels(make(), bytes(range(0, 250, 10)), 5, 5))
    assert service.store(one.data).status_code == 200
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = one.dataset.SOPClassUID, one.instance
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = one.series, [image]
    state = make(PRESENTATION_STATE, "PR", study=one.study)
    state.ReferencedSeriesSequence, state.PresentationLUTShape = [series], "INVERSE"
    stored = sample(state)
    assert service.store(stored.data).status_code == 200
    shown = get(one, contentType="image/png", presentationSeriesUID=stored.series, presentationUID=stored.instance)
    assert shown.status_code == 200
    state.PresentationLUTShape, state.SOPInstanceUID = "IDENTITY", new_uid()
    other = sample(state)
    assert service.store(other.data).status_code == 200
    plain = get(one, contentType="image/png", presentationSeriesUID=other.series, presentationUID=other.instance)
    first, second = (np.asarray(Image.open(io.BytesIO(response.content)), dtype=int) for response in (shown, plain))
    assert np.abs(first + second - 255).max() <= 1
