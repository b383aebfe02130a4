"""Annotation: who the patient is and how the image was made, written into the image (PS3.18 §8.3.5.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

from dicomweb_server.dicom.arrays import Image, ImageDraw
from dicomweb_server.dicom.data_set import DataSet
from dicomweb_server.dicom.rendering.lettering import LINE_HEIGHT, Ink, draw_text
from dicomweb_server.dicom.rendering.options import Annotation

_NAME, _ID, _BIRTH_DATE, _SEX = 0x00100010, 0x00100020, 0x00100030, 0x00100040
_STUDY_DATE, _STUDY_TIME, _ACCESSION = 0x00080020, 0x00080030, 0x00080050
_MODALITY, _MODEL, _DESCRIPTION = 0x00080060, 0x00081090, 0x0008103E
_THICKNESS, _LOCATION, _KVP, _CURRENT = 0x00180050, 0x00201041, 0x00180060, 0x00181151
_REPETITION_TIME, _ECHO_TIME, _BODY_PART = 0x00180080, 0x00180081, 0x00180015
_SERIES_NUMBER, _INSTANCE_NUMBER = 0x00200011, 0x00200013
_MOST_CHARACTERS = 64

_QUANTITIES = (
    ("kV", _KVP),
    ("mA", _CURRENT),
    ("TR", _REPETITION_TIME),
    ("TE", _ECHO_TIME),
    ("mm", _THICKNESS),
    ("loc", _LOCATION),
)


def patient_lines(data_set: DataSet) -> list[str]:
    """Name, identifier, birth date and sex, date and time of the study."""
    # Alphabetic, or if that is empty ideographic or phonetic (PS3.5 §6.2.1).
    name = next(filter(None, data_set.text(_NAME).split("=")), "").replace("^", " ").strip()
    birth = _date(data_set.text(_BIRTH_DATE))
    lines = (
        name,
        data_set.text(_ID),
        " ".join(filter(None, (f"*{birth}" if birth else "", data_set.text(_SEX)))),
        " ".join(filter(None, (_date(data_set.text(_STUDY_DATE)), _time(data_set.text(_STUDY_TIME))))),
        data_set.text(_ACCESSION),
    )
    return [line[:_MOST_CHARACTERS] for line in lines if line]


def technique_lines(data_set: DataSet) -> list[str]:
    """Modality and device, series and instance, what was done, and its quantities."""
    numbers = "/".join(filter(None, (data_set.text(_SERIES_NUMBER), data_set.text(_INSTANCE_NUMBER))))
    quantities = [f"{label} {number:g}" for label, tag in _QUANTITIES if (number := data_set.number(tag)) is not None]
    lines = (
        " ".join(filter(None, (data_set.text(_MODALITY), data_set.text(_MODEL)))),
        f"# {numbers}" if numbers else "",
        data_set.text(_DESCRIPTION),
        data_set.text(_BODY_PART),
        *(" ".join(quantities[first : first + 3]) for first in range(0, len(quantities), 3)),
    )
    return [line[:_MOST_CHARACTERS] for line in lines if line]


def annotated(image: Image.Image, data_set: DataSet, annotations: Sequence[Annotation]) -> Image.Image:
    """The image with patient data at the top left and the technique at the bottom left."""
    if not annotations:
        return image
    image = image.convert("L") if image.mode == "I;16" else image.copy()
    draw, size = ImageDraw.Draw(image), max(10, min(image.size) // 32)
    white: Ink = 255 if image.mode == "L" else (255, 255, 255)
    black: Ink = 0 if image.mode == "L" else (0, 0, 0)
    if Annotation.PATIENT in annotations:
        draw_text(draw, (4, 4), "\n".join(patient_lines(data_set)), size, white, black)
    if Annotation.TECHNIQUE in annotations:
        lines = technique_lines(data_set)
        top = max(0, image.height - len(lines) * size * LINE_HEIGHT - 6)
        draw_text(draw, (4, top), "\n".join(lines), size, white, black)
    return image


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) >= 8 and text[:8].isdigit() else ""


def _time(text: str) -> str:
    return f"{text[:2]}:{text[2:4]}" if len(text) >= 4 and text[:4].isdigit() else ""
