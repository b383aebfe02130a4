"""Shifted dates: DA and DT moved by whole days, in the precision they have. Times of day stay."""

import re
from collections.abc import Callable
from datetime import date, timedelta

_DATE = re.compile(r"(\d{4})\.?(\d{2})?\.?(\d{2})?(.*)", re.DOTALL)


def shifted(text: str, days: int) -> str | None:
    """The date (and what follows it) so many days later; None if it is no date."""
    match = _DATE.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    year, month, day, rest = match.groups()
    if rest and (day is None or not re.fullmatch(r"\d{2,6}(\.\d{1,6})?([+-]\d{4})?|[+-]\d{4}", rest)):
        return None
    try:
        moved = date(int(year), int(month or 1), int(day or 1)) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    full = f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
    return full[: 4 + 2 * (month is not None) + 2 * (day is not None)] + (rest or "")


def shift_values(raw: bytes, days: int, dummy: Callable[[], bytes]) -> bytes:
    """All values of an element; a dummy in place of all if one of them is no date."""
    values = raw.decode("ascii", "replace").split("\\")
    moved = [shifted(value, days) if value.strip(" \0") else "" for value in values]
    if any(value is None for value in moved):
        return dummy()
    text = "\\".join(value or "" for value in moved).encode("ascii")
    return text + b" " * (len(text) % 2)
