"""Reports as pages and text, waveforms as drawings."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicomweb_server.dicom.data_set import DataSet, data_set_of
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering.report import is_report, report_html, report_text
from dicomweb_server.dicom.rendering.waveform import waveform_channels, waveform_svg
from dicomweb_server.errors import ServerError
from tests.builders import make_dataset, write_part10
from tests.real_files import REAL_FILES, tolerant_pydicom


def opened(data: bytes) -> DataSet:
    return data_set_of(open_part10(data))


def real(name: str) -> bytes:
    return next(path for path in REAL_FILES if path.name == name).read_bytes()


def content(kind: str, name: str, **attributes: Any) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = [code(name)]
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def code(meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "99X", meaning
    return item


def report(*items: Dataset) -> bytes:
    dataset = make_dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33", ValueType="CONTAINER", PatientName="A<B^C")
    dataset.ConceptNameCodeSequence = [code("Report & more")]
    dataset.ContentSequence = list(items)
    return write_part10(dataset)


def measured(value: str, unit: str) -> Dataset:
    item = Dataset()
    item.NumericValue, item.MeasurementUnitsCodeSequence = value, [code(unit)]
    return item


def test_all_of_a_report_is_told() -> None:
    inner = content("CONTAINER", "Findings", ContentSequence=[content("TEXT", "Finding", TextValue="None seen")])
    data = report(
        inner,
        content("NUM", "Diameter", MeasuredValueSequence=[measured("3.5", "mm")]),
        content("CODE", "Site", ConceptCodeSequence=[code("Liver")]),
        content("PNAME", "Observer", PersonName="Doe^Jane"),
    )
    text = report_text(opened(data))
    assert "Report & more" in text
    assert "Findings\n  Finding: None seen\nDiameter: 3.5 mm\nSite: Liver\nObserver: Doe Jane" in text


def test_nothing_of_a_report_becomes_markup() -> None:
    page = report_html(opened(report(content("TEXT", "<b>", TextValue="<script>alert('x')</script>"))))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "A&lt;B C" in page
    assert page.count("<ul>") == page.count("</ul>")


@pytest.mark.parametrize("name", ["test-SR.dcm", "reportsi.dcm", "reportsi_with_empty_number_tags.dcm"])
def test_real_reports(name: str) -> None:
    data_set = opened(real(name))
    assert is_report(data_set)
    assert len(report_html(data_set)) > 1000
    said = {part for part in re.split(r"[\n:]", report_text(data_set)) if part}
    assert len(said) > 10


def test_a_report_that_contains_itself_in_depth_ends() -> None:
    item = content("CONTAINER", "deepest")
    for level in range(30):
        item = content("CONTAINER", f"level {level}", ContentSequence=[item])
    assert "level 0" in report_text(opened(report(item)))


def test_channels_as_pydicom_reads_them() -> None:
    data = real("waveform_ecg.dcm")
    with tolerant_pydicom():
        dataset = next(path for path in REAL_FILES if path.name == "waveform_ecg.dcm")
        expected = pydicom.dcmread(dataset).waveform_array(0) / 1000  # microvolts
    channels = waveform_channels(opened(data))
    assert [channel.label for channel in channels][:3] == ["I", "II", "III"]
    for number, channel in enumerate(channels):
        assert channel.is_voltage
        assert np.allclose(channel.values, expected[:, number])


def test_the_drawing_is_to_scale() -> None:
    root = ElementTree.fromstring(waveform_svg(opened(real("waveform_ecg.dcm")), annotated=True))
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 12
    points = [point.split(",") for point in lines[1].attrib["points"].split()]
    assert float(points[-1][0]) == pytest.approx(10 * 25, abs=1)  # ten seconds of 25 mm
    heights = [-float(point[1]) for point in points]
    lead = waveform_channels(opened(real("waveform_ecg.dcm")))[1].values
    assert max(heights) - min(heights) == pytest.approx((lead.max() - lead.min()) * 10, abs=0.2)


def waveform(**changed: Any) -> bytes:
    group = Dataset()
    values: dict[str, Any] = {
        "NumberOfWaveformChannels": 2, "NumberOfWaveformSamples": 4, "SamplingFrequency": 10,
        "WaveformBitsAllocated": 16, "WaveformSampleInterpretation": "SS", "WaveformData": bytes(range(16)),
    }  # fmt: skip
    for keyword, value in (values | changed).items():
        if value is not None:
            setattr(group, keyword, value)
    if "WaveformData" in group:
        group["WaveformData"].VR = "OW"
    return write_part10(make_dataset(WaveformSequence=[group]))


def test_a_waveform_without_definitions() -> None:
    channels = waveform_channels(opened(waveform()))
    assert [channel.label for channel in channels] == ["1", "2"]
    assert channels[1].values.tolist() == [0x0302, 0x0706, 0x0B0A, 0x0F0E]
    assert "polyline" in waveform_svg(opened(waveform()))


@pytest.mark.parametrize(
    "changed",
    [
        {"NumberOfWaveformChannels": 0},
        {"NumberOfWaveformChannels": 60000},
        {"NumberOfWaveformSamples": 0},
        {"SamplingFrequency": 0},
        {"SamplingFrequency": None},
        {"WaveformSampleInterpretation": "MB"},
        {"WaveformData": b""},
        {"WaveformData": None},
    ],
)
def test_waveforms_that_cannot_be_drawn(changed: dict[str, Any]) -> None:
    with pytest.raises(ServerError):
        waveform_svg(opened(waveform(**changed)))
    with pytest.raises(ServerError):
        waveform_svg(opened(write_part10(make_dataset())))
