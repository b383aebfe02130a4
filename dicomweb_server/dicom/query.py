"""Query: what a search asks for, whichever protocol asked (QIDO-RS, C-FIND, /tools/find)."""

from dataclasses import dataclass, field
from enum import Enum

from dicomweb_server.dicom.attributes import Level


class MatchKind(Enum):
    """The kinds of matching of PS3.4 C.2.2.2."""

    SINGLE = "single value"
    UID_LIST = "list of UID"
    WILDCARD = "wildcard"
    RANGE = "range"
    MULTIPLE = "multiple values"
    EMPTY = "empty value"
    UNIVERSAL = "universal"


@dataclass(frozen=True, slots=True)
class Match:
    """One matching key. `path`: tags from the top of the data set down, more than one for an attribute in a sequence.

    `values`: one text for SINGLE and WILDCARD; the list for UID_LIST and MULTIPLE; (low, high) for RANGE, either may
    be ""; none for EMPTY and UNIVERSAL. `private_creator`: for a private tag, the creator of its block; the tag then
    has the element's low byte only (gggg00ee).
    """

    path: tuple[int, ...]
    vr: str
    kind: MatchKind
    values: tuple[str, ...] = ()
    private_creator: str | None = None


@dataclass(frozen=True, slots=True)
class Include:
    """An attribute asked for in the answer beside the required ones."""

    path: tuple[int, ...]
    private_creator: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key."""

    tag: int
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level. `study_uid`, `series_uid`: the parents named in the path of the resource.

    `relational`: the level's parents were not named, so that their attributes are answered too (PS3.18 §10.6.1.2).
    """

    level: Level
    study_uid: str | None = None
    series_uid: str | None = None
    matches: tuple[Match, ...] = ()
    include: tuple[Include, ...] = ()
    include_all: bool = False
    fuzzy: bool = False
    combined_datetime: bool = False
    limit: int | None = None
    offset: int = 0
    order: tuple[Order, ...] = field(default=())
    count_total: bool = False
