"""The body of /tools/find: a Query, what clients added to resources, and what is shown of those found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dicomweb_server.dicom.attribute_path import attribute_path
from dicomweb_server.dicom.attributes import BY_TAG, Level
from dicomweb_server.dicom.information_levels import COMPUTED
from dicomweb_server.dicom.matching_key import Key, MatchingRules, matching_key
from dicomweb_server.dicom.orthanc_json import TagFormat
from dicomweb_server.dicom.query import LabelsConstraint, Match, MatchKind, Order, Query
from dicomweb_server.errors import Reason, ServerError
from dicomweb_server.rest.body import Members
from dicomweb_server.rest.context import RestOptions
from dicomweb_server.rest.names import Names
from dicomweb_server.rest.resource_json import Shown, chosen_contents, requested_tags, tag_path

LEVEL_NAMES = {
    **dict.fromkeys(("patient", "patients"), Level.PATIENT),
    **dict.fromkeys(("study", "studies"), Level.STUDY),
    "series": Level.SERIES,
    **dict.fromkeys(("instance", "instances", "image", "images"), Level.INSTANCE),
}
_MOST_KEYS = 100
_RULES = MatchingRules()
_WILD = frozenset("*?")
_DATES = frozenset({"DA", "TM", "DT"})
_CASED = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"})
_CONSTRAINTS = {"All": LabelsConstraint.ALL, "Any": LabelsConstraint.ANY, "None": LabelsConstraint.NONE}


@dataclass(frozen=True, slots=True)
class FindRequest:
    """What was asked. `parents`: Orthanc's identifiers by level; `shown`: None for identifiers alone.

    `exact_names`: person names that must also match by case, by tag.
    """

    query: Query
    labels: tuple[str, ...]
    labels_constraint: LabelsConstraint
    metadata: tuple[tuple[str, str], ...]
    metadata_order: tuple[tuple[str, bool], ...]
    parents: Mapping[Level, str]
    shown: Shown | None


def level_named(name: str) -> Level:
    """A level by its name, of whatever case."""
    level = LEVEL_NAMES.get(name.lower())
    if level is None:
        raise ServerError(Reason.BAD_REQUEST, "Level must be Patient, Study, Series or Instance")
    return level


def find_request(body: Members, options: RestOptions) -> FindRequest:
    """ServerError(BAD_REQUEST) for what cannot be understood, with the name of the member."""
    level = level_named(body.text("Level"))
    orders = [_order(one, level, options.metadata) for one in body.objects("OrderBy")]
    query = Query(
        level=level,
        matches=_matches(body),
        limit=body.number("Limit", 0) or None,
        offset=body.number("Since", 0),
        order=tuple(order for order in orders if isinstance(order, Order)),
    )
    return FindRequest(
        query=query,
        labels=body.texts("Labels"),
        labels_constraint=_constraint(body),
        metadata=tuple(_metadata(body, options.metadata)),
        metadata_order=tuple(order for order in orders if not isinstance(order, Order)),
        parents=_parents(body),
        shown=_shown(body, options),
    )


def _matches(body: Members) -> tuple[Match, ...]:
    is_case_sensitive = body.flag("CaseSensitive")
    asked = body.members("Query").all
    if len(asked) > _MOST_KEYS:
        raise ServerError(Reason.BAD_REQUEST, f"Query: at most {_MOST_KEYS} keys are allowed")
    return tuple(_match(name, value, is_case_sensitive=is_case_sensitive) for name, value in asked.items())


def _match(name: str, value: Any, *, is_case_sensitive: bool) -> Match:
    if not isinstance(value, str):
        raise ServerError(Reason.BAD_REQUEST, f"Query: the value of {name[:80]!r} must be a text")
    path = tag_path(name)
    vr = _vr(path)
    key = Key(name[:80], path, vr)
    pieces = [piece for piece in value.split("\\") if piece.strip()] if vr not in ("LT", "ST", "UT") else [value]
    if not pieces:
        return Match(path, vr, MatchKind.UNIVERSAL)
    if vr in _CASED and not is_case_sensitive:
        pieces = [spelling for piece in pieces for spelling in _spellings(piece)]
    alternatives = tuple(_piece(key, piece) for piece in pieces)
    if len(alternatives) == 1:
        return alternatives[0]
    return Match(path, vr, MatchKind.MULTIPLE, (), None, alternatives)


def _spellings(text: str) -> list[str]:
    """The usual ones, which an index finds; only names are compared without regard to case."""
    return list(dict.fromkeys((text, text.upper(), text.lower(), text.capitalize(), text.title())))


def _piece(key: Key, text: str) -> Match:
    """One value. What PS3.4 would refuse is taken literally, as Orthanc does: it matches nothing then."""
    if key.vr == "UI" and not text.strip("*"):
        return Match(key.path, key.vr, MatchKind.UNIVERSAL)
    if key.vr in _DATES and _WILD & set(text):
        kind = MatchKind.WILDCARD if text.strip("*") else MatchKind.UNIVERSAL
        return Match(key.path, key.vr, kind, (text,) if kind is MatchKind.WILDCARD else ())
    try:
        return matching_key(key, text, _RULES)
    except ServerError:
        if key.vr == "UI" or _WILD & set(text):
            return Match(key.path, key.vr, MatchKind.SINGLE, (text,))
        raise


def _vr(path: Sequence[int]) -> str:
    tag = path[-1]
    if len(path) == 1 and tag in BY_TAG:
        return BY_TAG[tag].vr
    if tag in COMPUTED:
        return COMPUTED[tag][1]
    found = attribute_path(f"{tag:08X}")
    return "LO" if found is None or found.vr == "UN" else found.vr


def _order(asked: Members, level: Level, names: Names) -> Order | tuple[str, bool]:
    kind, key = asked.text("Type"), asked.text("Key")
    direction = asked.text("Direction", "ASC").upper()
    if direction not in ("ASC", "DESC"):
        raise ServerError(Reason.BAD_REQUEST, "OrderBy: Direction must be ASC or DESC")
    if kind == "Metadata":
        return names.key(key), direction == "DESC"
    if kind != "DicomTag":
        raise ServerError(Reason.BAD_REQUEST, "OrderBy: Type must be DicomTag or Metadata")
    tag = tag_path(key)[0]
    known, computed = BY_TAG.get(tag), COMPUTED.get(tag)
    home = known.level if known else computed[0] if computed else None
    if home is None or home > level:
        raise ServerError(Reason.BAD_REQUEST, f"OrderBy: {key[:80]!r} is not an indexed tag of this level or above")
    return Order(tag, direction == "DESC")


def _constraint(body: Members) -> LabelsConstraint:
    constraint = body.text("LabelsConstraint", "All")
    if constraint not in _CONSTRAINTS:
        raise ServerError(Reason.BAD_REQUEST, "LabelsConstraint must be All, Any or None")
    # Without labels there is nothing that any or none could have.
    return _CONSTRAINTS[constraint] if body.texts("Labels") else LabelsConstraint.ALL


def _metadata(body: Members, names: Names) -> Sequence[tuple[str, str]]:
    asked = body.members("MetadataQuery").all
    if not all(isinstance(value, str) for value in asked.values()):
        raise ServerError(Reason.BAD_REQUEST, "MetadataQuery: every value must be a text")
    return [(names.key(name), value) for name, value in asked.items()]


def _parents(body: Members) -> dict[Level, str]:
    named = {
        Level.PATIENT: body.text("ParentPatient", ""),
        Level.STUDY: body.text("ParentStudy", ""),
        Level.SERIES: body.text("ParentSeries", ""),
    }
    return {level: public_id for level, public_id in named.items() if public_id}


def _shown(body: Members, options: RestOptions) -> Shown | None:
    contents = body.texts("ResponseContent")
    requested = requested_tags(body.texts("RequestedTags"))
    if not body.flag("Expand") and not contents:
        return None
    form = TagFormat.FULL if body.flag("Full") else TagFormat.SHORT if body.flag("Short") else TagFormat.SIMPLE
    if contents:
        return Shown(form, requested, chosen_contents(contents), options.stable_age, options.metadata.shown)
    return Shown(form, requested, stable_age=options.stable_age)
