"""PURE: dates and times in another time zone, for queries that are meant in one (PS3.4 §C.5.1.1, byte 4)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dicomweb_server.dicom.query import Match, MatchKind

TIMEZONE = "00080201"  # Timezone Offset From UTC
# The dates and times that make one moment (PS3.4 C.2.2.2.5.4).
DATE_TIME_PAIRS = (
    (0x00400002, 0x00400003),
    (0x00080020, 0x00080030),
    (0x00080021, 0x00080031),
    (0x00080022, 0x00080032),
    (0x00080023, 0x00080033),
    (0x00400244, 0x00400245),
    (0x00400250, 0x00400251),
)
PARTNERS: Mapping[int, int] = {tag: other for pair in DATE_TIME_PAIRS for tag, other in (pair, pair[::-1])}
_OFFSET = re.compile(r"([+-])(0\d|1[0-4])([0-5]\d)", re.ASCII)
_MOMENT = re.compile(r"(\d{8})(\d\d)(\d\d)?([\d.]*)", re.ASCII)


def offset_minutes(text: str) -> int | None:
    """An offset from UTC (&ZZXX) in minutes; None if it is none."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return minutes if found[1] == "+" else -minutes


def offset_text(minutes: int) -> str:
    """And back."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{rest:02}"


def adjusted(document: Mapping[str, Any], minutes: int) -> Mapping[str, Any]:
    """A data set in DICOM JSON with its dates and times in a zone; as it is, if it does not say in which they are.

    A date without its time stays, for nobody knows whether it is another day there.
    """
    own = offset_minutes(_only(document, TIMEZONE))
    if own is None:
        return document
    changed = {TIMEZONE: {"vr": "SH", "Value": [offset_text(minutes)]}}
    for date_tag, time_tag in DATE_TIME_PAIRS:
        date, time = f"{date_tag:08X}", f"{time_tag:08X}"
        moment = _moved(_only(document, date).replace(".", ""), _only(document, time).replace(":", ""), minutes - own)
        if moment is not None:
            changed |= {date: {"vr": "DA", "Value": [moment[0]]}, time: {"vr": "TM", "Value": [moment[1]]}}
    return {**document, **changed}


def _only(document: Mapping[str, Any], tag: str) -> str:
    values = document.get(tag, {}).get("Value") or []
    return str(values[0]).strip() if len(values) == 1 else ""


def _moved(date: str, time: str, minutes: int) -> tuple[str, str] | None:
    """The moment so many minutes later on the clock, with the precision that it has."""
    found = _MOMENT.fullmatch(date + time) if len(date) == len("YYYYMMDD") else None
    if found is None:
        return None
    day, hour, minute, rest = found.groups()
    try:
        moment = datetime.strptime(f"{day}{hour}{minute or '00'}", "%Y%m%d%H%M") + timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        return None
    clock = f"{moment:%H%M}{rest}" if minute or minutes % 60 else f"{moment:%H}"
    return f"{moment:%Y%m%d}".rjust(8, "0"), clock


def a_day_wider(match: Match) -> Match | None:
    """A key for a date with the days before and behind it; None for any other, and for what is unbounded then."""
    if match.vr != "DA" or match.kind not in (MatchKind.SINGLE, MatchKind.RANGE):
        return None
    bounds = _other_day(match.values[0], -1), _other_day(match.values[-1], 1)
    return replace(match, kind=MatchKind.RANGE, values=bounds) if any(bounds) else None


def _other_day(date: str, days: int) -> str:
    if not date:
        return ""
    try:
        return f"{datetime.strptime(date, '%Y%m%d') + timedelta(days=days):%Y%m%d}".rjust(8, "0")
    except (ValueError, OverflowError):
        return ""
