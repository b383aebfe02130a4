"""Links to viewers as a configuration writes them."""

import pytest

from dicomweb_server.settings.viewer_links import ViewerLinks

WEASIS = "weasis://%24dicom%3Ars%20--url%20%22{dicomweb}%22%20-r%20%22studyUID%3D{study}%22"


def test_a_table_and_a_text() -> None:
    table = {"Weasis": WEASIS, "Our viewer": "https://viewer.example/?study={study}&series={series}", "here": "/v"}
    assert list(ViewerLinks().read(table).items()) == list(table.items())
    assert ViewerLinks().read("A=a:x={study}, B=/b") == {"A": "a:x={study}", "B": "/b"}
    assert ViewerLinks().read("") == {}


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        "Weasis",
        {"Weasis": 5},
        {"": "a:b"},
        {"a=b": "a:b"},
        {"a": "viewer.example"},
        {"a": "https://viewer.example/ {study}"},
        {"a": "https://viewer.example/{patient}"},
        {"a": "javascript:alert(1)"},
        {"a": "JavaScript:alert(1)"},
        {"a": "data:text/html,x"},
    ],
)
def test_what_is_no_link(wrong: object) -> None:
    with pytest.raises(ValueError):
        ViewerLinks().read(wrong)
