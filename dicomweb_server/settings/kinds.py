"""The kinds of values that options take: each reads a raw value and says in words what it allows. No I/O."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dicomweb_server.settings.tables import as_table

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BINARY_UNITS = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*([a-zA-Z]*)")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class Kind(Protocol):
    """Reads one raw value: text from a flag or the environment, or a TOML or JSON value from a file."""

    @property
    def allowed(self) -> str:
        """What is allowed, in words that fit after "allowed is"."""

    def read(self, raw: object) -> object:
        """The value; ValueError where it is not allowed."""


@dataclass(frozen=True, slots=True)
class Toggle:
    """True or false."""

    allowed: str = "true or false"

    def read(self, raw: object) -> bool:
        """A boolean, or one of the usual words for one."""
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.strip().lower() in _TRUE | _FALSE:
            return raw.strip().lower() in _TRUE
        raise ValueError(raw)


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number between two bounds."""

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.minimum} to {self.maximum}"

    def read(self, raw: object) -> int:
        """A number, or decimal digits."""
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise ValueError(raw)
        number = int(raw)
        if not self.minimum <= number <= self.maximum:
            raise ValueError(raw)
        return number


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port, or none at all."""

    allowed: str = "a port from 0 (any free one) to 65535, or none"

    def read(self, raw: object) -> int | None:
        """A number or its text; None for "none"."""
        if raw is None or (isinstance(raw, str) and raw.strip().lower() == "none"):
            return None
        return Integer(0, 65535).read(raw)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration in seconds between two bounds."""

    minimum: float
    maximum: float

    @property
    def allowed(self) -> str:
        return f"seconds, from {self.minimum:g} to {self.maximum:g}"

    def read(self, raw: object) -> float:
        """A number, or its decimal text."""
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            raise ValueError(raw)
        number = float(raw)
        if not self.minimum <= number <= self.maximum:
            raise ValueError(raw)
        return number


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, with or without a unit."""

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        return f'bytes from {self.minimum} to {self.maximum}, or with a unit as in "500 MB" or "2 GiB"'

    def read(self, raw: object) -> int:
        """A number of bytes, or text such as `2 GB`."""
        found = None if isinstance(raw, bool) else _SIZE.fullmatch(str(raw).strip())
        unit = (_UNITS | _BINARY_UNITS).get(found[2].lower()) if found else None
        if found is None or unit is None:
            raise ValueError(raw)
        number = int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit
        if not self.minimum <= number <= self.maximum:
            raise ValueError(raw)
        return number


@dataclass(frozen=True, slots=True)
class Text:
    """A text that a pattern describes; `optional` lets it be empty, which reads as None."""

    allowed: str
    pattern: str = r"[^\x00-\x1f\x7f]+"
    optional: bool = False

    def read(self, raw: object) -> str | None:
        """The text without white space around it."""
        if not isinstance(raw, str):
            raise ValueError(raw)
        text = raw.strip()
        if not text and self.optional:
            return None
        if not re.fullmatch(self.pattern, text):
            raise ValueError(raw)
        return text


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.words)

    def read(self, raw: object) -> str:
        """The word in lower case."""
        if not isinstance(raw, str) or raw.strip().lower() not in self.words:
            raise ValueError(raw)
        return raw.strip().lower()


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path of a file or folder; `optional` lets it be empty, which reads as None."""

    allowed: str = "a path"
    optional: bool = False

    def read(self, raw: object) -> Path | None:
        """The path with `~` expanded."""
        if not isinstance(raw, str | Path):
            raise ValueError(raw)
        text = str(raw).strip()
        if not text and self.optional:
            return None
        if not text or "\0" in text:
            raise ValueError(raw)
        return Path(text).expanduser()


@dataclass(frozen=True, slots=True)
class Several:
    """A list of values of one kind; as text, separated by commas."""

    item: Kind

    @property
    def allowed(self) -> str:
        return f"a list (as text: separated by commas), each: {self.item.allowed}"

    def read(self, raw: object) -> tuple[object, ...]:
        """The values in their order."""
        if isinstance(raw, str):
            raw = [word for word in (part.strip() for part in raw.split(",")) if word]
        if not isinstance(raw, list | tuple):
            raise ValueError(raw)
        return tuple(self.item.read(word) for word in raw)


@dataclass(frozen=True, slots=True)
class Users:
    """User names and password hashes; as text `name:hash` separated by commas."""

    allowed: str = (
        'a table of user name = hash, each hash as printed by "dicomweb-server hash-password"'
        " (as text: name:hash, separated by commas)"
    )
    pattern: str = field(default=r"scrypt\$\d+\$\d+\$\d+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+", repr=False)

    def read(self, raw: object) -> dict[str, str]:
        """A mapping of user name to hash."""
        users: dict[str, str] = {}
        for name, value in as_table(raw, separator=":").items():
            if not name or ":" in name or not isinstance(value, str) or not re.fullmatch(self.pattern, value):
                raise ValueError(f"user {name}")
            users[name] = value
        return users
