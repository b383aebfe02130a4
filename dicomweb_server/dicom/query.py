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
    """One matching key, made by `matching_key.matching_keys`, with values in the forms of `comparable.comparable`.

    `path`: tags from the top of the data set down, more than one for an attribute in a sequence. `values`: one text
    for SINGLE and WILDCARD; the list for UID_LIST; (low, high) for RANGE, either may be ""; none otherwise.
    `alternatives`: the keys of MULTIPLE, one of which has to match. `private_creator`: of the blocks of the private
    tags in the path; these tags then have the element's low byte only (gggg00ee).
    """

    path: tuple[int, ...]
    vr: str
    kind: MatchKind
    values: tuple[str, ...] = ()
    private_creator: str | None = None
    alternatives: tuple["Match", ...] = ()


@dataclass(frozen=True, slots=True)
class Include:
    """An attribute asked for in the answer beside the required ones. `private_creator`: as in `Match`."""

    path: tuple[int, ...]
    private_creator: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key: an indexed attribute of the level of the search or above it."""

    tag: int
    descending: bool = False


class LabelsConstraint(Enum):
    """How many of some labels a resource must have."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class View:
    """A part of what is stored: studies by their labels, with all that is below them, and the patients they are of."""

    labels: tuple[str, ...]
    constraint: LabelsConstraint = LabelsConstraint.ALL


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level. `study_uid`, `series_uid`: the parents named in the path of the resource.

    The attributes of parents that were not named are answered too (PS3.18 §10.6.1.2). `fuzzy`: person names match
    by the beginnings of their words. `combined_datetime`: a range of dates and its range of times are one interval.
    `count_total`: tell how many match in all. `only_included`: answers have what is in `include` and the keys, not what
    QIDO-RS returns by default. `view`: nothing else is there. `timezone`: in which the dates and times of the keys are
    meant, minutes from UTC; None: as they are written. Two equal queries have equal answers at one state of the
    index.
    """

    level: Level
    study_uid: str | None = None
    series_uid: str | None = None
    matches: tuple[Match, ...] = ()
    include: tuple[Include, ...] = ()
    include_all: bool = False
    only_included: bool = False
    fuzzy: bool = False
    combined_datetime: bool = False
    limit: int | None = None
    offset: int = 0
    order: tuple[Order, ...] = field(default=())
    count_total: bool = False
    view: View | None = None
    timezone: int | None = None
