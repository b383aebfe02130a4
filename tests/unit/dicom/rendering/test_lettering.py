"""Text in the fonts that there are."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dicomweb_server.dicom.data_set import data_set_of
from dicomweb_server.dicom.header import open_part10
from dicomweb_server.dicom.rendering import lettering
from dicomweb_server.dicom.rendering.annotation import patient_lines
from dicomweb_server.dicom.rendering.lettering import draw_text, has_letter, legible
from tests.builders import make_dataset, write_part10

NAMES = (
    "Jane Doe",
    "J\u00e4ger",
    "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1",
    "\u5c71\u7530",
    "\uae40\ud76c",
    "\u0639\u0645\u0631",
)


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_FILES", ())


@pytest.mark.parametrize("name", NAMES)
def test_every_letter_that_is_drawn_is_one_that_the_font_has(name: str) -> None:
    said, file = legible(name)
    assert all(has_letter(file, letter) for letter in said)
    if any(all(has_letter(other, letter) for letter in name) for other in lettering._FILES):
        assert said == name


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_accents_are_left_out_and_other_letters_are_marked() -> None:
    assert legible("Jane Doe")[0] == "Jane Doe"
    assert legible("J\u00e4ger 2\u00b2")[0] == "Jager 22"
    assert legible("\u5c71\u7530 (T)")[0] == "?? (T)"
    assert legible("\uae40\ud76c (T)")[0] == "?? (T)"


def test_a_font_that_is_not_there_has_no_letters() -> None:
    assert not has_letter("no such font.ttf", "a")


def test_lines_are_below_each_other() -> None:
    image = Image.new("L", (200, 100))
    draw_text(ImageDraw.Draw(image), (2, 2), "one\n\nthree", 20, 255, 0)
    rows = np.asarray(image).max(axis=1)
    assert rows[2:27].max() == 255
    assert rows[30:54].max() == 0
    assert rows[56:85].max() == 255


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Yamada^Taro=\u5c71\u7530^\u592a\u90ce", "Yamada Taro"),
        ("=\u5c71\u7530^\u592a\u90ce", "\u5c71\u7530 \u592a\u90ce"),
    ],
)
def test_which_name_of_a_patient_is_shown(name: str, shown: str) -> None:
    data = write_part10(make_dataset(SpecificCharacterSet="ISO_IR 192", PatientName=name))
    assert patient_lines(data_set_of(open_part10(data)))[0] == shown
