"""Names with numbers, by which users' metadata and attachments are kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_FIRST, _LAST = 1024, 65535


@dataclass(frozen=True, slots=True)
class NumberedNames:
    """A mapping of names to numbers of their own; as text `name:number` separated by commas."""

    allowed: str = (
        f"a table of name = number, each number from {_FIRST} to {_LAST} and once (as text: name:number, separated by "
        "commas)"
    )
    pattern: str = field(default=r"[A-Za-z][A-Za-z0-9_-]{0,63}", repr=False)

    def read(self, raw: object) -> dict[str, int]:
        """The mapping, checked. Orthanc's attachments are a number, or a list of it and a media type."""
        if isinstance(raw, str):
            pairs = [part.strip().partition(":") for part in raw.split(",") if part.strip()]
            raw = {name.strip(): value.strip() for name, _, value in pairs}
        if not isinstance(raw, Mapping):
            raise ValueError(raw)
        found = {name: self._number(value) for name, value in raw.items()}
        if any(not isinstance(name, str) or not re.fullmatch(self.pattern, name) for name in found):
            raise ValueError(raw)
        if len(set(found.values())) < len(found):
            raise ValueError(raw)
        return found

    @staticmethod
    def _number(value: object) -> int:
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value[:9])
        if isinstance(value, bool) or not isinstance(value, int) or not _FIRST <= value <= _LAST:
            raise ValueError(value)
        return value


NUMBERS = NumberedNames()
ATTACHMENT_NUMBERS = NumberedNames()
