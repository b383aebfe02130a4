"""Values as they are compared by searches (PS3.4 C.2.2.2): matching and the index's tables share these rules; no I/O.

Dates and times compare as text, so that an index can order them: a bound of a range is cut or filled to fit.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from dicomweb_server.dicom.folding import fold

NUMBER_VRS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
INTEGER_VRS = NUMBER_VRS - {"DS", "FD", "FL"}
DATE_TIME_VRS = frozenset({"DA", "DT", "TM"})
# PS3.4 C.2.2.2.4: the value representations that have wildcards.
WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
# Text with one value, in which a backslash is a character.
SINGLE_TEXT_VRS = frozenset({"LT", "ST", "UR", "UT"})
MATCHABLE_VRS = NUMBER_VRS | DATE_TIME_VRS | WILDCARD_VRS | {"AS", "AT", "UI"}

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)


def comparable(vr: str, text: str) -> str:
    """One stored value (of a person name: one component group) in the form in which it is compared."""
    if vr == "PN":
        return fold(text).strip(" ").rstrip("^ ")
    if vr == "DA":
        return text.strip().replace(".", "")  # 1998.01.28 of ACR-NEMA
    if vr == "TM":
        return text.strip().replace(":", "")
    if vr == "DT":
        bounds = instant_bounds(text.strip())
        return bounds[0] if bounds else ""
    if vr in NUMBER_VRS:
        return number(text)
    return text.strip(" \0") if vr not in ("LT", "ST", "UT", "UC") else text.rstrip(" \0")


def number(text: str) -> str:
    """A number in one spelling for each value; other text as it is."""
    text = text.strip()
    try:
        return str(int(text)) if len(text) < 30 and "_" not in text else text
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def person_groups(text: str) -> list[str]:
    """Component groups of one person name in comparable form; empty ones as ""."""
    return [comparable("PN", group) for group in text.split("=")]


def date_text(text: str) -> str | None:
    """A date of a key, checked against the calendar; None if it is none."""
    parts = _DATE.fullmatch(text.replace(".", ""))
    if parts is None:
        return None
    try:
        date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        return None
    return parts[0]


def time_bounds(text: str) -> tuple[str, str] | None:
    """The first and the last moment that a time of a key names: 10 is 10:00:00 to 10:59:59.999999 (PS3.5 table 6.2-1).

    The first loses its trailing zeros: a stored time of less precision is its prefix, and equal.
    """
    parts = _TIME.fullmatch(text.replace(":", ""))
    if parts is None:
        return None
    hour, minute, second, fraction = parts.groups()
    high = f"{hour}{minute or '59'}{second or '59'}.{(fraction or '').ljust(6, '9')}"
    return _without_zeros(hour, minute or "00", second or "00", (fraction or "").rstrip("0")), high


def _without_zeros(hour: str, minute: str, second: str, fraction: str) -> str:
    if fraction:
        return f"{hour}{minute}{second}.{fraction}"
    if second != "00":
        return f"{hour}{minute}{second}"
    return f"{hour}{minute}" if minute != "00" else hour


def instant_bounds(text: str) -> tuple[str, str] | None:
    """The first and the last instant that a DT value names, in UTC; without an offset it is taken as UTC."""
    parts = _DATE_TIME.fullmatch(text)
    zone = _zone(parts[8]) if parts else None
    if parts is None or zone is None:
        return None
    year, month, day, hour, minute, second, fraction = (parts[n] for n in range(1, 8))
    try:
        low = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), tzinfo=zone)
        low += timedelta(seconds=int(second or 0), microseconds=int((fraction or "0").ljust(6, "0")))
        high = _last_of(low, [month, day, hour, minute, second], fraction)
        return _instant(low), _instant(high)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str | None) -> timezone | None:
    if offset is None:
        return UTC
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    if int(offset[3:]) > 59 or not -12 * 60 <= (minutes if offset[0] == "+" else -minutes) <= 14 * 60:
        return None
    return timezone(timedelta(minutes=minutes if offset[0] == "+" else -minutes))


def _last_of(low: datetime, components: list[str | None], fraction: str | None) -> datetime:
    """The last microsecond of the period that starts at `low` and whose missing components are None."""
    month, day, hour, minute, second = components
    if month is None:
        # There is no year 10000: the last microsecond but one serves.
        end = low.replace(year=low.year + 1) if low.year < 9999 else datetime.max.replace(tzinfo=low.tzinfo)
    elif day is None:
        end = (low + timedelta(days=31)).replace(day=1)
    elif hour is None:
        end = low + timedelta(days=1)
    elif minute is None:
        end = low + timedelta(hours=1)
    elif second is None:
        end = low + timedelta(minutes=1)
    else:
        end = low + timedelta(microseconds=10 ** (6 - len(fraction or "")))
    return end - timedelta(microseconds=1)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f").rjust(21, "0")
