"""Query → Plan: which conditions SQL decides, with which values, and which matches `dicom.matching` has to verify."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum

from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.information_levels import COMPUTED
from dicomweb_server.dicom.matching import matches
from dicomweb_server.dicom.query import Match, MatchKind, Query, View
from dicomweb_server.dicom.searchable import REQUEST_ATTRIBUTES, REQUEST_ITEMS, path_text
from dicomweb_server.dicom.timezone import DATE_TIME_PAIRS, PARTNERS, a_day_wider
from dicomweb_server.storage import trigrams
from dicomweb_server.storage.query_terms import Comparison, Term, list_term, text_term
from dicomweb_server.storage.tables import FOLDED, INTEGER_VRS

_LISTS = {0x00080061: "modalities", 0x00080062: "sop_classes"}
_NUMBERS = {0x00201206: "series_count", 0x00201208: "instance_count", 0x00201209: "instance_count"}
_AVAILABILITY = 0x00080056
_MODALITY = 0x00080060
_TRANSFER_SYNTAXES = 0x00083002


class Kind(Enum):
    """What a column holds, as far as comparing goes."""

    TEXT = "text"
    NAME = "person name, folded"
    DATE = "date"
    TIME = "time"
    NUMBER = "integer"
    UID = "UID"
    LIST = "list between backslashes"
    FORMS = "no column, only forms in extra_value"


_KINDS = {"PN": Kind.NAME, "DA": Kind.DATE, "TM": Kind.TIME, "UI": Kind.UID} | dict.fromkeys(INTEGER_VRS, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an attribute is compared: a column of the table of `level`, and rows of `extra_value` under `path`."""

    level: Level
    kind: Kind
    path: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition without its values. `odd`: `extra_value` has rows for the attribute.

    `is_narrowed`: trigrams say which studies may meet it; the question to them is the last value.
    """

    source: Source
    comparisons: tuple[Comparison, ...]
    words: int
    odd: bool
    is_narrowed: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """The conditions of a search without their values: searches of one shape share their SQL.

    `below`: conditions on rows of lower levels, one of which has to meet them all.
    """

    level: Level
    in_study: bool = False
    in_series: bool = False
    conditions: tuple[Condition, ...] = ()
    below: tuple[Condition, ...] = ()
    view: View | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is answered. `values`: of the shape's conditions in their order, the last `values_below` of `below`.

    `verified`: matches that SQL leaves open; on data sets down to `depth`, with stored metadata if `needs_metadata`.
    """

    query: Query
    shape: Shape
    values: tuple[str, ...]
    values_below: int = 0
    verified: tuple[Match, ...] = ()
    depth: Level = Level.PATIENT
    needs_metadata: bool = False


def plan(query: Query, extra_paths: Set[str], configured: Mapping[str, Level]) -> Plan:
    """`extra_paths`: paths that `extra_value` has rows for. `configured`: the extra attributes it has completely."""
    planning = _Planning(query, extra_paths, configured)
    for match in query.matches:
        if match.kind is not MatchKind.UNIVERSAL:
            planning.add(match)
    return planning.finish()


class _Planning:
    def __init__(self, query: Query, extra_paths: Set[str], configured: Mapping[str, Level]) -> None:
        self._query = query
        self._extra_paths = extra_paths
        self._configured = configured
        self._found: list[tuple[Condition, tuple[str, ...]]] = []
        self._verified: list[Match] = []
        self._dates, self._times = _combined_tags(query)
        asked = [match for match in query.matches if match.kind is not MatchKind.UNIVERSAL]
        # Several keys of one sequence have to match in the same item, of which SQL knows nothing.
        self._is_joint = sum(match.path[0] == REQUEST_ATTRIBUTES for match in asked) > 1
        below = [match for match in asked if _level_of_row(match) > query.level]
        # Alone, a modality of some series is one of the study's.
        self._is_study_modality = query.level <= Level.STUDY and [match.path for match in below] == [(_MODALITY,)]

    def add(self, match: Match) -> None:
        """Decide on one match."""
        # Elsewhere it may be another day, and is another time.
        is_shifted = self._query.timezone is not None and len(match.path) == 1 and match.path[0] in PARTNERS
        sought = a_day_wider(match) if is_shifted else match
        if match.path == (_AVAILABILITY,):
            online = {"00080056": {"vr": "CS", "Value": ["ONLINE"]}}
            term: Term | None = Term((), ())
            if not matches(online, Query(self._query.level, matches=(match,))):
                term = Term((Comparison.NEVER,), ())
            source: Source | None = Source(self._query.level, Kind.UID, "", "id")
        else:
            source = None if sought is None else self._source(sought)
            term = None if sought is None or source is None else self._term(sought, source)
        is_time = match.path[0] in self._times
        if source is not None and term is not None and not is_time:
            self._add_condition(source, term)
        # The dates of combined intervals narrow the candidates, the times cannot.
        if source is None or term is None or is_time or is_shifted or match.path[0] in self._dates:
            self._verified.append(match)

    def finish(self) -> Plan:
        """The plan of what was added."""
        query, level = self._query, self._query.level
        direct = [pair for pair in self._found if pair[0].source.level <= level]
        below = [pair for pair in self._found if pair[0].source.level > level]
        named = [uid for uid in (query.study_uid, query.series_uid) if uid is not None]
        levels = [_level_of_row(match) for match in self._verified]
        levels += [condition.source.level for condition, _ in below if self._verified]
        return Plan(
            query=query,
            shape=Shape(
                level,
                query.study_uid is not None,
                query.series_uid is not None,
                tuple(condition for condition, _ in direct),
                tuple(condition for condition, _ in below),
                query.view,
            ),
            values=(*named, *(value for _, values in (*direct, *below) for value in values)),
            values_below=sum(len(values) for _, values in below),
            verified=tuple(self._verified),
            depth=max(levels, default=Level.PATIENT),
            needs_metadata=any(not _has_column(match) for match in self._verified),
        )

    def _home(self, level: Level) -> Level:
        """The level of the table that has an attribute's column: below the patient level, `study` has the patient's."""
        return Level.STUDY if level is Level.PATIENT and self._query.level is not Level.PATIENT else level

    def _source(self, match: Match) -> Source | None:
        tag, path = match.path[0], path_text(match.path)
        if match.private_creator is None and path in self._configured:
            level = max(self._configured[path], Level.STUDY)
            return Source(level, Kind.FORMS, path) if match.kind is not MatchKind.EMPTY else None
        if len(match.path) > 1:
            is_form = tag == REQUEST_ATTRIBUTES and match.path[1] in REQUEST_ITEMS and len(match.path) == 2
            if is_form and not self._is_joint and match.kind is not MatchKind.EMPTY:
                return Source(Level.SERIES, Kind.FORMS, path)
            return None
        if tag == _MODALITY and self._is_study_modality and match.kind is not MatchKind.EMPTY and list_term(match):
            return Source(Level.STUDY, Kind.LIST, path, "modalities")
        if tag in _LISTS:
            return Source(Level.STUDY, Kind.LIST, path, _LISTS[tag])
        if tag in _NUMBERS:
            return Source(COMPUTED[tag][0], Kind.NUMBER, path, _NUMBERS[tag])
        if tag == _TRANSFER_SYNTAXES:
            return Source(Level.INSTANCE, Kind.UID, path, "transfer_syntax_uid")
        attribute = BY_TAG.get(tag)
        if attribute is None or attribute.vr == "SQ":
            return None
        column = attribute.column + FOLDED if attribute.vr == "PN" else attribute.column
        return Source(self._home(attribute.level), _KINDS.get(attribute.vr, Kind.TEXT), path, column)

    def _term(self, match: Match, source: Source) -> Term | None:
        if source.kind is Kind.LIST:
            return list_term(match)
        term = text_term(match, fuzzy=self._query.fuzzy)
        if term is None or (term.words and source.kind is Kind.FORMS):
            return None
        # The patient's own row has no forms: those are its studies'.
        return None if source.level is Level.PATIENT and source.path in self._extra_paths else term

    def _add_condition(self, source: Source, term: Term) -> None:
        odd = source.path in self._extra_paths and source.kind not in (Kind.FORMS, Kind.LIST, Kind.UID)
        pieces = _searched_pieces(source, term)
        values = (*term.values, trigrams.question(pieces)) if pieces else term.values
        self._found.append((Condition(source, term.comparisons, term.words, odd, bool(pieces)), values))


def _searched_pieces(source: Source, term: Term) -> list[str]:
    """The pieces of a match that narrow the studies: these columns hold all values, also those that have forms."""
    if source.level is not Level.STUDY or source.column not in trigrams.COLUMNS:
        return []
    return [piece for piece in term.pieces if len(piece) >= trigrams.LEAST_LENGTH]


def _has_column(match: Match) -> bool:
    return match.path[0] in BY_TAG or match.path[0] in COMPUTED


def _level_of_row(match: Match) -> Level:
    """The level of the row that has an attribute: its column, or the metadata of an instance."""
    tag = match.path[0]
    if tag in BY_TAG:
        return BY_TAG[tag].level
    return COMPUTED[tag][0] if tag in COMPUTED else Level.INSTANCE


def _combined_tags(query: Query) -> tuple[frozenset[int], frozenset[int]]:
    """The dates and the times that are asked for as one interval."""
    tags = {match.path[0] for match in query.matches if len(match.path) == 1}
    pairs = [pair for pair in DATE_TIME_PAIRS if query.combined_datetime and tags.issuperset(pair)]
    return frozenset(date for date, _ in pairs), frozenset(time for _, time in pairs)
